"""The `events` command: runs the local stack and talks to any stack over its public contracts."""
