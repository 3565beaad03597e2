"""GET /api/v1/events/{eventId}/deliveries: where the event went, how often it was tried, what waits.

What was tried is in the ledger. What accepts the event by now and was not tried is waiting; a
subscription that was made after the event was received never gets it, as far as the ids tell.
"""

import uuid
from typing import Any

from contracts.clickhouse.ledger import StoredAttempt
from contracts.encoding.wire import decode_event
from contracts.filters import View
from contracts.ids import made_at_ms
from contracts.subscriptions import encode_json
from query.deliveries import Deliveries
from query.events import JSON_TYPE, OfEvent
from query.lookup import Lookup
from query.search import refusing
from query.subscriptions import caught_up
from service.access.verifier import Verifier
from service.http.asgi import Receive, Scope, Send, respond
from service.kafka.follow import SubscriptionsFollower


class GetEventDeliveries(OfEvent):
    """Handler of GET /api/v1/events/{eventId}/deliveries."""

    def __init__(
        self,
        verifier: Verifier,
        lookup: Lookup,
        follower: SubscriptionsFollower,
        deliveries: Deliveries,
    ) -> None:
        super().__init__(verifier, lookup)
        self._follower = follower
        self._deliveries = deliveries

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate, look up, ask the ledger and the subscriptions, answer."""
        tenant, event_id, representation = await self._event(scope)
        await caught_up(self._follower)
        with refusing():
            attempts = await self._deliveries.of_event(tenant, str(event_id))
        matching = self._follower.table.matching(tenant, View(decode_event(representation)))
        accepting = {each for each in matching if isinstance(each, str) and _before(event_id, each)}
        by_id = _by_subscription(attempts, accepting)
        shown = [self._shown(tenant, each, its) for each, its in sorted(by_id.items())]
        document = {"id": str(event_id), "detail": _detail(shown), "deliveries": shown}
        await respond(send, 200, (JSON_TYPE,), encode_json(document))

    def _shown(self, tenant: str, subscription_id: str, its: list[StoredAttempt]) -> dict[str, Any]:
        known = self._follower.table.get(tenant, subscription_id)
        return {
            "subscription_id": subscription_id,
            "name": getattr(known, "name", None),
            "state": _state(its),
            "attempts": [each.document() for each in its if not each.is_range],
        }


def _before(event_id: uuid.UUID, subscription_id: str) -> bool:
    """Whether the subscription may have been there when the event came: no later id tells otherwise."""
    received_ms, made_ms = made_at_ms(event_id), made_at_ms(uuid.UUID(subscription_id))
    return received_ms is None or made_ms is None or made_ms <= received_ms


def _by_subscription(
    attempts: list[StoredAttempt], accepting: set[str]
) -> dict[str, list[StoredAttempt]]:
    """The attempts of each, with the ranges that may have ended it; the accepting ones too.

    A range alone says nothing: the subscription need not have accepted the event.
    """
    tried = {each.subscription for each in attempts if not each.is_range}
    found: dict[str, list[StoredAttempt]] = {name: [] for name in tried | accepting}
    for each in attempts:
        if each.subscription in found:
            found[each.subscription].append(each)
    return found


def _state(its: list[StoredAttempt]) -> str:
    """By the newest attempt; a range ends what had failed before it, or was not tried."""
    own = [each for each in its if not each.is_range]
    if own and own[-1].state != "failed":
        return own[-1].state
    since_ms = own[-1].at_ms if own else 0
    ended = [each.state for each in its if each.is_range and each.at_ms >= since_ms]
    return ended[-1] if ended else "waiting"


def _detail(shown: list[dict[str, Any]]) -> str:
    if not shown:
        return "The event went nowhere: no subscription accepts it. Why not says .../explain."
    count = len(shown)
    states = [each["state"] for each in shown]
    told = ", ".join(f"{states.count(state):,} {state}" for state in sorted(set(states)))
    return f"{count:,} subscription{'s' if count > 1 else ''}: {told}."
