"""AWS SQS: facts about queues, batches, the wire, signatures, and what error codes mean."""
