"""GET /api/v1/subscriptions/{id}/deliveries and .../health: what a subscription got, and how its queue does.

Both know a subscription that is deleted for as long as the ledger does.
"""

from typing import Any

from contracts import paths
from contracts.clickhouse.ledger import StoredAttempt, StoredHealth
from contracts.criteria import Criteria, rfc_3339
from contracts.ids import read_id
from contracts.ledger import DeliveryCriteria, DeliverySearch
from contracts.problems import Problem
from contracts.subscriptions import Subscription, encode_json
from query.advice import advice
from query.criteria import next_query, parse_as, read_pairs, refused
from query.cursor import decode, encode
from query.deliveries import Deliveries
from query.events import JSON_TYPE
from query.search import refusing, rest_of
from query.subscriptions import caught_up
from service.access.verifier import Verifier
from service.http.asgi import Receive, Scope, Send, respond, single_headers
from service.kafka.follow import SubscriptionsFollower


class _OfSubscription:
    def __init__(
        self, verifier: Verifier, follower: SubscriptionsFollower, deliveries: Deliveries
    ) -> None:
        self._verifier = verifier
        self._follower = follower
        self._deliveries = deliveries

    async def _subscription(self, scope: Scope) -> tuple[str, str, Subscription | None]:
        """Tenant, id, and the subscription where it is there."""
        tenant = await self._verifier.tenant(single_headers(scope))
        subscription_id = str(read_id(scope["path_params"]["id"], "subscription"))
        await caught_up(self._follower)
        return tenant, subscription_id, self._follower.table.get(tenant, subscription_id)

    async def _health(
        self, tenant: str, subscription_id: str, known: Subscription | None
    ) -> StoredHealth | None:
        """What the ledger says; 404 when nobody knows of the subscription."""
        with refusing():
            found = await self._deliveries.health(tenant, subscription_id)
        if found is None and known is None:
            raise Problem(404, "There is no such subscription.")
        return found


class GetDeliveries(_OfSubscription):
    """Handler of GET /api/v1/subscriptions/{id}/deliveries."""

    def __init__(
        self,
        verifier: Verifier,
        follower: SubscriptionsFollower,
        deliveries: Deliveries,
        days: float,
    ) -> None:
        super().__init__(verifier, follower, deliveries)
        self._days = days

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate, read the criteria, find a page, answer."""
        tenant, subscription_id, known = await self._subscription(scope)
        pairs = read_pairs(scope["query_string"])
        search = parse_as(DeliverySearch, pairs)
        if search.state and search.attempts:
            raise refused([{"pointer": "/state", "detail": "not together with `attempts`"}])
        asked = search.model_dump_json(include=set(DeliveryCriteria.model_fields)).encode()
        of = (tenant, Criteria(), subscription_id.encode() + asked)
        if search.cursor is not None:
            rest = decode(search.cursor, *of)
        else:
            rest = rest_of(search.from_, search.to, self._days)
        if known is None:
            await self._health(tenant, subscription_id, known)
        with refusing():
            page = await self._deliveries.page(tenant, subscription_id, search, rest, search.limit)
        cursor = encode(page.rest, *of) if page.rest else None
        headers = [JSON_TYPE]
        if cursor:
            path = paths.DELIVERIES.format(id=subscription_id)
            link = f'<{path}?{next_query(pairs, cursor)}>; rel="next"'
            headers.append((b"link", link.encode("ascii")))
        shown = {
            "deliveries": [_delivery(each, latest=not search.attempts) for each in page.attempts],
            "next": cursor,
        }
        await respond(send, 200, headers, encode_json(shown))


class GetHealth(_OfSubscription):
    """Handler of GET /api/v1/subscriptions/{id}/health."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate, ask the ledger, answer."""
        tenant, subscription_id, known = await self._subscription(scope)
        found = await self._health(tenant, subscription_id, known)
        destination = getattr(known, "destination", None)
        arn = destination.arn if destination is not None else found and found.destination
        shown = {"subscription_id": subscription_id, "destination": arn} | _health(found)
        await respond(send, 200, (JSON_TYPE,), encode_json(shown))


def _delivery(attempt: StoredAttempt, *, latest: bool) -> dict[str, Any]:
    cancelled = {
        "partition": attempt.event_partition,
        "offset": attempt.event_offset,
        "until": attempt.until_offset,
    }
    return {
        "subscription_id": attempt.subscription,
        "event_id": None if attempt.is_range else attempt.event,
        "state": attempt.shown if latest else None,
        "attempt": attempt.document(),
        "destination": attempt.destination,
        "range": cancelled if attempt.is_range else None,
    }


def _health(found: StoredHealth | None) -> dict[str, Any]:
    """What the ledger says; one that has no record has had no trouble."""
    if found is None:
        found = StoredHealth("", "closed", "", "", 0, 0, 0, 0, 0, 0, None, None, None, None)
    error = None
    if found.last_error_ms is not None:
        error = {
            "at": rfc_3339(found.last_error_ms),
            "code": found.last_error_code,
            "message": found.last_error_message,
            "advice": advice(found.last_error_code),
        }
    return {
        "breaker": "open" if found.breaker == "opened" else "closed",
        "breaker_since": _time(found.breaker_since_ms),
        "last_error": error,
        "last_hour": {
            "delivered": found.delivered_last_hour,
            "failed": found.failed_last_hour,
            "dead": found.dead_last_hour,
        },
        "waiting": found.waiting,
        "behind": {"records": found.behind_records, "since": _time(found.behind_since_ms)},
        "dead": found.dead,
        "oldest_undelivered": _time(found.oldest_ms),
    }


def _time(ms: int | None) -> str | None:
    return None if ms is None else rfc_3339(ms)
