"""HTTP in, ClickHouse out: events found by id, and by what they are about."""
