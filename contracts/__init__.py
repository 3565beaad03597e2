"""What two processes must agree on: HTTP bodies, Kafka records, tables, SQS messages.

Nothing here serves; it imports the standard library, pydantic and the JWT library alone.
"""
