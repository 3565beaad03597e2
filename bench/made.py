"""Ids of events that no edge has made: for measurements and tests that write to the log themselves."""

import time

from uuid_utils import uuid7

from contracts.ids import derived_id


def new_id(tenant: str, entity_id: str, idempotency_key: bytes | None) -> tuple[str, int]:
    """An id for an event received now, and that time in ms since 1970."""
    if idempotency_key is not None:
        event_id = derived_id(tenant, idempotency_key, 0, entity_id)
        return event_id, time.time_ns() // 1_000_000
    made = uuid7()
    return str(made), made.timestamp
