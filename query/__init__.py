"""HTTP in, ClickHouse out: events found by id, by what they are about, and erased through Kafka."""
