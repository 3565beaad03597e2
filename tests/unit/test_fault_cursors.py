"""Cursors of GET /api/v1/faults: anybody can make one up, and none asks for more than a range may."""

import asyncio
import time
import uuid
from typing import Any

import pytest

from contracts.clickhouse.search import Position
from contracts.faults import FaultSearch
from contracts.intervals import BUCKETS_MAX
from contracts.problems import Problem
from query.bounded import BoundedQueries
from query.cursor import Rest, encode
from query.faults import ListFaults
from query.scan import Limits
from query.slots import Slots

NOW_MS = time.time_ns() // 1_000_000
DAY_MS = 86_400_000
LAST = uuid.UUID(int=3 << 64 | 4)
MADE_UP = {
    "a day too many": Rest(NOW_MS - BUCKETS_MAX * DAY_MS, Position(NOW_MS, LAST)),
    "millions of years": Rest(-4 * 10**16, Position(NOW_MS, LAST)),
    "no time": Rest(NOW_MS, Position(NOW_MS, LAST)),
    "a time that ends first": Rest(NOW_MS, Position(NOW_MS - 1, LAST)),
    "a rank that no group has": Rest(NOW_MS - 1, Position(NOW_MS, uuid.UUID(int=1 << 127))),
}


class Acme:
    """Stands for the verifier."""

    async def tenant(self, headers: dict[bytes, bytes]) -> str:
        return "acme"


def asked(rest: Rest) -> list[dict[str, Any]]:
    """The parameters of the queries that a page behind this cursor runs."""
    queries: list[dict[str, Any]] = []

    async def select(
        sql: str, parameters: dict[str, Any] | None, settings: dict[str, Any]
    ) -> bytes:
        assert parameters is not None, sql
        queries.append(parameters)
        return b""

    async def send(message: dict[str, Any]) -> None:
        assert message.get("status", 200) == 200

    search = FaultSearch.model_validate({})
    cursor = encode(rest, "acme", search, f"{search.order} {search.status}".encode())
    scope = {"headers": [], "query_string": f"cursor={cursor}".encode()}
    ask = BoundedQueries(select, Limits(10**7, 5.0, 1), Slots(1, 1, 5))
    handler = ListFaults(Acme(), ask, "d", 7)  # type: ignore[arg-type]
    asyncio.run(handler(scope, None, send))  # type: ignore[arg-type]
    return queries


@pytest.mark.parametrize("rest", MADE_UP.values(), ids=MADE_UP.keys())
def test_a_cursor_that_was_made_up_is_refused_and_asks_nothing(rest: Rest) -> None:
    with pytest.raises(Problem) as refused:
        asked(rest)
    assert refused.value.status == 400
    assert [each["pointer"] for each in refused.value.errors] == ["/cursor"]


def test_the_longest_range_goes_on() -> None:
    from_ms = NOW_MS - (BUCKETS_MAX - 1) * DAY_MS
    last = uuid.UUID(int=2**127 - 1)
    [query] = asked(Rest(from_ms, Position(NOW_MS, last)))
    assert (query["from_ms"], query["to_ms"]) == (from_ms, NOW_MS)
    assert (query["after_rank"], query["after_hash"]) == (2**63 - 1, 2**64 - 1)
