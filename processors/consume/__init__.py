"""From the log through a step to a commit: the only files that know offsets."""
