"""One file for each area of the console: handlers that take a `Page` and answer."""
