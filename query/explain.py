"""GET /api/v1/events/{eventId}/explain: for each subscription whether it accepts the event, or why not.

The subscriptions are read from Kafka, as the router reads them; while that cannot be done this is 503
and everything else goes on. They are those of now, not those of when the event was routed.
"""

import asyncio
from typing import Any

from contracts.encoding.wire import decode_event
from contracts.filters import Unmet, View, explain
from contracts.subscription_table import filter_of
from contracts.subscriptions import Subscription, encode_json
from query.events import JSON_TYPE, OfEvent
from query.lookup import Lookup
from query.subscriptions import caught_up
from service.access.verifier import Verifier
from service.http.asgi import Receive, Scope, Send, respond
from service.kafka.follow import SubscriptionsFollower

AT_ONCE = 20
"""Subscriptions that are asked before others have their turn of the loop."""


class ExplainEvent(OfEvent):
    """Handler of GET /api/v1/events/{eventId}/explain."""

    def __init__(self, verifier: Verifier, lookup: Lookup, follower: SubscriptionsFollower) -> None:
        super().__init__(verifier, lookup)
        self._follower = follower

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate, look up, ask every subscription, answer."""
        tenant, event_id, representation = await self._event(scope)
        await caught_up(self._follower)
        view, told = View(decode_event(representation)), []
        for number, subscription in enumerate(self._follower.table.of(tenant)):
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
            told.append(_told(subscription, view))
        matched = sum(each["matches"] for each in told)
        document = {
            "id": str(event_id),
            "matched": matched,
            "of": len(told),
            "detail": _detail(matched, len(told)),
            "subscriptions": told,
        }
        await respond(send, 200, (JSON_TYPE,), encode_json(document))


def _detail(matched: int, of: int) -> str:
    if not of:
        return "The tenant has no subscriptions: the event matched nothing."
    if not matched:
        return f"The event matched nothing: none of {of:,} subscriptions accepts it."
    return f"{matched:,} of {of:,} subscriptions accept the event."


def _told(subscription: Subscription, view: View) -> dict[str, Any]:
    inactive, unmet = subscription.inactive, list[list[Unmet]]()
    if inactive is None:
        try:
            unmet = explain(filter_of(subscription), view)
        except Exception as error:  # as the router: it costs this subscription alone
            inactive = f"its filter cannot be evaluated: {error!r}"[:500]
    return {
        "id": subscription.id,
        "name": getattr(subscription, "name", None),
        "enabled": subscription.enabled,
        "matches": inactive is None and not unmet,
        "inactive": inactive,
        "unmet": [[_clause(each) for each in alternative] for alternative in unmet],
    }


def _clause(unmet: Unmet) -> dict[str, Any]:
    return {
        "field": unmet.field,
        "wanted": unmet.wanted,
        "wanted_of": unmet.wanted_of,
        "present": unmet.present,
        "size": unmet.size,
        "value": unmet.shown,
        "others": unmet.others,
        "apart": unmet.apart,
    }
