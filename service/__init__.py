"""How a service of ours runs, shared by ingest, processors and query: HTTP, the Kafka log, logs."""
