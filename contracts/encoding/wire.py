"""The event on Kafka: the only code that knows its key, value and headers.

Value = the representation, byte for byte what GET answers. Metadata = CloudEvents 1.0 in binary
mode (cloudevents/spec, kafka-protocol-binding 3.2). Key = tenant and entity, so that the events of
one entity keep their order. A record without a value is a tombstone, an event of its own: it erases
the event that its extension attribute `erasedid` names, for good.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from time import gmtime, strftime
from typing import NamedTuple
from urllib.parse import quote

import msgspec

from contracts.encoding.codec import EventJson, decode, fill_defaults, is_event_id
from contracts.encoding.recordbatch import (
    Record,
    encode_header,
    encode_headers,
    hash_of,
    hashed_record,
    new_record,
    varint,
)
from contracts.tenants import is_tenant

ERASED = b"events.v1.ERASED"
"""`ce_type` of a tombstone."""
NONCHARACTERS = "".join(
    chr(plane << 16 | 0xFFFE) + chr(plane << 16 | 0xFFFF) for plane in range(17)
)
YEAR_2200_MS = 7_258_118_400_000  # the table's column ends in 2299
UNFIT = re.compile(f"[\\x00-\\x1f\\x7f-\\x9f\\ufdd0-\\ufdef{NONCHARACTERS}]")
"""What no CloudEvents string may hold (CloudEvents 1.0.2, Type System: String)."""


class Undecodable(Exception):
    """A record on `events` that no reader can take; the message says why."""


def encode(tenant: str, event: EventJson, received_ms: int, value: bytes) -> Record:
    """The record of an accepted event; `value` is its representation, `received_ms` since 1970."""
    key = record_key(tenant, event.entity_id)
    return encode_keyed(key, hash_of(key), tenant, event, received_ms, value)


def encode_keyed(
    key: bytes, key_hash: int, tenant: str, event: EventJson, received_ms: int, value: bytes
) -> Record:
    """`encode` for whoever has the key, and its hash, already."""
    entity_id = event.entity_id
    subject = entity_id.encode() if entity_id.isprintable() else _subject(entity_id)
    headers = b"".join(
        (
            _fixed_headers(tenant, event.event_source, event.event_type),
            _ID,
            event.id.encode(),
            _TIME,
            _time(received_ms),
            _SUBJECT,
            varint(len(subject)),
            subject,
        )
    )
    return hashed_record(key_hash, key, value, headers, received_ms)


def _subject(entity_id: str) -> bytes:
    """`entity_id` with what a CloudEvents string may not hold percent-encoded (RFC 3986 2.1)."""
    return UNFIT.sub(lambda unfit: quote(unfit[0]), entity_id).encode()


def encode_erasure(tenant: str, event: EventJson, tombstone_id: str, erased_ms: int) -> Record:
    """The tombstone of `event`, under its key, so that it follows it; `erased_ms` since 1970.

    It has an id of its own: a consumer that knows the event's id must not take it for a repeat.
    """
    headers = (
        ("ce_specversion", b"1.0"),
        ("ce_id", tombstone_id.encode()),
        ("ce_erasedid", event.id.encode()),
        ("ce_source", f"/{tenant}/{event.event_source}".encode()),
        ("ce_type", ERASED),
        ("ce_time", _time(erased_ms)),
        ("ce_tenant", tenant.encode()),
    )
    key = record_key(tenant, event.entity_id)
    return new_record(key, None, encode_headers(headers), erased_ms)


def record_key(tenant: str, entity_id: str) -> bytes:
    """The key of the entity's records, which chooses their partition."""
    return f"{tenant}:{entity_id}".encode()


@lru_cache(maxsize=4096)
def _fixed_headers(tenant: str, source: str, type_: str) -> bytes:
    """The number of headers, and those that many events have in common."""
    fixed = (
        ("ce_specversion", b"1.0"),
        ("ce_source", f"/{tenant}/{source}".encode()),
        ("ce_type", f"events.v1.{type_}".encode()),
        ("ce_tenant", tenant.encode()),
        ("content-type", b"application/json"),
    )
    return encode_headers(fixed, more=3)


# these two have values of one length
_ID = encode_header("ce_id", bytes(36))[:-36]
_TIME = encode_header("ce_time", bytes(24))[:-24]
_SUBJECT = encode_header("ce_subject", b"")[:-1]  # its value's length is still to come


@lru_cache(maxsize=8)
def _time(received_ms: int) -> bytes:
    """RFC 3339 in UTC with milliseconds."""
    return b"%b.%03dZ" % (_second(received_ms // 1000), received_ms % 1000)


@lru_cache(maxsize=8)
def _second(seconds: int) -> bytes:
    return strftime("%Y-%m-%dT%H:%M:%S", gmtime(seconds)).encode()


def decode_tenant(headers: Iterable[tuple[str, bytes | None]]) -> str:
    """The record's tenant. Raises `Undecodable` when it is missing or no tenant name."""
    for name, value in headers:
        if name == "ce_tenant" and value is not None:
            return _tenant(value)
    raise Undecodable("the header ce_tenant is missing")


@lru_cache(maxsize=4096)
def _tenant(value: bytes) -> str:
    tenant = value.decode("ascii", "replace")
    if not is_tenant(tenant):
        raise Undecodable("the header ce_tenant is no tenant name")
    return tenant


class Erased(NamedTuple):
    """What a tombstone erases. `final`: whatever is posted under the id later stays away as well.

    Tombstones of the first release are not; they have the erased event's id for their own.
    """

    tenant: str
    event_id: str
    final: bool


def decode_erasure(headers: Sequence[tuple[str, bytes | None]]) -> Erased:
    """What a record without a value erases. Raises `Undecodable`."""
    tenant, found = decode_tenant(headers), dict(headers)
    final = "ce_erasedid" in found
    name = "ce_erasedid" if final else "ce_id"
    value = found.get(name)
    if value is None:
        raise Undecodable("the record has no value, and no header ce_erasedid that names an event")
    event_id = value.decode("ascii", "replace")
    if not is_event_id(event_id):
        raise Undecodable(f"the record has no value, and its header {name} is no event id")
    return Erased(tenant, event_id, final)


def require_time(timestamp_ms: int) -> None:
    """Raises `Undecodable` for a record whose time, in ms since 1970, no table has room for."""
    if not 0 <= timestamp_ms < YEAR_2200_MS:
        raise Undecodable(f"the record's time, {timestamp_ms} ms, is not between 1970 and 2200")


def decode_event(value: bytes | None) -> EventJson:
    """The event in a record's value. Raises `Undecodable` that says what is wrong, never the value.

    The base64 texts are left to whoever decodes them.
    """
    if value is None:
        raise Undecodable("the record has no value")
    try:
        event = decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Undecodable(str(error)[:500]) from None
    if not is_event_id(event.id):
        raise Undecodable("id: is no UUID in lower case")
    fill_defaults(event)
    return event
