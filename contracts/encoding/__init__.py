"""Bytes that two processes must agree on: JSON of events, Kafka records, blocks of rows."""
