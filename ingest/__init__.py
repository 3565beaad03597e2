"""The edge: HTTP in, Kafka out."""
