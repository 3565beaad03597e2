"""/api/v1/subscriptions/{id}/confirm and /check, and /api/v1/delivery-identity: proving whose a queue is."""

import json
from typing import Any

from contracts import paths
from contracts.encoding.parse import parse
from contracts.ownership import Ownership
from contracts.problems import Problem
from contracts.proving import CheckAnswer, CheckRequest, Confirmation, identity
from contracts.subscriptions import create
from ingest.admission import Rates
from ingest.proofs import Proofs, refused
from ingest.store import SubscriptionStore
from ingest.subscriptions import JSON_TYPE, answer, existing, granted, read_document
from service.access.verifier import Grant, Verifier
from service.http.asgi import Receive, Resources, Scope, Send, respond
from service.kafka.follow import SubscriptionsFollower


class ProvingResource:
    """Its handlers; each request pays as an event does. `principal` is who we are at AWS."""

    def __init__(
        self,
        verifier: Verifier,
        store: SubscriptionStore,
        follower: SubscriptionsFollower,
        rates: Rates,
        proofs: Proofs,
        principal: str,
    ) -> None:
        self._verifier = verifier
        self._store = store
        self._follower = follower
        self._rates = rates
        self._proofs = proofs
        self._principal = principal

    def resources(self) -> Resources:
        """The handlers by path and method."""
        return {
            paths.CONFIRMATION: {"POST": self.confirm},
            paths.CHECK: {"POST": self.check},
            paths.IDENTITY: {"GET": self.identity},
        }

    async def confirm(self, scope: Scope, receive: Receive, send: Send) -> None:
        """200 with the subscription, one queue of which is proven by now."""
        grant = await self._admitted(scope)
        given = parse(Confirmation, await read_document(scope, receive)).token
        async with self._store.changing(grant.tenant):
            before = existing(self._follower.table, grant, scope)
            try:
                ownership = self._proofs.confirmed(grant.tenant, before, given)
            except Problem as wrong:  # one guess at a time, and a pause behind each
                await self._rates.refuse(wrong)
                raise
            after = create(before, before.id, ownership, before.started)
            await self._store.change(grant, "confirm", before, after)
        await answer(send, 200, after)

    async def check(self, scope: Scope, receive: Receive, send: Send) -> None:
        """200 with what is found of the subscription's queues; of those alone that are proven."""
        grant = await self._admitted(scope)
        asked = parse(CheckRequest, await read_document(scope, receive))
        async with self._store.changing(grant.tenant):  # one of a tenant at a time
            subscription = existing(self._follower.table, grant, scope)
            waiting = (subscription.ownership or Ownership()).waiting
            if waiting:
                detail = "is not confirmed yet, and nothing is told of others' queues"
                raise refused("ownership-pending", waiting[0], detail)
            found: dict[str, list[dict[str, Any]]] = {}
            for pointer, queue in subscription.queues.items():
                told = await self._proofs.look(grant.tenant, queue, asked.send_test)
                found[pointer] = [each._asdict() for each in told]
        await respond(send, 200, (JSON_TYPE,), CheckAnswer.of(found).model_dump_json().encode())

    async def identity(self, scope: Scope, receive: Receive, send: Send) -> None:
        """200 with the tenant's external id, and the policy that lets us assume a role of theirs."""
        grant = await self._admitted(scope)
        document = identity(self._principal, self._proofs.external_id(grant.tenant))
        await respond(send, 200, (JSON_TYPE,), json.dumps(document).encode())

    async def _admitted(self, scope: Scope) -> Grant:
        grant = await granted(self._verifier, self._follower, scope)
        if refusal := self._rates.admit(grant.tenant, 0):
            await self._rates.refuse(refusal)
        return grant
