"""Events about deliveries: SYSTEM_EVENTs that a tenant may subscribe to like any other of its events.

They are appended to `events` as the edge does it. The id is derived from subscription, kind and the hour
of `since`, so whoever tells the same again, after a restart or in another process, tells nothing new.
Never a loop: an announcement has a hop count, and what fails to deliver one is not announced.
"""

import re
import time
from collections.abc import Iterable
from typing import Literal

import msgspec
import pybase64

from contracts.criteria import rfc_3339
from contracts.deliveries import Delivery
from contracts.encoding.codec import EventJson, PayloadJson, decode, fill_defaults, represent
from contracts.encoding.wire import encode
from contracts.ids import derived_id
from contracts.subscriptions import Subscription
from contracts.topics import EVENTS
from processors.consume.park import keep
from processors.deliver.ledger import MESSAGE_MAX
from processors.deliver.outcomes import Outcome
from service.kafka.eventlog import EventLog

Kind = Literal["paused", "exhausted", "recovered"]

HOPS = "hops"
HOPS_MAX = 1
"""An announcement about an announcement would be the second."""
SAME_WITHIN_MS = 3_600_000
_is_count = re.compile("[0-9]{1,4}", re.ASCII).fullmatch  # a client may write anything there
NO_ITEM = -1
"""No request of a client has such an item, so none of its Idempotency-Keys gives one of our ids."""


class Announced(msgspec.Struct, kw_only=True):
    """The payload: what became of the subscription's queue, `since` when (RFC 3339)."""

    kind: Kind
    destination: str
    code: str
    message: str
    since: str


class Announcements:
    """Tells."""

    def __init__(self, topics: EventLog) -> None:
        self._topics = topics

    async def __call__(
        self,
        tenant: str,
        subscription: Subscription,
        kind: Kind,
        since_ms: int,
        why: Outcome | None = None,
        hops: int = 1,
    ) -> None:
        """Append one, unless it is a hop too many. Raises `Transient`."""
        if hops > HOPS_MAX:
            return
        event, now_ms = announcement(tenant, subscription, kind, since_ms, why, hops), _now_ms()
        await keep(self._topics, EVENTS, [encode(tenant, event, now_ms, represent(event))])


def announcement(
    tenant: str,
    subscription: Subscription,
    kind: Kind,
    since_ms: int,
    why: Outcome | None,
    hops: int,
) -> EventJson:
    """The event; since_ms since 1970."""
    announced = Announced(
        kind=kind,
        destination=subscription.destination.arn,
        code=why.code if why else "",
        message=(why.message[:MESSAGE_MAX] if why else "").encode(errors="replace").decode(),
        since=rfc_3339(since_ms),
    )
    payload = PayloadJson(
        base64_encoded_payload_json=pybase64.b64encode(msgspec.json.encode(announced)).decode(),
        key_attributes={"subscription_id": subscription.id, "kind": kind, HOPS: str(hops)},
        operation="UPDATE",
    )
    name = f"{subscription.id}:{kind}:{since_ms // SAME_WITHIN_MS}".encode()
    event = EventJson(
        entity_id=subscription.id,
        entity_name=subscription.name,
        event_payload=payload,
        event_source="APPLICATION",
        event_type="SYSTEM_EVENT",
        id=derived_id(tenant, name, NO_ITEM, subscription.id),
    )
    fill_defaults(event)
    return event


def hops_from(deliveries: Iterable[Delivery]) -> int:
    """The hop count of an announcement about these: of the least among them."""
    return 1 + min(map(_hops, deliveries), default=HOPS_MAX)


def _hops(delivery: Delivery) -> int:
    """How far it is from an event of somebody's; 0 for one of those."""
    if delivery.attributes.get("event_type") != "SYSTEM_EVENT":
        return 0
    try:
        attributes = decode(delivery.body.encode()).event_payload.key_attributes
    except msgspec.DecodeError:
        return 0
    hops = attributes.get(HOPS, "") if isinstance(attributes, dict) else ""
    return int(hops) if _is_count(hops) else 0


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
