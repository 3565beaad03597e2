"""The event on Kafka: the only code that knows its key, value and headers.

Value = the representation, byte for byte what GET answers. Metadata = CloudEvents 1.0 in binary
mode (cloudevents/spec, kafka-protocol-binding 3.2). Key = tenant and entity, so that the events of
one entity keep their order. A record without a value is a tombstone: it erases the event that its
headers name, which lies before it.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from time import gmtime, strftime
from typing import cast

import msgspec
from msgspec import UNSET

from contracts.codec import EventJson, decode, fill_defaults, is_event_id
from contracts.recordbatch import Record, encode_header, encode_headers, new_record, varint
from contracts.tenants import is_tenant

ERASED = b"events.v1.ERASED"
"""`ce_type` of a tombstone."""


class Undecodable(Exception):
    """A record on `events` that no reader can take; the message says why."""


def encode(tenant: str, event: EventJson, received_ms: int, value: bytes) -> Record:
    """The record of an accepted event; `value` is its representation, `received_ms` since 1970."""
    entity_id = event.entity_id.encode()
    headers = b"".join(
        (
            _fixed_headers(tenant, event.event_source, event.event_type),
            _ID,
            event.id.encode(),  # type: ignore[union-attr]  # it has one; a cast would cost a call
            _TIME,
            _time(received_ms),
            _SUBJECT,
            varint(len(entity_id)),
            entity_id,
        )
    )
    return new_record(_key(tenant, entity_id), value, headers, received_ms)


def encode_erasure(tenant: str, event: EventJson, erased_ms: int) -> Record:
    """The tombstone of `event`, under its key, so that it follows it; `erased_ms` since 1970."""
    headers = (
        ("ce_specversion", b"1.0"),
        ("ce_id", cast("str", event.id).encode()),
        ("ce_source", f"/{tenant}/{event.event_source}".encode()),
        ("ce_type", ERASED),
        ("ce_time", _time(erased_ms)),
        ("ce_tenant", tenant.encode()),
    )
    key = _key(tenant, event.entity_id.encode())
    return new_record(key, None, encode_headers(headers), erased_ms)


def _key(tenant: str, entity_id: bytes) -> bytes:
    return b"%b:%b" % (tenant.encode(), entity_id)


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


def decode_erasure(headers: Sequence[tuple[str, bytes | None]]) -> tuple[str, str]:
    """Tenant and id of the event that a record without a value erases. Raises `Undecodable`."""
    tenant = decode_tenant(headers)
    for name, value in headers:
        if name == "ce_id" and value is not None:
            event_id = value.decode("ascii", "replace")
            if is_event_id(event_id):
                return tenant, event_id
            raise Undecodable("the record has no value, and its header ce_id is no event id")
    raise Undecodable("the record has no value, and no header ce_id that names an event to erase")


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
    if event.id is UNSET or not is_event_id(event.id):
        raise Undecodable("id: is missing or no UUID in lower case")
    fill_defaults(event)
    return event
