"""GET /api/v1/faults and /api/v1/faults/{fingerprint}: failures by kind, and what sets one kind apart."""

import re
import uuid

from contracts import paths
from contracts.clickhouse.fault_features import read_features, select_features, select_size
from contracts.clickhouse.faults import Groups, Place, StoredGroup, read_entities, read_groups
from contracts.clickhouse.search import Position
from contracts.criteria import FINGERPRINT_PATTERN, rfc_3339
from contracts.fault_states import FaultState
from contracts.faults import (
    Compared,
    EntityCount,
    FaultCriteria,
    FaultDetail,
    FaultGroup,
    FaultPage,
    FaultSearch,
    OperationCount,
)
from contracts.intervals import BUCKETS_MAX, Span, span
from contracts.problems import Problem
from query.bounded import BoundedQueries
from query.counting import counting, span_of
from query.criteria import next_query, parse_as, read_pairs
from query.cursor import Rest, decode, encode, refused
from query.differences import differences
from query.events import JSON_TYPE
from query.fault_states import FaultStates
from service.access.verifier import Verifier
from service.http.asgi import Receive, Scope, Send, respond, single_headers


class _Faults:
    def __init__(self, verifier: Verifier, ask: BoundedQueries, database: str, days: float) -> None:
        self._verifier = verifier
        self._ask = ask
        self._database = database
        self._days = days
        self._states = FaultStates(ask, database)


class ListFaults(_Faults):
    """Handler of GET /api/v1/faults."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate, read the criteria, find a page of groups, answer."""
        tenant = await self._verifier.tenant(single_headers(scope))
        pairs = read_pairs(scope["query_string"])
        search = parse_as(FaultSearch, pairs)
        of = (tenant, search, f"{search.order} {search.status}".encode())
        if search.cursor is None:
            asked, after = span_of(search.begins_ms, search.to, self._days), Place()
        else:
            asked, after = _place(search.cursor, decode(search.cursor, *of))
        groups = Groups(self._database, tenant, search, asked)
        with counting():
            ask = self._ask.over(asked.from_ms, asked.to_ms)
            found = read_groups(await ask(groups.page(search.order, after, search.limit + 1)))
            shown, cursor, headers = found[: search.limit], None, [JSON_TYPE]
            states = await self._states.of(
                tenant, [each.fingerprint for each in shown], asked.from_ms
            )
        if len(found) > len(shown):
            cursor = encode(_rest(asked, shown[-1]), *of)
            link = f'<{paths.FAULTS}?{next_query(pairs, cursor)}>; rel="next"'
            headers.append((b"link", link.encode("ascii")))
        page = FaultPage.model_construct(
            from_=rfc_3339(asked.from_ms),
            to=rfc_3339(asked.to_ms),
            interval=asked.interval,
            count=found[0].all_count if found else 0,
            groups=found[0].all_groups if found else 0,
            faults=[_group(each, asked, states[each.fingerprint]) for each in shown],
            next=cursor,
        )
        await respond(send, 200, headers, page.model_dump_json(by_alias=True).encode())


class GetFault(_Faults):
    """Handler of GET /api/v1/faults/{fingerprint}."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate, find the group, compare its events to others, answer."""
        tenant = await self._verifier.tenant(single_headers(scope))
        fingerprint = scope["path_params"]["fingerprint"]
        search = parse_as(FaultCriteria, read_pairs(scope["query_string"]))
        asked = span_of(search.begins_ms, search.to, self._days)
        if not re.fullmatch(FINGERPRINT_PATTERN, fingerprint):
            raise _no_such_group()
        groups = Groups(self._database, tenant, search, asked, fingerprint)
        with counting():
            ask = self._ask.over(asked.from_ms, asked.to_ms)
            found = read_groups(await ask(groups.page("count", Place(), 1)))
            if not found:
                raise _no_such_group()
            states = await self._states.of(tenant, [fingerprint], asked.from_ms)
            entities = read_entities(await ask(groups.entities()))
            latest = (await ask(groups.latest(found[0]))).decode("ascii").split()
            of, count = (self._database, tenant, search, asked), found[0].count
            others = max(0, int(await ask(select_size(*of))) - count)
            query = select_features(*of, fingerprint, count, others)
            features = read_features(await ask(query))
        compared = next((each for each in features if not each.field), None)
        group, rest = (compared.in_group, compared.in_rest) if compared else (0, 0)
        detail = FaultDetail.model_construct(
            from_=rfc_3339(asked.from_ms),
            to=rfc_3339(asked.to_ms),
            interval=asked.interval,
            fault=_group(found[0], asked, states[fingerprint]),
            entities=[EntityCount(entity_id=it.entity_id, count=it.count) for it in entities],
            events=latest,
            compared=Compared(group=group, rest=rest),
            differences=differences(features, group, rest),
        )
        await respond(send, 200, (JSON_TYPE,), detail.model_dump_json(by_alias=True).encode())


def _group(stored: StoredGroup, asked: Span, state: FaultState) -> FaultGroup:
    buckets = [0] * asked.size
    for number, count in zip(*stored.buckets, strict=True):
        buckets[number] = count
    operations = [
        OperationCount(
            event_source=of.partition(" ")[0], operation=of.partition(" ")[2], count=count
        )
        for of, count in zip(*stored.operations, strict=True)
    ]
    operations.sort(key=lambda each: (-each.count, each.event_source, each.operation))
    return FaultGroup(
        fingerprint=stored.fingerprint,
        status=stored.status or None,
        message=stored.message,
        count=stored.count,
        before=stored.before,
        entities=stored.entities,
        first_seen=rfc_3339(stored.first_ms),
        last_seen=rfc_3339(stored.last_ms),
        sample_id=stored.sample_id,
        buckets=buckets,
        operations=operations,
        state=state,
    )


def _rest(asked: Span, last: StoredGroup) -> Rest:
    """What is behind `last`, in the form that cursors have: its rank and hash in place of an id."""
    place = uuid.UUID(int=last.rank << 64 | last.hash)
    return Rest(asked.from_ms, Position(asked.to_ms, place))


def _place(cursor: str, rest: Rest) -> tuple[Span, Place]:
    """What `_rest` made a cursor of. Raises `Problem` 400 for what it cannot have made."""
    number = rest.position.event_id.int
    asked = span(rest.from_ms, rest.position.received_ms)
    place = Place(number >> 64, number & 2**64 - 1)
    if asked.from_ms >= asked.to_ms or asked.size > BUCKETS_MAX or place > Place():
        raise refused(cursor)
    return asked, place


def _no_such_group() -> Problem:
    """404, the same for an unknown fingerprint and for another tenant's."""
    return Problem(404, "There is no such group of failures in that time.")
