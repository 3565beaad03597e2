"""What became of deliveries, as rows of ClickHouse, each once."""
