"""Searching over HTTP on the whole stack: filters, pages, tenants, bad requests, too broad ones."""

import base64
import contextlib
import json
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import httpx
import pytest

from contracts import paths
from contracts.criteria import instant_ms, rfc_3339
from contracts.ids import made_at_ms
from local.stack import Ports, environment
from tests.builders import a_payload, an_event
from tests.paged import pages, walk
from tests.processes import free_port, running_module
from tests.stack import Stack, events, eventually

PATH = "/api/v1/events"
DAY_MS = 24 * 60 * 60 * 1000


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def post(client: httpx.Client, *events: dict[str, Any]) -> list[dict[str, Any]]:
    """What the POSTs answered."""
    answers = [client.post(PATH, json=event) for event in events]
    assert {answer.status_code for answer in answers} == {201}
    return [answer.json() for answer in answers]


def search(client: httpx.Client, **parameters: Any) -> Any:
    answer = client.get(PATH, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def appear(client: httpx.Client, count: int) -> None:
    """Wait until the view has `count` events of the client's tenant."""
    eventually(
        lambda: len(walk(client, limit=200)), until=lambda found: found == count, within_s=60
    )


@contextlib.contextmanager
def own_query(stack: Stack, **settings: str) -> Iterator[str]:
    """The URL of searches in a query service of its own on the stack, with other settings."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    changed = {f"EVENTS_{name.upper()}": text for name, text in settings.items()}
    given = environment(Ports(stack.port_base)) | {"EVENTS_HTTP__PORT": str(port)} | changed
    with running_module("query", ready=f"{url}/healthz", environment=given):
        yield url + PATH


@pytest.fixture(scope="module")
def searched(stack: Stack) -> Iterator[tuple[httpx.Client, list[dict[str, Any]]]]:
    """A tenant with six events, and those in the order in which they were posted."""
    as_php = r'{"stra\u00dfe": "http:\/\/shop \/ M\u00fcller"}'
    events = [
        an_event(event_type="FAULT", entity_id="O'Brien \\ 7"),
        an_event(event_source="CUSTOMER", entity_name="Jörg %_"),
        an_event(
            event_payload=a_payload(operation="READ", base64_encoded_payload_json=encoded(as_php))
        ),
        an_event(event_payload=a_payload(key_attributes={"a.b'c": "x y+z", "n": "1", "q": ""})),
        an_event(
            event_type="FAULT",
            event_payload=a_payload(
                base64_encoded_fault_json=encoded('{"message": "Gateway TIMEOUT für 100%"}')
            ),
        ),
        an_event(
            event_payload=a_payload(base64_encoded_payload_json=encoded("no JSON: timeout_1 'ÄÖ'"))
        ),
    ]
    with stack.client("searcher") as client:
        posted = post(client, *events)
        appear(client, len(events))
        yield client, posted


FILTERS: dict[str, tuple[dict[str, str], list[int]]] = {
    "nothing": ({}, [0, 1, 2, 3, 4, 5]),
    "event_type": ({"event_type": "FAULT"}, [0, 4]),
    "event_source": ({"event_source": "CUSTOMER"}, [1]),
    "operation": ({"operation": "READ"}, [2]),
    "entity_id": ({"entity_id": "O'Brien \\ 7"}, [0]),
    "entity_id in another case": ({"entity_id": "o'brien \\ 7"}, []),
    "entity_name": ({"entity_name": "Jörg %_"}, [1]),
    "an attribute": ({"key_attributes.a.b'c": "x y+z"}, [3]),
    "an attribute with another value": ({"key_attributes.n": "2"}, []),
    "an attribute that nobody has": ({"key_attributes.m": "1"}, []),
    "an attribute of the longest text": ({"key_attributes.n": "'\\" * 512}, []),
    "an attribute that is empty": ({"key_attributes.q": ""}, [3]),
    "an empty text of no attribute": ({"key_attributes.m": ""}, []),
    "two attributes": ({"key_attributes.n": "1", "key_attributes.a.b'c": "x y+z"}, [3]),
    "text of a fault and a payload": ({"q": "TimeOut"}, [4, 5]),
    "text behind escapes": ({"q": "HTTP://shop / mÜl"}, [2]),
    "text of a name, in another spelling": ({"q": "STRASSE"}, [2]),
    "escapes as they were posted": ({"q": "shop \\/ M\\u00fcller"}, [2]),
    "text without its accents": ({"q": "muller"}, []),
    "a message as the fault views show it": ({"q": "timeout für *"}, [4]),
    "text that is no pattern": ({"q": "100%"}, [4]),
    "text with an underscore": ({"q": "timeout_"}, [5]),
    "text with quotes beyond ASCII": ({"q": "'äö'"}, [5]),
    "text and type": ({"q": "timeout", "event_type": "FAULT"}, [4]),
    "all that must hold and does not": ({"q": "timeout", "operation": "READ"}, []),
    "SQL": ({"entity_id": "' OR 1=1 --"}, []),
    "a time long ago": ({"from": "2001-01-01T00:00:00Z", "to": "2001-02-01T00:00:00Z"}, []),
    "a time to come": ({"from": "2298-01-01T00:00:00Z"}, []),
    "a time until": ({"to": "2298-01-01T00:00:00+01:00"}, [0, 1, 2, 3, 4, 5]),
}


@pytest.mark.parametrize(("parameters", "expected"), FILTERS.values(), ids=FILTERS.keys())
def test_a_filter_finds_what_it_says_newest_first(
    searched: tuple[httpx.Client, list[dict[str, Any]]],
    parameters: dict[str, str],
    expected: list[int],
) -> None:
    client, posted = searched
    assert walk(client, **parameters) == [posted[at] for at in reversed(expected)]


def test_a_time_range_holds_its_start_and_not_its_end(
    stack: Stack, searched: tuple[httpx.Client, list[dict[str, Any]]]
) -> None:
    client, posted = searched
    times = [
        stack.sql(
            "SELECT formatDateTime(received_at, '%Y-%m-%dT%H:%i:%S') || '.'"
            " || leftPad(toString(toUnixTimestamp64Milli(received_at) % 1000), 3, '0') || 'Z'"
            f" FROM events WHERE tenant = 'searcher' AND id = '{posted[at]['id']}'"
        )[0][0]
        for at in (1, 4)
    ]
    found = walk(client, **{"from": times[0], "to": times[1]})
    inner = [event for event in found if event not in (posted[1], posted[2], posted[3])]
    assert posted[1] in found
    assert posted[4] not in found
    assert inner in ([], [posted[0]])  # the first may share its millisecond


def test_an_event_is_shown_as_get_shows_it(
    searched: tuple[httpx.Client, list[dict[str, Any]]],
) -> None:
    client, posted = searched
    shown = [client.get(f"{PATH}/{event['id']}").text for event in reversed(posted)]
    text = client.get(PATH).text
    assert text.startswith('{"events":[' + ",".join(shown) + '],"received_at":["')
    received = [made_at_ms(uuid.UUID(each["id"])) for each in json.loads(text)["events"]]
    told = [instant_ms(each) for each in json.loads(text)["received_at"]]
    assert told == received


def test_a_walk_over_all_pages_shows_every_event_once_while_new_ones_arrive(
    stack: Stack, tenant: str
) -> None:
    body = "\n".join(json.dumps(an_event(entity_id=str(number))) for number in range(520))
    stop = Event()

    def arrive() -> int:
        count = 0
        with stack.client(tenant) as other:
            while not stop.wait(0.01):
                post(other, an_event(entity_id="later"))
                count += 1
        return count

    with stack.client(tenant) as client, ThreadPoolExecutor(1) as threads:
        batch = client.post(
            f"{PATH}:batch", content=body, headers={"Content-Type": "application/x-ndjson"}
        )
        accepted = [item["id"] for item in batch.json()["items"]]
        eventually(lambda: stack.counts(tenant), until=lambda counts: counts == (520, 520))
        # under keys: their ids are not in the order of time; one comes again later
        keyed = [
            client.post(PATH, json=an_event(entity_id="keyed"), headers={"Idempotency-Key": key})
            for key in ("a", "b", "c", "b")
        ]
        eventually(lambda: stack.counts(tenant)[1], until=lambda count: count == 523)
        arriving = threads.submit(arrive)
        try:
            eventually(lambda: stack.counts(tenant)[1], until=lambda count: count > 530)
            found = walk(client, limit=17)
        finally:
            stop.set()
        assert arriving.result(30) > 7
    ids = [event["id"] for event in found if event["entity_id"] != "later"]
    first_posts = [answer.json()["id"] for answer in keyed[:3]]
    assert ids == [*reversed(first_posts), *sorted(accepted, reverse=True)]


def test_events_find_prints_what_it_finds_and_says_what_is_wrong(
    stack: Stack, searched: tuple[httpx.Client, list[dict[str, Any]]]
) -> None:
    client, posted = searched
    tenant = ("--tenant", "searcher")
    found = events("find", "q=TIMEOUT", "event_type=FAULT", *tenant, home=stack.home)
    assert found.stdout == client.get(f"{PATH}/{posted[4]['id']}").text + "\n"
    two = events("find", "--limit", "2", *tenant, home=stack.home)
    assert [json.loads(line) for line in two.stdout.splitlines()] == [posted[5], posted[4]]
    wrong = events("find", "from=today", *tenant, home=stack.home)
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "No events: 400 1 parameter cannot be used. /from must be a time" in wrong.stderr


def test_events_find_follows_the_pages(stack: Stack, tenant: str) -> None:
    body = "\n".join(json.dumps(an_event(entity_id=str(number))) for number in range(250))
    with stack.client(tenant) as client:
        headers = {"Content-Type": "application/x-ndjson"}
        assert client.post(f"{PATH}:batch", content=body, headers=headers).status_code == 201
    eventually(lambda: stack.counts(tenant)[1], until=lambda count: count == 250)
    for limit in ("230", "1000"):
        found = events("find", "--limit", limit, "--tenant", tenant, home=stack.home)
        ids = [json.loads(line)["id"] for line in found.stdout.splitlines()]
        assert len(ids) == len(set(ids)) == min(int(limit), 250)


def test_nobody_finds_the_events_of_another_tenant(
    stack: Stack, tenant: str, searched: tuple[httpx.Client, list[dict[str, Any]]]
) -> None:
    client, posted = searched
    cursor = search(client, limit=1)["next"]
    with stack.client(tenant) as stranger:
        *before, last = pages(stranger)
        # of granules that both have rows in, of each part
        assert all(each["cost"]["rows_read"] <= 8192 for each in (*before, last))
        del last["cost"]
        assert last == {"events": [], "received_at": [], "next": None, "reached": None}
        assert not any(each["events"] for each in before)
        assert walk(stranger, entity_id=posted[0]["entity_id"]) == []
        refused = stranger.get(PATH, params={"cursor": cursor})
        assert refused.status_code == 400
        other = stranger.get(PATH, headers={"X-TWC-Tenant": "searcher"})
        assert other.status_code == 403
        assert stranger.get(PATH, params={"tenant": "searcher"}).status_code == 400


BAD = ("colour=red", "q=a&q=b", "q=", "q=" + "x" * 257, "limit=201", "cursor=AAAA", "event_type=X")


@pytest.mark.parametrize("query", BAD)
def test_a_bad_parameter_is_answered_with_a_problem_that_names_it(stack: Stack, query: str) -> None:
    with stack.client() as client:
        answer = client.get(f"{PATH}?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/" + query.split("=")[0]]


def test_what_would_read_too_much_is_told_how_to_ask_for_less(stack: Stack, tenant: str) -> None:
    """A search reads it in parts; a count is refused unless it is of a day or less."""
    with stack.client(tenant) as client:
        body = "\n".join(json.dumps(an_event()) for _ in range(5000))
        headers = {"Content-Type": "application/x-ndjson"}
        assert client.post(f"{PATH}:batch", content=body, headers=headers).status_code == 201
    eventually(lambda: stack.counts(tenant)[1], until=lambda count: count == 5000)
    headers, day = stack.headers(tenant), {"from": rfc_3339(time.time_ns() // 1_000_000 - DAY_MS)}
    test = {"filter": {"entity_id": [{"exists": True}]}}
    with own_query(stack, search_rows_max="1000") as url:
        found = httpx.get(url, headers=headers, params={"entity_name": "nobody"}, timeout=30)
        assert (found.status_code, found.json()["events"]) == (200, [])
        api = url.removesuffix(PATH)
        broad = httpx.post(api + paths.BACK_TEST, headers=headers, json=test, timeout=30)
        assert broad.status_code == 400, broad.text
        assert "too broad" in broad.json()["detail"]
        assert [error["pointer"] for error in broad.json()["errors"]] == ["/from"]
        short = httpx.post(api + paths.BACK_TEST, headers=headers, json=test | day, timeout=30)
        assert short.json()["of"] == 5000
        fault = paths.FAULT.format(fingerprint="0" * 16)
        of_fields = f"{paths.FIELDS}?field=operation"
        for path, code in (
            (paths.COUNTS, 200),
            (of_fields, 200),
            (paths.FAULTS, 200),
            (fault, 404),
        ):
            asked = httpx.URL(api + path)
            assert httpx.get(asked, headers=headers, timeout=30).status_code == 400
            short = httpx.get(asked.copy_merge_params(day), headers=headers, timeout=30)
            assert short.status_code == code
    with own_query(stack, search_timeout_s="0.0015") as url:
        slow = httpx.get(url, headers=headers, params={"q": "nothing"}, timeout=30)
        assert slow.status_code == 503, slow.text
        assert int(slow.headers["Retry-After"]) >= 1


def test_a_search_is_answered_in_time_when_clickhouse_is_away(stack: Stack, tenant: str) -> None:
    with own_query(stack, clickhouse__url="http://127.0.0.1:9") as url:
        away = httpx.get(url, headers=stack.headers(tenant), timeout=20)
    assert away.status_code == 503
    assert away.headers["Retry-After"]
