"""Event ids: time-ordered when made, derived when the client names its request.

Identity is always (tenant, id). A derived id has the entity in it, and a record's key too: so all
records of one derived id are in one partition of the log, in its order. An id that is made ends with
the number of its record's partition, so that the record can be read where it is before any view has it.
"""

import hashlib
import uuid
from collections.abc import Iterable

from contracts.encoding.codec import is_event_id
from contracts.problems import Problem

IDEMPOTENCY_KEY_BYTES_MAX = 255
VERSION_AT, DERIVED = 14, "8"
"""Where a UUID's text has its version, and that of an id that an Idempotency-Key gave."""
IS_DERIVED = f"bitAnd(bitShiftRight(toUInt128(id), 76), 15) = {DERIVED}"
"""`is_derived` of the column `id` in ClickHouse."""


def read_id(text: str, of: str) -> uuid.UUID:
    """The id `of` an event or a subscription as a path has it, in the one text that we write.

    Raises `Problem` 400.
    """
    if not is_event_id(text):
        raise Problem(
            400,
            f"The {of} id has {len(text):,} characters and is not a UUID of 36:"
            " lower-case hexadecimal digits in groups of 8-4-4-4-12.",
        )
    return uuid.UUID(text)


def derived_id(tenant: str, idempotency_key: bytes, item: int, entity_id: str) -> str:
    """The id of the `item`-th event, about `entity_id`, of the request that `tenant` named.

    A UUID version 8 (RFC 9562 section 5.8) from SHA-256, so that a repeated request gives the same
    ids on any edge without shared state (draft-ietf-httpapi-idempotency-key-header). The same key
    for another entity is another event. Raises `Problem` 400 for an empty or overlong key.
    """
    if not 0 < len(idempotency_key) <= IDEMPOTENCY_KEY_BYTES_MAX:
        raise Problem(
            400,
            f"Idempotency-Key has {len(idempotency_key):,} bytes;"
            f" it takes 1 to {IDEMPOTENCY_KEY_BYTES_MAX}.",
        )
    named = b"%b\0%d\0%d\0%b" % (tenant.encode(), item, len(idempotency_key), idempotency_key)
    digest = bytearray(hashlib.sha256(b"%b\0%b" % (named, entity_id.encode())).digest()[:16])
    digest[6] = 0x80 | digest[6] & 0x0F
    digest[8] = 0x80 | digest[8] & 0x3F
    return str(uuid.UUID(bytes=bytes(digest)))


def is_derived(event_id: str) -> bool:
    """Whether an Idempotency-Key gave this id, so that more than one record may have it."""
    return event_id[VERSION_AT] == DERIVED


NAMES_MAX = 1_000
"""Names of one query: with the longest ones, half of ClickHouse's max_query_size."""


def names_sql(names: Iterable[tuple[str, object]]) -> str:
    """What stands between the brackets of `(tenant, id) IN (...)`; tenants and ids were checked."""
    return ", ".join([f"('{tenant}', '{event_id}')" for tenant, event_id in names])


def ids_sql(ids: Iterable[object]) -> str:
    """What stands between the brackets of `id IN (...)`; the ids were checked."""
    return ", ".join([f"'{event_id}'" for event_id in ids])


PARTITION_AT, PARTITION_MASK = 33, 0xFFF
"""Where the text of an id that is made has its partition: the last 12 bits.

Of a UUIDv7 74 bits are free (RFC 9562 section 5.7) and 62 are left: a counter of 42 that begins in the
lower half at random each millisecond (section 6.2, method 1), so that a process never repeats itself, and
20 of chance. Of two ids that processes make in one millisecond one pair in 2^61 is the same: at 100,000
events a second that is one in 10,000 years, and has to be of one partition and one tenant too.
"""
PARTITION_NAMES = tuple(f"{number:03x}" for number in range(PARTITION_MASK + 1))


def partition_of(event_id: uuid.UUID) -> int | None:
    """The partition that the id names; None for a derived one. One made before names any.

    Only a hint where to look: whoever makes up an id can write what he likes, and keys move when
    partitions are added.
    """
    return event_id.int & PARTITION_MASK if event_id.version == 7 else None


def made_at_ms(event_id: uuid.UUID) -> int | None:
    """When a UUIDv7 was made, in ms since 1970 (RFC 9562 section 5.7); None for a derived id."""
    return event_id.int >> 80 if event_id.version == 7 else None
