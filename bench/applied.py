"""The topic `subscriptions` as the edge writes it, and as a reader applies it to an empty table."""

import json
from collections.abc import Iterable
from typing import Any

from aiokafka.record.memory_records import MemoryRecords
from uuid_utils import uuid7

from contracts.changes import change_key, change_value
from contracts.drafts import read_draft
from contracts.encoding.recordbatch import encode_batch, encode_headers, new_record
from contracts.subscription_table import Subscriptions
from contracts.subscriptions import create, subscription_key

TENANT, QUEUE = "t", "arn:aws:sqs:eu-west-1:123456789012:events-{}"


def topic(patterns: Iterable[Any]) -> bytes:
    """A record batch for each subscription: how it was made, and the subscription."""
    headers = encode_headers([("ce_tenant", TENANT.encode())])
    batches: list[bytes] = []
    for number, pattern in enumerate(patterns):
        draft = {
            "name": f"subscription {number}",
            "labels": {"team": "orders"},
            "filter": pattern,
            "destination": {"type": "sqs", "arn": QUEUE.format(number)},
        }
        made, change_id = create(read_draft(json.dumps(draft).encode()), str(uuid7())), str(uuid7())
        at, after = "2026-01-31T12:00:00.000Z", made.document()
        written = {
            change_key(TENANT, made.id, change_id): change_value(
                change_id, at, "bench", "create", None, after
            ),
            subscription_key(TENANT, made.id): made.represent(),
        }
        records = [new_record(key, value, headers, 0) for key, value in written.items()]
        batches += encode_batch(records, 1, 0, 2 * number)
    return b"".join(batches)


def apply(data: bytes) -> Subscriptions:
    """The table that a router has when it has read the record batches in `data`."""
    table, batches = Subscriptions(), MemoryRecords(data)
    while batches.has_next():
        for record in batches.next_batch():
            table.apply(record.key, record.value)
    return table
