"""Records of `deliveries` for tests: one attempt to vary, and how it is appended."""

import time
import uuid
from typing import Any

from contracts.attempts import Attempt, encode_attempt
from contracts.encoding.recordbatch import Record, encode_headers, new_record

NOW_MS = time.time_ns() // 1_000_000
"""What is older than the retention is gone as soon as it is stored."""
ARN = "arn:aws:sqs:eu-west-1:000000000000:orders"


def an_attempt(**changes: Any) -> Attempt:
    """A delivery at the first attempt, with `changes`."""
    known: dict[str, Any] = {
        "at": NOW_MS,
        "tenant": "acme",
        "subscription_id": str(uuid.uuid4()),
        "destination": ARN,
        "state": "delivered",
        "event_id": str(uuid.uuid4()),
        "partition": 3,
        "offset": 17,
        "attempt": 1,
        "latency_ms": 12,
        "message_id": "m-1",
    }
    return Attempt(**known | changes)


def record_of(attempt: Attempt, entity: str = "1") -> Record:
    """Its record, in the partition of the event of that entity."""
    key = f"{attempt.tenant}:{entity}".encode()
    return new_record(key, encode_attempt(attempt), encode_headers([]), attempt.at)
