"""The event on Kafka: the only code that knows its key, value, headers and partition.

Value = the representation, byte for byte what GET answers. Metadata = CloudEvents 1.0 in binary
mode (cloudevents/spec, kafka-protocol-binding 3.2). Key = tenant and entity, so that the events of
one entity keep their order.
"""

from collections.abc import Iterable
from functools import lru_cache
from time import gmtime, strftime
from typing import NamedTuple
from zlib import crc32

from pydantic import TypeAdapter, ValidationError

from contracts.events import EventDraft, RecordedEvent
from contracts.tenants import is_tenant

KafkaHeaders = list[tuple[str, bytes]]


class Record(NamedTuple):
    """What is appended to the `events` topic for one event; `timestamp_ms` is the time of receipt."""

    key: bytes
    value: bytes | None
    headers: KafkaHeaders
    timestamp_ms: int


class Undecodable(Exception):
    """A record on `events` that no reader can take; the message says why."""


def encode(tenant: str, draft: EventDraft, event_id: str, received_ms: int, value: bytes) -> Record:
    """The record of an accepted event; `value` is its representation, `received_ms` since 1970."""
    headers = [
        *_fixed_headers(tenant, draft.event_source, draft.event_type),
        ("ce_id", event_id.encode()),
        ("ce_subject", draft.entity_id.encode()),
        ("ce_time", b"%b.%03dZ" % (_second(received_ms // 1000), received_ms % 1000)),
    ]
    return Record(f"{tenant}:{draft.entity_id}".encode(), value, headers, received_ms)


@lru_cache(maxsize=4096)
def _fixed_headers(tenant: str, source: str, type_: str) -> tuple[tuple[str, bytes], ...]:
    return (
        ("ce_specversion", b"1.0"),
        ("ce_source", f"/{tenant}/{source}".encode()),
        ("ce_type", f"events.v1.{type_}".encode()),
        ("ce_tenant", tenant.encode()),
        ("content-type", b"application/json"),
    )


@lru_cache(maxsize=8)
def _second(seconds: int) -> bytes:
    return strftime("%Y-%m-%dT%H:%M:%S", gmtime(seconds)).encode()


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of `key`: CRC-32 modulo their number, librdkafka's `consistent` partitioner."""
    return crc32(key) % partitions


def decode_tenant(headers: Iterable[tuple[str, bytes]]) -> str:
    """The record's tenant. Raises `Undecodable` when it is missing or no tenant name."""
    for name, value in headers:
        if name == "ce_tenant":
            tenant = value.decode("ascii", "replace")
            if is_tenant(tenant):
                return tenant
            raise Undecodable("the header ce_tenant is no tenant name")
    raise Undecodable("the header ce_tenant is missing")


def is_one_event(value: bytes | None) -> bool:
    """Whether `value` can only be one event as `represent` writes it, or something that is none.

    It has the three objects of one event; two objects one after the other, which ClickHouse would
    read as two rows, need four to pass the table's constraints. False asks for `decode_event`.
    """
    return value is not None and value.startswith(b'{"') and value.count(b"{") == 3


_recorded = TypeAdapter(RecordedEvent).validator.validate_json


def decode_event(value: bytes | None) -> RecordedEvent:
    """The event in a record's value. Raises `Undecodable` naming the first field that is wrong."""
    if value is None:
        raise Undecodable("the record has no value")
    try:
        event: RecordedEvent = _recorded(value)
        return event
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = "/".join(str(step) for step in first["loc"])
        raise Undecodable(f"{where or 'value'}: {first['msg']}"[:500]) from None
