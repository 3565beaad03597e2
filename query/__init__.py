"""HTTP in, ClickHouse out: events found by id."""
