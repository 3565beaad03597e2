"""A delivery: the SQS message that a subscriber receives for one event.

Body = the event's representation, byte for byte what GET answers; metadata = message attributes.
Delivered at least once; subscribers tell repeats by (tenant, id), FIFO queues do it themselves.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from contracts.encoding.codec import EventJson

SQS_BATCH_ENTRIES_MAX = 10
SQS_BATCH_BYTES_MAX = 1_048_576  # since August 2025; one message may take all of it


class Delivery(NamedTuple):
    """One message for one queue; `position` is the event's (partition, offset) in the log."""

    body: str
    attributes: dict[str, str]
    group: str
    position: tuple[int, int]

    @property
    def size_bytes(self) -> int:
        """What SQS counts: the body and every attribute's name, type and value, in UTF-8."""
        attributes = sum(
            len(name) + len("String") + len(text.encode()) for name, text in self.attributes.items()
        )
        return len(self.body.encode()) + attributes


def delivery(
    tenant: str, event: EventJson, value: bytes, subscription_id: str, position: tuple[int, int]
) -> Delivery:
    """The message for `event` and one subscription. `value` is the record's value."""
    attributes = {
        "tenant": tenant,
        "event_id": event.id,
        "event_type": event.event_type,
        "event_source": event.event_source,
        "subscription_id": subscription_id,
    }
    # a group per entity keeps an entity's events in order; hashed, for ids may hold any character
    group = hashlib.sha256(f"{tenant}:{event.entity_id}".encode()).hexdigest()
    return Delivery(value.decode(), attributes, group, position)


def packed(deliveries: Sequence[Delivery]) -> Iterator[list[Delivery]]:
    """`deliveries` in order, in batches that SQS takes: ten messages and one MiB at the most."""
    batch: list[Delivery] = []
    size_bytes = 0
    for each in deliveries:
        full = len(batch) == SQS_BATCH_ENTRIES_MAX
        if batch and (full or size_bytes + each.size_bytes > SQS_BATCH_BYTES_MAX):
            yield batch
            batch, size_bytes = [], 0
        batch.append(each)
        size_bytes += each.size_bytes
    if batch:
        yield batch
