"""POST /api/v1/subscriptions/{id}/redrive and .../replay: what is dead, or was received then, is sent again.

Both pick events from ledger and view, name them by their places on the log in a job, and answer 202
with it; the routers do the rest. With `dry_run` nothing is made.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from uuid_utils import uuid7

from contracts import paths
from contracts.clickhouse.resend import Wanted
from contracts.criteria import rfc_3339
from contracts.ids import derived_id, read_id
from contracts.jobs import Job, Jobs, Kind
from contracts.problems import Problem
from contracts.resending import Redrive, Replay
from contracts.subscriptions import Subscription, encode_json
from query.job_store import JobStore
from query.jobs import job_document
from query.resend_rules import (
    last_redrive,
    may_be_ahead,
    require_followed,
    require_room,
    too_many,
)
from query.search import JSON_TYPE, read_request, refusing
from query.selection import Counted, Selection
from query.subscriptions import caught_up
from service.access.verifier import Grant, Verifier
from service.http.asgi import Receive, Scope, Send, respond, single_headers
from service.kafka.follow import SubscriptionsFollower

Asked = TypeVar("Asked", Redrive, Replay)


class Resend(Generic[Asked]):
    """Handler of one of the two: `kind`, the `model` of its body, and how it picks."""

    def __init__(
        self,
        verifier: Verifier,
        follower: SubscriptionsFollower,
        selection: Selection,
        store: JobStore,
        kind: Kind,
        model: type[Asked],
        pick: Callable[[str, Subscription, Asked], Awaitable[Wanted]],
    ) -> None:
        self._verifier = verifier
        self._follower = follower
        self._selection = selection
        self._store = store
        self._kind: Kind = kind
        self._model: type[Asked] = model
        self._pick: Callable[[str, Subscription, Asked], Awaitable[Wanted]] = pick

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate, read what is asked, count; make a job unless that is all, or nothing is there."""
        grant = await self._verifier.grant(single_headers(scope))
        subscription_id = str(read_id(scope["path_params"]["id"], "subscription"))
        asked = await read_request(self._model, scope, receive)
        subscription = await self._subscription(grant.tenant, subscription_id)
        if asked.dry_run:
            await self._require_ledger(await self._store.current(), grant.tenant, subscription)
            wanted, counted = await self._counted(grant.tenant, subscription, asked)
            await self._answer_preview(send, wanted, counted)
            return
        job_id = self._job_id(scope, grant, subscription_id)
        async with self._store.changing(grant.tenant):
            if (made := self._store.table.get(grant.tenant, job_id)) is not None:
                await self._answer_job(send, 200, made)
                return
            require_room(self._store.table, grant.tenant, subscription, self._kind)
            await self._require_ledger(self._store.table, grant.tenant, subscription)
            wanted, counted = await self._counted(grant.tenant, subscription, asked)
            if self._kind == "replay" and counted.beyond:
                raise too_many(counted.all)
            if counted.all:
                job = await self._make(job_id, grant, subscription, asked, wanted, counted)
        if counted.all:
            await self._answer_job(send, 202, job)
        else:
            await self._answer_preview(send, wanted, counted)

    async def _subscription(self, tenant: str, subscription_id: str) -> Subscription:
        await caught_up(self._follower)
        found = self._follower.table.get(tenant, subscription_id)
        if found is None:
            raise Problem(404, "There is no such subscription.")
        return found

    def _job_id(self, scope: Scope, grant: Grant, subscription_id: str) -> str:
        key = single_headers(scope).get(b"idempotency-key")
        if key is None:
            return str(uuid7())
        return derived_id(grant.tenant, key, 0, f"{paths.JOBS}:{self._kind}:{subscription_id}")

    async def _counted(
        self, tenant: str, subscription: Subscription, asked: Asked
    ) -> tuple[Wanted, Counted]:
        with refusing():
            wanted = await self._pick(tenant, subscription, asked)
            return wanted, await self._selection.count(wanted)

    async def _require_ledger(self, table: Jobs, tenant: str, subscription: Subscription) -> None:
        """Raises `Problem` 503 while the ledger lacks what the redrive before has done."""
        last = last_redrive(table, tenant, subscription)
        if self._kind == "replay" or last is None or not may_be_ahead(table, last):
            return
        with refusing():
            require_followed(table, last, await self._selection.told(last))

    async def _make(
        self,
        job_id: str,
        grant: Grant,
        subscription: Subscription,
        asked: Asked,
        wanted: Wanted,
        counted: Counted,
    ) -> Job:
        with refusing():
            positions = await self._selection.places(wanted)
        job = Job(
            id=job_id,
            tenant=grant.tenant,
            subscription_id=subscription.id,
            kind=self._kind,
            state="running",
            created_at=time.time_ns() // 1_000_000,
            created_by=grant.subject,
            positions=positions,
            messages_per_s=asked.messages_per_s,
            asked=_texts(asked.asked()),
            beyond=counted.beyond,
        )
        await self._store.put(job)
        return job

    async def _answer_preview(self, send: Send, wanted: Wanted, counted: Counted) -> None:
        with refusing():
            document = await self._selection.preview(self._kind, wanted, counted)
        await respond(send, 200, (JSON_TYPE,), encode_json(document))

    async def _answer_job(self, send: Send, status: int, job: Job) -> None:
        location = (b"location", paths.JOB.format(id=job.id).encode())
        document = job_document(self._store.table, job)
        await respond(send, status, (JSON_TYPE, location), encode_json(document))


def _texts(asked: dict[str, Any]) -> dict[str, str]:
    """What was asked for as a job keeps it."""
    times = {name: rfc_3339(asked[name]) for name in ("from", "to") if asked.get(name) is not None}
    given = {name: value for name, value in asked.items() if value is not None} | times
    return {
        name: value if isinstance(value, str) else encode_json(value).decode()
        for name, value in given.items()
    }
