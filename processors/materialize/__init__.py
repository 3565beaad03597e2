"""Events become rows of ClickHouse, each once."""
