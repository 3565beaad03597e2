"""Where messages go, one file a kind."""
