"""Kafka in: `materialize` writes ClickHouse, `route` writes SQS."""
