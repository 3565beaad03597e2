"""The local servers and their supervisor: Kafka, ClickHouse, SQS and the token issuer without Docker."""
