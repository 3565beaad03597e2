"""Search, back-test and explain by a filter: what they ask ClickHouse, answer and refuse."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.clickhouse.search import select_counts
from contracts.filters import parse
from contracts.paths import EXPLANATION
from contracts.subscription_table import Subscriptions
from query.backtest import BackTest
from query.explain import ExplainEvent
from query.pages import Pages
from query.scan import Limits
from query.search import SearchByFilter
from query.slots import Slots
from service.clickhouse import ClickHouseFailed
from service.http.app import asgi_app
from tests.builders import an_event, represented
from tests.queues import arn

ID = "01a20d33-994f-74a1-8936-e15ecec113da"
HEADERS = {"X-TWC-Tenant": "acme"}
TEST, SEARCH = "/api/v1/subscriptions:test", "/api/v1/events:search"
EXPLAIN = f"/api/v1/events/{ID}/explain"
COST = {"elapsed": 0.5, "rows_read": 3, "bytes_read": 1}
HOSTILE = "' OR 1=1 -- {tenant:String}"


class ClickHouse:
    """Answers every count with `counts`, every search with nothing; keeps what it was asked."""

    def __init__(self, failure: int | None = None) -> None:
        self.asked: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
        self._failure = failure

    async def select(
        self, sql: str, parameters: dict[str, Any] | None, settings: dict[str, Any]
    ) -> bytes:
        self.asked.append((sql, parameters or {}, settings))
        if self._failure is not None:
            raise ClickHouseFailed("no", self._failure)
        counted = "uniqExactIf" in sql
        cost = {"elapsed": 0.25, "rows_read": 7, "bytes_read": 99} if counted else COST
        data = [{"matched": "2", "of": "5"}] if counted else []
        return json.dumps({"data": data, "statistics": cost}).encode()


class Verifier:
    """Everybody is acme."""

    async def tenant(self, headers: dict[bytes, bytes]) -> str:
        return "acme"


class Follower:
    """Subscriptions by name and filter; `away` without Kafka."""

    def __init__(self, away: bool = False, **filters: Any) -> None:
        self.table = Subscriptions()
        self._away = away
        for name, filter_ in filters.items():
            body = {
                "name": name,
                "filter": filter_,
                "id": name,
                "labels": {},
                "enabled": name != "off",
            }
            body["destination"] = {"type": "sqs", "arn": arn("q")}
            self.table.apply(f"acme:{name}".encode(), json.dumps(body).encode())

    async def catch_up(self, timeout_s: float) -> bool:
        return not self._away


class Lookup:
    """Has one event, or none."""

    def __init__(self, event: dict[str, Any] | None) -> None:
        self._found = represented(event, ID) if event else None

    async def find(self, tenant: str, event_id: object) -> bytes | None:
        return self._found


def ask(
    method: str,
    path: str,
    *,
    clickhouse: ClickHouse | None = None,
    follower: Follower | None = None,
    event: dict[str, Any] | None = None,
    **request: Any,
) -> httpx.Response:
    clickhouse = clickhouse or ClickHouse()
    pages = Pages(clickhouse.select, "events", Limits(1000, 5, 1), Slots(1, 1, 5))
    verifier: Any = Verifier()
    lookup: Any = Lookup(event)
    known: Any = follower or Follower()
    resources: Any = {
        TEST: {"POST": BackTest(verifier, pages, 7)},
        SEARCH: {"POST": SearchByFilter(verifier, pages, 7)},
        EXPLANATION: {"GET": ExplainEvent(verifier, lookup, known)},
    }

    async def ready() -> list[str]:
        return []

    async def once() -> httpx.Response:
        app: Any = asgi_app(resources, ready, lambda: pytest.fail("no lifespan"))
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://query") as client:
            return await client.request(method, path, headers=HEADERS, **request)

    return asyncio.run(once())


def test_a_back_test_counts_and_tells_what_it_cost() -> None:
    clickhouse = ClickHouse()
    body = {"filter": {"entity_id": [HOSTILE]}, "from": "2026-01-31T12:00:00Z"}
    answer = ask("POST", TEST, json=body, clickhouse=clickhouse)
    searched = len(clickhouse.asked) - 1
    seconds = pytest.approx(0.25 + 0.5 * searched)
    assert searched > 0
    assert answer.json() == {
        "matched": 2,
        "of": 5,
        "samples": [],
        "cost": {"rows_read": 7 + 3 * searched, "bytes_read": 99 + searched, "seconds": seconds},
    }
    for sql, parameters, settings in clickhouse.asked:
        assert HOSTILE not in sql
        assert HOSTILE in parameters.values()
        assert parameters["tenant"] == "acme"
        assert settings["max_rows_to_read"] == 1000
        assert settings["max_execution_time"] <= 5


@pytest.mark.parametrize("path", [TEST, SEARCH])
@pytest.mark.parametrize(("code", "status"), [(158, 400), (307, 400), (159, 503), (241, 503)])
def test_what_reads_too_much_is_400_and_what_takes_too_long_is_503(
    path: str, code: int, status: int
) -> None:
    answer = ask("POST", path, json={"filter": {}}, clickhouse=ClickHouse(code))
    assert answer.status_code == status
    assert ("retry-after" in answer.headers) == (status == 503)


REFUSED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no filter": ({}, ["/filter"]),
    "a filter that is a text": ({"filter": "x"}, ["/filter"]),
    "an unknown operator": ({"filter": {"entity_id": [{"regex": ".*"}]}}, ["/filter/entity_id/0"]),
    "a time that is none": ({"filter": {}, "from": "yesterday"}, ["/from"]),
    "a time that is a number": ({"filter": {}, "to": 5}, ["/to"]),
    "a range that ends before it begins": (
        {"filter": {}, "from": "2026-01-31T12:00:00Z", "to": "2026-01-31T12:00:00Z"},
        ["/from"],
    ),
    "faults of both kinds": ({"filter": {"colour": ["x"]}, "to": ""}, ["/to", "/filter/colour"]),
    "an unknown member": ({"filter": {}, "entity_id": "x"}, ["/entity_id"]),
}


@pytest.mark.parametrize("path", [TEST, SEARCH])
@pytest.mark.parametrize(("body", "pointers"), REFUSED.values(), ids=REFUSED.keys())
def test_what_creation_refuses_is_refused_alike(
    path: str, body: dict[str, Any], pointers: list[str]
) -> None:
    clickhouse = ClickHouse()
    answer = ask("POST", path, json=body, clickhouse=clickhouse)
    assert answer.status_code == 405
    assert [each["pointer"] for each in answer.json()["errors"]] == pointers
    assert clickhouse.asked == []


def test_a_cursor_belongs_to_its_filter() -> None:
    cursor = "A" * 56
    answer = ask("POST", SEARCH, json={"filter": {}, "cursor": cursor})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/cursor")


def test_the_count_binds_every_value() -> None:
    sql, parameters = select_counts("events", "acme", parse({"entity_id": [HOSTILE]}), 1, 2)
    assert HOSTILE not in sql
    assert HOSTILE in parameters.values()


def test_each_subscription_is_told_and_what_did_not_hold() -> None:
    follower = Follower(
        yes={"event_type": ["FAULT"]},
        no={"event_type": ["FAULT"], "entity_id": [{"prefix": "9"}], "entity_name": ["x"]},
        off={},
    )
    event = an_event(event_type="FAULT", entity_id="1" * 200)
    told = ask("GET", EXPLAIN, follower=follower, event=event).json()
    assert (told["id"], told["matched"], told["of"]) == (ID, 2, 3)
    by_name = {each["name"]: each for each in told["subscriptions"]}
    assert (by_name["yes"]["matches"], by_name["yes"]["unmet"]) == (True, [])
    assert (by_name["off"]["matches"], by_name["off"]["enabled"]) == (True, False)
    [[entity, name]] = by_name["no"]["unmet"]
    assert (entity["field"], entity["size"], entity["present"]) == ("entity_id", 200, True)
    assert 0 < len(entity["value"]) < 200
    assert (entity["wanted"], entity["wanted_of"]) == ([{"prefix": "9"}], 1)
    assert (name["field"], name["value"], name["present"]) == ("entity_name", None, True)


def test_an_event_that_matched_nothing_says_so() -> None:
    alone = ask("GET", EXPLAIN, event=an_event()).json()
    assert (alone["matched"], alone["of"]) == (0, 0)
    assert "matched nothing" in alone["detail"]
    follower = Follower(no={"event_type": ["FAULT"]})
    told = ask("GET", EXPLAIN, follower=follower, event=an_event()).json()
    assert (told["matched"], told["of"]) == (0, 1)
    assert "matched nothing" in told["detail"]


def test_one_that_cannot_be_read_is_told_with_its_reason() -> None:
    follower = Follower(odd={"entity_id": [{"soundex": "x"}]})
    follower.table.apply(b"acme:broken", b"{}")
    told = ask("GET", EXPLAIN, follower=follower, event=an_event()).json()
    assert [each["matches"] for each in told["subscriptions"]] == [False, False]
    assert all(each["inactive"] for each in told["subscriptions"])


def test_without_kafka_explain_is_503_and_without_the_event_404() -> None:
    away = ask("GET", EXPLAIN, follower=Follower(away=True), event=an_event())
    assert (away.status_code, "retry-after" in away.headers) == (503, True)
    assert ask("GET", EXPLAIN).status_code == 404
    assert ask("GET", EXPLAIN.replace(ID, "x"), event=an_event()).status_code == 400


def routed(method: str, path: str) -> str:
    """The service that docs/proxy.conf sends a request to."""
    text = (Path(__file__).parents[2] / "docs" / "proxy.conf").read_text()
    rules = re.findall(r'^ +"~(.+)" (\w+);$', text, re.MULTILINE)
    assert rules
    found = (service for pattern, service in rules if re.search(pattern, f"{method} {path}"))
    return next(found, "ingest")


def test_the_proxy_sends_to_each_service_what_it_serves() -> None:
    query = {("POST", TEST), ("POST", SEARCH), ("GET", EXPLAIN), ("GET", "/api/v1/events")}
    query |= {
        ("GET", "/api/v1/status"),
        ("GET", f"/api/v1/events/{ID}"),
        ("DELETE", f"/api/v1/events/{ID}"),
    }
    assert {routed(*each) for each in query} == {"query"}
    one = f"/api/v1/subscriptions/{ID}"
    ingest = {("POST", "/api/v1/events"), ("POST", "/api/v1/events:batch"), ("PATCH", one)}
    ingest |= {("GET", "/api/v1/subscriptions"), ("POST", "/api/v1/subscriptions")}
    ingest |= {("GET", f"{one}/changes")}
    assert {routed(*each) for each in ingest} == {"ingest"}
