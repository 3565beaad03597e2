"""What two processes must agree on: HTTP bodies, Kafka records, tables and SQS messages. Nothing here serves."""
