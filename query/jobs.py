"""/api/v1/jobs: what is sent again, how far it is; pause, resume and cancel it."""

import time
from typing import Any

import msgspec

from contracts import paths
from contracts.criteria import rfc_3339
from contracts.ids import read_id
from contracts.jobs import Job, Jobs, Wish
from contracts.problems import Problem
from contracts.resending import JobSearch
from contracts.subscriptions import encode_json
from query.criteria import next_query, read_as, read_pairs
from query.job_store import JobStore
from query.search import JSON_TYPE
from service.access.verifier import Verifier
from service.http.asgi import Receive, Scope, Send, respond, single_headers


class ListJobs:
    """Handler of GET /api/v1/jobs."""

    def __init__(self, verifier: Verifier, store: JobStore) -> None:
        self._verifier = verifier
        self._store = store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate, read the table, answer a page, newest first."""
        tenant = await self._verifier.tenant(single_headers(scope))
        pairs = read_pairs(scope["query_string"])
        search = read_as(JobSearch, pairs)
        table = await self._store.current()
        jobs = [each for each in table.of(tenant) if _is_meant(search, each)]
        page, cursor, headers = jobs[: search.limit], None, [JSON_TYPE]
        if len(jobs) > len(page):
            cursor = f"{page[-1].created_at}.{page[-1].id}"
            link = f'<{paths.JOBS}?{next_query(pairs, cursor)}>; rel="next"'
            headers.append((b"link", link.encode("ascii")))
        document = {"jobs": [job_document(table, each) for each in page], "next": cursor}
        await respond(send, 200, headers, encode_json(document))


class GetJob:
    """Handler of GET /api/v1/jobs/{id}."""

    def __init__(self, verifier: Verifier, store: JobStore) -> None:
        self._verifier = verifier
        self._store = store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate, read the table, answer."""
        tenant = await self._verifier.tenant(single_headers(scope))
        job_id = str(read_id(scope["path_params"]["id"], "job"))
        table = await self._store.current()
        document = job_document(table, _existing(table, tenant, job_id))
        await respond(send, 200, (JSON_TYPE,), encode_json(document))


class ChangeJob:
    """Handler of POST /api/v1/jobs/{id}/pause, resume or cancel: what is wished for is `state`."""

    def __init__(self, verifier: Verifier, store: JobStore, state: Wish) -> None:
        self._verifier = verifier
        self._store = store
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate, write what is wished for, answer. A wish that holds already changes nothing."""
        tenant = await self._verifier.tenant(single_headers(scope))
        job_id = str(read_id(scope["path_params"]["id"], "job"))
        async with self._store.changing(tenant):
            job = _existing(self._store.table, tenant, job_id)
            state = self._store.table.standing(job).state
            if state in ("done", "cancelled"):
                detail = f"The job is {state}: it cannot be changed any more. Ask for another one."
                raise Problem(409, detail)
            if job.state != self._state:
                now_ms = time.time_ns() // 1_000_000
                resumed_at = now_ms if self._state == "running" else job.resumed_at
                await self._store.put(
                    msgspec.structs.replace(job, state=self._state, resumed_at=resumed_at)
                )
        table = self._store.table
        document = job_document(table, _existing(table, tenant, job_id))
        await respond(send, 200, (JSON_TYPE,), encode_json(document))


def job_document(table: Jobs, job: Job) -> dict[str, Any]:
    """A `JobShown`."""
    standing, progress = table.standing(job), table.progress(job)
    parts = []
    for partition, count in sorted(job.sizes.items()):
        part = progress.get(partition)
        parts.append(
            {
                "partition": partition,
                "count": count,
                "done": part.next if part else 0,
                "state": part.state if part else "running",
                "sent": part.sent if part else 0,
                "dead": part.dead if part else 0,
                "missing": part.missing if part else 0,
            }
        )
    return {
        "id": job.id,
        "subscription_id": job.subscription_id,
        "kind": job.kind,
        "state": standing.state,
        "count": job.count,
        "sent": standing.sent,
        "dead": standing.dead,
        "missing": standing.missing,
        "per_cent": standing.per_cent,
        "beyond": job.beyond,
        "reason": standing.reason,
        "messages_per_s": job.messages_per_s,
        "asked": job.asked,
        "partitions": parts,
        "created_at": rfc_3339(job.created_at),
        "created_by": job.created_by,
        "updated_at": rfc_3339(standing.updated_at),
    }


def _existing(table: Jobs, tenant: str, job_id: str) -> Job:
    """Raises `Problem` 404, the same for an unknown id and for another tenant's."""
    job = table.get(tenant, job_id)
    if job is None:
        raise Problem(404, "There is no such job.")
    return job


def _is_meant(search: JobSearch, job: Job) -> bool:
    """Whether it is of the subscription, and older than the one that ended the page before."""
    if search.subscription_id not in (None, job.subscription_id):
        return False
    if search.cursor is None:
        return True
    created_at, _, job_id = search.cursor.partition(".")
    return (job.created_at, job.id) < (int(created_at), job_id)
