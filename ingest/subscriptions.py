"""/api/v1/subscriptions: create, list, read, replace and delete, all through the log.

The compacted topic is the store; this service answers from a table that follows it, and waits for
its own change to come back before it answers, so that a client reads what it wrote.
"""

import json

from uuid_utils import uuid7

from contracts.encoding.parse import parse
from contracts.encoding.recordbatch import encode_headers, new_record
from contracts.ids import read_id
from contracts.problems import Problem, unavailable
from contracts.subscriptions import Subscription, SubscriptionDraft, create, subscription_key
from contracts.topics import SUBSCRIPTIONS
from service.access.verifier import Verifier
from service.http.asgi import (
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
from service.kafka.eventlog import EventLog
from service.kafka.follow import SubscriptionsFollower
from service.kafka.partition import Unaccepted, Unacknowledged
from service.regions import require_region

PATH = "/api/v1/subscriptions"
BODY_BYTES_MAX = 64 * 1024
FOLLOW_TIMEOUT_S = 5.0
PER_TENANT_MAX = 1000
JSON_TYPE = (b"content-type", b"application/json")


class SubscriptionResource:
    """Handlers of the subscription resource."""

    def __init__(self, verifier: Verifier, log: EventLog, follower: SubscriptionsFollower) -> None:
        self._verifier = verifier
        self._log = log
        self._follower = follower

    def resources(self) -> Resources:
        """The handlers by path and method."""
        return {
            PATH: {"POST": self.post, "GET": self.list},
            PATH + "/{id}": {"GET": self.get, "PUT": self.put, "DELETE": self.delete},
        }

    async def post(self, scope: Scope, receive: Receive, send: Send) -> None:
        """201 with the stored subscription."""
        tenant, draft = await self._read(scope, receive)
        if len(self._follower.table.of(tenant)) >= PER_TENANT_MAX:
            raise Problem(405, f"A tenant has at most {PER_TENANT_MAX:,} subscriptions.")
        subscription = create(draft, str(uuid7()))
        await self._store(tenant, subscription.id, subscription.represent())
        location = (b"location", f"{PATH}/{subscription.id}".encode())
        await respond(send, 201, (JSON_TYPE, location), subscription.represent())

    async def list(self, scope: Scope, receive: Receive, send: Send) -> None:
        """200 with all subscriptions of the tenant, oldest first."""
        tenant = await self._tenant(scope)
        items = [json.loads(each.represent()) for each in self._follower.table.of(tenant)]
        await respond(send, 200, (JSON_TYPE,), json.dumps({"items": items}).encode())

    async def get(self, scope: Scope, receive: Receive, send: Send) -> None:
        """200 with one subscription."""
        subscription = self._existing(await self._tenant(scope), scope)
        await respond(send, 200, (JSON_TYPE,), subscription.represent())

    async def put(self, scope: Scope, receive: Receive, send: Send) -> None:
        """200 with the subscription as it replaces the old one."""
        tenant, draft = await self._read(scope, receive)
        subscription = create(draft, self._existing(tenant, scope).id)
        await self._store(tenant, subscription.id, subscription.represent())
        await respond(send, 200, (JSON_TYPE,), subscription.represent())

    async def delete(self, scope: Scope, receive: Receive, send: Send) -> None:
        """204; events accepted from now on are no longer delivered to it."""
        tenant = await self._tenant(scope)
        await self._store(tenant, self._existing(tenant, scope).id, None)
        await respond(send, 204, ())

    async def _tenant(self, scope: Scope) -> str:
        tenant = await self._verifier.tenant(single_headers(scope))
        if not self._follower.ready:
            raise unavailable("The subscriptions have not been read from Kafka yet.")
        return tenant

    async def _read(self, scope: Scope, receive: Receive) -> tuple[str, SubscriptionDraft]:
        tenant = await self._tenant(scope)
        headers = single_headers(scope)
        require_json(headers)
        declared_bytes(headers, BODY_BYTES_MAX)
        draft = parse(SubscriptionDraft, await read_body(receive, BODY_BYTES_MAX))
        require_region(draft.destination)
        return tenant, draft

    def _existing(self, tenant: str, scope: Scope) -> Subscription:
        """Raises `Problem` 404, the same for an unknown id and for another tenant's."""
        subscription_id = str(read_id(scope["path_params"]["id"], "subscription"))
        subscription = self._follower.table.get(tenant, subscription_id)
        if subscription is None:
            raise Problem(404, "There is no such subscription.")
        return subscription

    async def _store(self, tenant: str, subscription_id: str, value: bytes | None) -> None:
        """Append, and wait until the table has followed. Raises `Problem` 503."""
        headers = encode_headers([("ce_tenant", tenant.encode())])
        key = subscription_key(tenant, subscription_id)
        received_ms = uuid7().timestamp
        try:
            offset = await self._log.append(
                SUBSCRIPTIONS, new_record(key, value, headers, received_ms)
            )
        except (Unaccepted, Unacknowledged) as error:
            raise unavailable(f"The change is not confirmed: {error}. Try again.") from None
        if not await self._follower.wait_for(offset, FOLLOW_TIMEOUT_S):
            raise unavailable("The change is stored and not visible yet.")
