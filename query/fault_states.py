"""PUT /api/v1/faults/{fingerprint}/state, and what states groups of failures are in."""

import asyncio
import contextlib
import re
import time
import uuid
from collections.abc import Collection

from uuid_utils import uuid7

from contracts.clickhouse.fault_states import (
    Saying,
    Since,
    read_said,
    read_since,
    select_said,
    select_since,
)
from contracts.criteria import FINGERPRINT_PATTERN, rfc_3339
from contracts.encoding.codec import represent
from contracts.encoding.parse import parse
from contracts.encoding.wire import encode
from contracts.fault_states import FaultState, FaultStateDraft, said_event
from contracts.problems import Problem, unavailable
from contracts.topics import EVENTS
from query.bounded import BoundedQueries
from query.events import JSON_TYPE
from query.scan import Stopped
from query.search import BODY_BYTES_MAX
from query.store import EventStore, TooManyLookups
from service.access.verifier import Verifier
from service.clickhouse import ClickHouseFailed
from service.http.asgi import (
    Receive,
    Scope,
    Send,
    declared_bytes,
    read_body,
    require_json,
    respond,
    single_headers,
)
from service.kafka.eventlog import EventLog
from service.kafka.partition import Unaccepted, Unacknowledged

SEEN_TIMEOUT_S = 5.0
POLL_S = 0.05
NOTHING_SAID = FaultState(
    state="open",
    said="open",
    at=None,
    by=None,
    note="",
    until_count=None,
    since=0,
    reopened_at=None,
)


class FaultStates:
    """Reads them. Raises as `BoundedQueries` does."""

    def __init__(self, ask: BoundedQueries, database: str) -> None:
        self._ask = ask
        self._database = database

    async def of(
        self, tenant: str, fingerprints: Collection[str], from_ms: int
    ) -> dict[str, FaultState]:
        """The states of these groups, each of which has a failure since `from_ms`.

        So one that was resolved earlier has opened again since: no older failures are read for that.
        """
        if not fingerprints:
            return {}
        query = select_said(self._database, tenant, fingerprints)
        said = read_said(await self._ask(query, is_bounded=False))
        resolved = {
            name: max(each.at_ms, from_ms - 1)
            for name, each in said.items()
            if each.state == "resolved"
        }
        quiet = {name: each.at_ms for name, each in said.items() if each.state == "quiet"}
        since: dict[str, Since | None] = dict.fromkeys(said, Since())
        since |= await self._since(tenant, resolved)
        try:
            since |= await self._since(tenant, quiet)
        except Stopped:  # it was said long ago: all else is told
            since |= dict.fromkeys(quiet)
        return dict.fromkeys(fingerprints, NOTHING_SAID) | {
            name: state(saying, since[name]) for name, saying in said.items()
        }

    async def _since(self, tenant: str, times_ms: dict[str, int]) -> dict[str, Since]:
        """What came of these groups, each after its time; not those of which nothing came."""
        if not times_ms:
            return {}
        ask = self._ask.over(min(times_ms.values()), time.time_ns() // 1_000_000)
        return read_since(await ask(select_since(self._database, tenant, times_ms)))


def state(saying: Saying, since: Since | None) -> FaultState:
    """What holds of a saying by now; None: what came since cannot be counted."""
    came = since or Since()
    reopened = saying.state == "resolved" and came.count > 0
    grown = saying.state == "quiet" and came.count > saying.until_count
    return FaultState(
        state="open" if reopened or grown else saying.state,
        said=saying.state,
        at=rfc_3339(saying.at_ms),
        by=saying.by or None,
        note=saying.note,
        until_count=saying.until_count if saying.state == "quiet" else None,
        since=None if since is None else since.count,
        reopened_at=rfc_3339(came.first_ms) if reopened else None,
    )


class PutFaultState:
    """Handler of PUT /api/v1/faults/{fingerprint}/state."""

    def __init__(self, verifier: Verifier, log: EventLog, store: EventStore) -> None:
        self._verifier = verifier
        self._log = log
        self._store = store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate, read, append the saying, wait for the view within a bound, answer."""
        headers = single_headers(scope)
        grant = await self._verifier.grant(headers)
        fingerprint = scope["path_params"]["fingerprint"]
        if not re.fullmatch(FINGERPRINT_PATTERN, fingerprint):
            raise Problem(404, "There is no such group of failures.")
        require_json(headers)
        declared_bytes(headers, BODY_BYTES_MAX)
        draft = parse(FaultStateDraft, await read_body(receive, BODY_BYTES_MAX))
        made = uuid7()
        event = said_event(str(made), fingerprint, draft, grant.subject)
        record = encode(grant.tenant, event, made.timestamp, represent(event))
        try:
            await self._log.append(EVENTS, record)  # its queue keeps the deadline
        except Unaccepted as error:
            raise unavailable(f"Nothing was changed: {error}. Try again.") from None
        except Unacknowledged as error:
            raise unavailable(
                f"Whether the state was changed is unknown: {error}. Try again: a repeat does no harm."
            ) from None
        await self._seen(grant.tenant, uuid.UUID(str(made)))
        saying = Saying(
            draft.state, grant.subject, draft.note, draft.until_count or 0, made.timestamp
        )
        answer = state(saying, Since()).model_dump_json().encode()
        await respond(send, 200, (JSON_TYPE,), answer)

    async def _seen(self, tenant: str, event_id: uuid.UUID) -> None:
        """Return when the view has the event, so that a reading shows it, or the time is up."""
        with contextlib.suppress(TimeoutError, ClickHouseFailed, TooManyLookups):
            async with asyncio.timeout(SEEN_TIMEOUT_S):
                while await self._store.get(tenant, event_id) is None:
                    await asyncio.sleep(POLL_S)
