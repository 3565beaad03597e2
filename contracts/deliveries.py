"""A delivery: the SQS message that a subscriber receives for one event.

Body = the event's representation, byte for byte what GET answers; metadata = message attributes. An
event that is too large for its queue goes as a claim check, which says where its body is.
Delivered at least once; subscribers tell repeats by (tenant, id), FIFO queues do it themselves.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple
from urllib.parse import quote

import msgspec

from contracts.encoding.codec import EventJson
from contracts.paths import EVENT

SQS_BATCH_ENTRIES_MAX = 10
SQS_BATCH_BYTES_MAX = 1_048_576  # since August 2025; one message may take all of it
SQS_ATTRIBUTES_MAX = 10
STRING_BYTES = len("String")
NAME_AND_TYPE_MAX = 64
"""Bytes of one of our attributes, without its value."""

Fairness = Literal["none", "tenant", "entity"]
"""Whose messages a standard queue holds back when they crowd out others (Amazon SQS fair queues)."""

UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no body and no attribute may hold (SendMessage, InvalidMessageContents)."""
is_traceparent = re.compile(
    rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?:-[\x20-\x7e]{1,200})?\Z"
).match
"""W3C Trace Context, section 3.2; a later version may have more behind it."""


class Delivery(NamedTuple):
    """One message for one queue; `position` is the event's (partition, offset) in the log.

    `entity` names tenant and entity; `replay_id` the replay that sends it once more.
    """

    body: str
    attributes: dict[str, str]
    entity: str
    position: tuple[int, int]
    fairness: Fairness = "tenant"
    replay_id: str = ""

    @property
    def group(self) -> str:
        """The message group that keeps an entity's events in order; hashed, for ids hold any character."""
        return _hashed(self.entity)

    @property
    def fair_group(self) -> str:
        """The message group on a standard queue; empty for none."""
        if self.fairness == "tenant":
            return self.attributes.get("tenant", "")
        return self.group if self.fairness == "entity" else ""

    @property
    def deduplication_id(self) -> str:
        """What FIFO queues tell repeats by for five minutes.

        Of the subscription too: two may share a queue. A replay is meant to come again.
        """
        names = ("event_id", "subscription_id")
        return _hashed(
            ":".join((*(self.attributes.get(each, "") for each in names), self.replay_id))
        )

    @property
    def most_bytes(self) -> int:
        """A bound of `size_bytes` that is quickly worked out: of UTF-8 a character takes four at the most."""
        values = sum(map(len, self.attributes.values()))
        return 4 * (len(self.body) + values) + NAME_AND_TYPE_MAX * len(self.attributes)

    @property
    def size_bytes(self) -> int:
        """What SQS counts: the body and every attribute's name, type and value, in UTF-8."""
        texts = "".join((*self.attributes, *self.attributes.values()))
        return _length(self.body) + _length(texts) + STRING_BYTES * len(self.attributes)


class ClaimCheck(msgspec.Struct, kw_only=True):
    """The body in place of an event that its queue does not take: `size_bytes` and `sha256` of that.

    `url` answers it to whoever may read the tenant's events.
    """

    url: str
    size_bytes: int
    sha256: str


def delivery(
    tenant: str,
    event: EventJson,
    body: str,
    subscription_id: str,
    position: tuple[int, int],
    *,
    headers: Iterable[tuple[str, bytes | None]] = (),
    fairness: Fairness = "tenant",
    replay_id: str = "",
) -> Delivery:
    """The message for `event` and one subscription: `body` is the record's value by `fit_body`."""
    attributes = {
        "tenant": tenant,
        "event_id": event.id,
        "event_type": event.event_type,
        "event_source": event.event_source,
        "subscription_id": subscription_id,
    }
    for name, text in headers:
        if name == "traceparent" and text is not None and is_traceparent(text):
            attributes["traceparent"] = text.decode()
    entity = f"{tenant}:{event.entity_id}"
    return Delivery(body, fit_attributes(attributes), entity, position, fairness, replay_id)


def fit_body(value: bytes) -> str:
    """The JSON text `value` as SQS takes it: U+FFFE and U+FFFF are escaped.

    Others that SQS refuses stand in no JSON text as they are. `codec.represent` escapes these two as
    well; not everything on the log was written by it.
    """
    if b"\xef\xbf" in value:
        value = value.replace(b"\xef\xbf\xbe", b"\\ufffe").replace(b"\xef\xbf\xbf", b"\\uffff")
    return value.decode()


def fit_attributes(attributes: Mapping[str, str]) -> dict[str, str]:
    """`attributes` as SQS takes them: none that is empty, and ten at the most.

    Characters that it refuses are percent-encoded (RFC 3986 2.1).
    """
    texts = attributes.values()
    if all(texts) and len(texts) <= SQS_ATTRIBUTES_MAX and "".join(texts).isprintable():
        return dict(attributes)
    fit = {
        name: text if text.isprintable() else _encoded(text) for name, text in attributes.items()
    }
    named = [(name, text) for name, text in fit.items() if text]
    return dict(named[:SQS_ATTRIBUTES_MAX])


def claim_check(delivery: Delivery, public_url: str) -> Delivery:
    """The message that stands for one that is too large. `public_url` is the API's, or empty."""
    body, event_id = delivery.body.encode(), delivery.attributes["event_id"]
    check = ClaimCheck(
        url=public_url.rstrip("/") + EVENT.format(eventId=event_id),
        size_bytes=len(body),
        sha256=hashlib.sha256(body).hexdigest(),
    )
    return delivery._replace(
        body=msgspec.json.encode(check).decode(),
        attributes=fit_attributes({"claim_check": "true"} | delivery.attributes),  # never cut off
    )


def packed(
    deliveries: Sequence[Delivery], bytes_max: int = SQS_BATCH_BYTES_MAX
) -> Iterator[list[Delivery]]:
    """`deliveries` in order, in batches that SQS takes: ten messages and `bytes_max` at the most."""
    batch: list[Delivery] = []
    size_bytes = 0
    for each in deliveries:
        own_bytes = each.size_bytes
        full = len(batch) == SQS_BATCH_ENTRIES_MAX
        if batch and (full or size_bytes + own_bytes > bytes_max):
            yield batch
            batch, size_bytes = [], 0
        batch.append(each)
        size_bytes += own_bytes
    if batch:
        yield batch


def _hashed(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _encoded(text: str) -> str:
    return UNFIT.sub(lambda unfit: quote(unfit[0], errors="replace"), text)


def _length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
