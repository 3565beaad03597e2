"""/api/v1/subscriptions: create, list, read, replace, patch and delete, all through the log.

The compacted topic is the store; this service answers from a table that follows it, and waits for
its own change to come back before it answers, so that a client reads what it wrote. Before a change
the table is brought to the topic's end, so that If-Match is judged by what others have just written.
"""

from functools import partial

from uuid_utils import uuid7

from contracts import paths
from contracts.drafts import DEAD_LETTER_ARN, read_draft, read_patch, read_replacement
from contracts.ids import derived_id, read_id
from contracts.problems import Problem, unavailable
from contracts.subscription_table import Subscriptions
from contracts.subscriptions import Subscription, SubscriptionDraft, create, started_by
from ingest.conditions import etag_of, require_match
from ingest.pages import page_of, read_missed
from ingest.proofs import Proofs
from ingest.store import SubscriptionStore
from service.access.verifier import Grant, Verifier
from service.http.asgi import (
    JSON,
    Receive,
    Resources,
    Scope,
    Send,
    declared_bytes,
    read_body,
    require_json,
    respond,
    single_headers,
)
from service.kafka.follow import SubscriptionsFollower
from service.regions import require_region

BODY_BYTES_MAX = 64 * 1024
JSON_TYPE = (b"content-type", b"application/json")
MERGE_PATCH = b"application/merge-patch+json"


class SubscriptionResource:
    """Handlers of the subscription resource; a tenant has at most `per_tenant_max`."""

    def __init__(
        self,
        verifier: Verifier,
        store: SubscriptionStore,
        follower: SubscriptionsFollower,
        per_tenant_max: int,
        proofs: Proofs,
    ) -> None:
        self._verifier = verifier
        self._store = store
        self._follower = follower
        self._per_tenant_max = per_tenant_max
        self._proofs = proofs

    def resources(self) -> Resources:
        """The handlers by path and method."""
        return {
            paths.SUBSCRIPTIONS: {"POST": self.post, "GET": self.list},
            paths.SUBSCRIPTION: {
                "GET": self.get,
                "PUT": self.put,
                "PATCH": self.patch,
                "DELETE": self.delete,
            },
            paths.CHANGES: {"GET": self.changes},
        }

    async def post(self, scope: Scope, receive: Receive, send: Send) -> None:
        """201 with the stored subscription; 200 where the same Idempotency-Key has made it already."""
        grant = await self._grant(scope)
        body = await read_document(scope, receive)
        draft = _judged(read_draft(body))
        name = single_headers(scope).get(b"idempotency-key")
        new_id = (
            str(uuid7()) if name is None else derived_id(grant.tenant, name, 0, paths.SUBSCRIPTIONS)
        )
        async with self._store.changing(grant.tenant):
            table = self._table
            if (made := table.get(grant.tenant, new_id)) is not None:
                await answer(send, 200, made)
                return
            if (count := table.count(grant.tenant)) >= self._per_tenant_max:
                raise _too_many(count, self._per_tenant_max)
            ownership = await self._proofs.of(grant.tenant, draft)
            subscription = create(draft, new_id, ownership)
            await self._store.change(grant, "create", None, subscription)
        await answer(
            send, 201, subscription, (b"location", f"{paths.SUBSCRIPTIONS}/{new_id}".encode())
        )

    async def list(self, scope: Scope, receive: Receive, send: Send) -> None:
        """200 with a page of the tenant's subscriptions, in the order of their ids."""
        tenant = (await self._grant(scope)).tenant
        query = scope.get("query_string", b"")
        body, link = page_of(partial(self._table.of, tenant), query, paths.SUBSCRIPTIONS)
        headers = [JSON_TYPE] if link is None else [JSON_TYPE, (b"link", link)]
        await respond(send, 200, headers, body)

    async def get(self, scope: Scope, receive: Receive, send: Send) -> None:
        """200 with one subscription and its ETag."""
        grant = await self._grant(scope)
        await answer(send, 200, existing(self._table, grant, scope))

    async def put(self, scope: Scope, receive: Receive, send: Send) -> None:
        """200 with the subscription as it replaces the old one."""
        grant, missed = await self._grant(scope), read_missed(scope.get("query_string", b""))
        draft = _judged(read_replacement(await read_document(scope, receive)))
        async with self._store.changing(grant.tenant):
            before = self._unchanged(grant, scope)
            ownership = await self._proofs.of(grant.tenant, draft, before)
            started = started_by(before, draft, missed)
            after = create(draft, before.id, ownership, started)
            await self._store.change(grant, "replace", before, after)
        await answer(send, 200, after)

    async def patch(self, scope: Scope, receive: Receive, send: Send) -> None:
        """200 with the subscription as a JSON merge patch (RFC 7396) leaves it."""
        grant, missed = await self._grant(scope), read_missed(scope.get("query_string", b""))
        body = await read_document(scope, receive, MERGE_PATCH, "Accept-Patch")
        async with self._store.changing(grant.tenant):
            before = self._unchanged(grant, scope)
            draft = _judged(read_patch(body, before))
            ownership = await self._proofs.of(grant.tenant, draft, before)
            started = started_by(before, draft, missed)
            after = create(draft, before.id, ownership, started)
            await self._store.change(grant, "patch", before, after)
        await answer(send, 200, after)

    async def delete(self, scope: Scope, receive: Receive, send: Send) -> None:
        """204; events accepted from now on are no longer delivered to it."""
        grant = await self._grant(scope)
        async with self._store.changing(grant.tenant):
            before = self._unchanged(grant, scope)
            await self._store.change(grant, "delete", before, None)
        await respond(send, 204, ())

    async def changes(self, scope: Scope, receive: Receive, send: Send) -> None:
        """200 with who changed it and when, newest first; also of one that was deleted."""
        grant = await self._grant(scope)
        table, subscription_id = self._table, _id(scope)
        found = table.changes.of(grant.tenant, subscription_id) if table.changes else []
        if not found:
            existing(table, grant, scope)
        await respond(send, 200, (JSON_TYPE,), b'{"items":[%b]}' % b",".join(found))

    @property
    def _table(self) -> Subscriptions:
        return self._follower.table

    async def _grant(self, scope: Scope) -> Grant:
        return await granted(self._verifier, self._follower, scope)

    def _unchanged(self, grant: Grant, scope: Scope) -> Subscription:
        """The subscription to change. Raises `Problem` 404, or 412 where If-Match names another."""
        subscription = existing(self._table, grant, scope)
        require_match(single_headers(scope).get(b"if-match"), etag_of(subscription))
        return subscription


async def granted(verifier: Verifier, follower: SubscriptionsFollower, scope: Scope) -> Grant:
    """Who asks. Raises `Problem`, 503 too while the subscriptions are not known."""
    grant = await verifier.grant(single_headers(scope))
    if not follower.ready:
        raise unavailable("The subscriptions have not been read from Kafka yet.")
    return grant


async def read_document(
    scope: Scope, receive: Receive, media_type: bytes = JSON, accept: str = "Accept-Post"
) -> bytes:
    """The body. Raises `Problem` 413 or 415."""
    headers = single_headers(scope)
    require_json(headers, media_type, accept)
    declared_bytes(headers, BODY_BYTES_MAX)
    return await read_body(receive, BODY_BYTES_MAX)


def _judged(draft: SubscriptionDraft) -> SubscriptionDraft:
    require_region(draft.destination, "/destination/arn")
    if draft.delivery.dead_letter is not None:
        require_region(draft.delivery.dead_letter, DEAD_LETTER_ARN)
    return draft


def _id(scope: Scope) -> str:
    return str(read_id(scope["path_params"]["id"], "subscription"))


def existing(table: Subscriptions, grant: Grant, scope: Scope) -> Subscription:
    """Raises `Problem` 404, the same for an unknown id and for another tenant's."""
    subscription = table.get(grant.tenant, _id(scope))
    if subscription is None:
        raise Problem(404, "There is no such subscription.")
    return subscription


def _too_many(count: int, limit: int) -> Problem:
    return Problem(
        405,
        f"The tenant has {count:,} subscriptions; the limit is {limit:,}. Delete one first.",
        extra={"size": count, "limit": limit},
    )


async def answer(
    send: Send, status: int, subscription: Subscription, *more: tuple[bytes, bytes]
) -> None:
    """Answer with the subscription and its ETag."""
    headers = (JSON_TYPE, (b"etag", etag_of(subscription)), *more)
    await respond(send, status, headers, subscription.represent())
