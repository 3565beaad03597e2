"""Who may call: tokens, and the keys that they are signed with."""
