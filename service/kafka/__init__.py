"""Appending to Kafka and following a topic."""
