"""Groups of failures and counts over HTTP on the whole stack: what they hold, tenants, pages, refusals."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.builders import a_payload, an_event
from tests.paged import walk, walk_by_filter
from tests.stack import Stack, events, eventually

FAULTS = "/api/v1/faults"
COUNTS = "/api/v1/events/counts"
FIELDS = "/api/v1/events/fields"
NULL = 'Cannot invoke "Cart.close()" because "cart" is null'
TIMEOUT = "timeout of * exceeded"


def fault(number: int, message: str, status: int, **changes: Any) -> dict[str, Any]:
    text = json.dumps({"status": status, "message": message})
    return an_event(
        event_type="FAULT",
        entity_id=f"order-{number}",
        event_payload=a_payload(
            base64_encoded_fault_json=base64.b64encode(text.encode()).decode(),
            **changes,
        ),
    )


EVENTS = [
    *(
        fault(number % 5, f"timeout of {number}ms exceeded", 504, key_attributes={"store": "7"})
        for number in range(20)
    ),
    *(fault(number, NULL, 500, operation="CREATE") for number in range(3)),
    an_event(event_type="FAULT", entity_id="silent"),
    *(an_event(event_payload=a_payload(key_attributes={"store": "1"})) for _ in range(60)),
    an_event(event_type="WARNING", event_source="CUSTOMER"),
]


def get(client: httpx.Client, path: str, **parameters: Any) -> Any:
    answer = client.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture(scope="module")
def shop(stack: Stack) -> Iterator[httpx.Client]:
    """A client of a tenant whose events are in ClickHouse."""
    with stack.client("faulty") as client:
        answer = client.post("/api/v1/events:batch", json=EVENTS)
        assert answer.json()["accepted"] == len(EVENTS)
        eventually(lambda: get(client, COUNTS)["count"], until=lambda count: count == len(EVENTS))
        yield client


def test_failures_are_listed_by_kind_most_first(shop: httpx.Client) -> None:
    page = get(shop, FAULTS)
    assert [(each["status"], each["message"], each["count"]) for each in page["faults"]] == [
        (504, TIMEOUT, 20),
        (500, NULL, 3),
        (None, "", 1),
    ]
    assert (page["count"], page["groups"], page["next"]) == (24, 3, None)
    first = page["faults"][0]
    assert (first["entities"], first["before"], sum(first["buckets"])) == (5, 0, 20)
    assert first["operations"] == [{"event_source": "ORDER", "operation": "UPDATE", "count": 20}]
    assert page["from"] < first["first_seen"] <= first["last_seen"] < page["to"]
    assert get(shop, f"/api/v1/events/{first['sample_id']}")["event_type"] == "FAULT"


def test_the_time_before_is_counted_too(shop: httpx.Client) -> None:
    newest = max(each["last_seen"] for each in get(shop, FAULTS)["faults"])
    after = datetime.fromisoformat(newest) + timedelta(milliseconds=1)
    eventually(lambda: datetime.now(UTC) > after)
    span = {"from": after.isoformat(), "to": (after + timedelta(days=1)).isoformat()}
    assert get(shop, FAULTS, **span)["faults"] == []


@pytest.mark.parametrize(
    ("parameters", "messages"),
    [
        ({"q": "TIMEOUT"}, [TIMEOUT]),
        ({"q": "30ms"}, []),
        ({"status": "500"}, [NULL]),
        ({"operation": "CREATE"}, [NULL]),
        ({"entity_id": "order-4"}, [TIMEOUT]),
        ({"key_attributes.store": "7"}, [TIMEOUT]),
        ({"event_type": "WARNING"}, []),
        ({"order": "entities"}, [TIMEOUT, NULL, ""]),
        ({"to": "2020-01-01T00:00:00Z", "from": "2019-01-01T00:00:00Z"}, []),
        ({"from": "2290-01-01T00:00:00Z"}, []),
    ],
)
def test_groups_are_found_by(
    shop: httpx.Client, parameters: dict[str, str], messages: list[str]
) -> None:
    assert [each["message"] for each in get(shop, FAULTS, **parameters)["faults"]] == messages


@pytest.mark.parametrize("order", ["count", "last_seen", "first_seen", "entities"])
def test_pages_show_every_group_once(shop: httpx.Client, order: str) -> None:
    whole = get(shop, FAULTS, order=order)["faults"]
    answer = shop.get(FAULTS, params={"limit": 1, "order": order})
    seen = []
    while True:
        page = answer.json()
        seen += page["faults"]
        assert (page["count"], page["groups"]) == (24, 3)
        if page["next"] is None:
            break
        answer = shop.get(answer.links["next"]["url"])
    assert [each["fingerprint"] for each in seen] == [each["fingerprint"] for each in whole]
    assert len(seen) == 3


def test_a_cursor_of_another_order_or_tenant_is_refused(shop: httpx.Client, stack: Stack) -> None:
    cursor = get(shop, FAULTS, limit=1)["next"]
    assert shop.get(FAULTS, params={"cursor": cursor, "order": "entities"}).status_code == 400
    assert shop.get(FAULTS, params={"cursor": cursor, "status": "500"}).status_code == 400
    with stack.client("elsewhere") as other:
        assert other.get(FAULTS, params={"cursor": cursor}).status_code == 400


def test_a_group_tells_whom_it_concerns_and_what_sets_it_apart(shop: httpx.Client) -> None:
    [listed, *_] = get(shop, FAULTS)["faults"]
    found = get(shop, f"{FAULTS}/{listed['fingerprint']}")
    assert found["fault"] | {"buckets": []} == listed | {"buckets": []}
    assert found["entities"] == [
        {"entity_id": f"order-{number}", "count": 4} for number in range(5)
    ]
    assert len(set(found["events"])) == 10
    assert found["compared"] == {"group": 20, "rest": len(EVENTS) - 20}
    store = found["differences"][0]
    assert (store["field"], store["value"]) == ("key_attributes.store", "7")
    assert (store["in_group"], store["in_rest"], store["group_share"]) == (20, 0, 1.0)
    assert store["lift"] > 10
    rare = get(shop, f"{FAULTS}/{get(shop, FAULTS, status='500')['faults'][0]['fingerprint']}")
    assert rare["differences"] == []  # of three events


def test_events_are_counted_by_time_and_field(shop: httpx.Client) -> None:
    whole = get(shop, COUNTS)
    assert whole["interval"] == "hour"
    assert whole["series"] == [
        {"value": None, "count": len(EVENTS), "buckets": whole["series"][0]["buckets"]}
    ]
    assert sum(whole["series"][0]["buckets"]) == len(EVENTS)
    assert len(whole["starts"]) == len(whole["series"][0]["buckets"])
    by = {
        name: {each["value"]: each["count"] for each in get(shop, COUNTS, by=name)["series"]}
        for name in ("event_type", "event_source", "operation", "status", "fault")
    }
    assert by == {
        "event_type": {"ENTITY_EVENT": 60, "FAULT": 24, "WARNING": 1},
        "event_source": {"ORDER": 84, "CUSTOMER": 1},
        "operation": {"UPDATE": 82, "CREATE": 3},
        "status": {None: 62, "504": 20, "500": 3},
        "fault": {"false": 61, "true": 24},
    }
    assert get(shop, COUNTS, q="timeout")["count"] == 20
    assert get(shop, COUNTS, event_type="WARNING", interval="minute", **_last_hour())["count"] == 1


def test_values_of_a_field_are_counted(shop: httpx.Client) -> None:
    def values(field: str, **parameters: Any) -> list[tuple[str, int]]:
        found = get(shop, FIELDS, field=field, **parameters)
        assert found["distinct"] >= len(found["values"])
        return [(each["value"], each["count"]) for each in found["values"]]

    assert values("event_type") == [("ENTITY_EVENT", 60), ("FAULT", 24), ("WARNING", 1)]
    assert values("key_attributes") == [("store", 80), ("correlationId", 5)]
    assert values("key_attributes.store") == [("1", 60), ("7", 20)]
    assert values("key_attributes.nothing") == []
    assert values("entity_id", limit=1) == [("1000144", 61)]
    assert values("entity_id", prefix="ORDER-4") == [("order-4", 4)]
    assert values("event_source", event_type="WARNING") == [("CUSTOMER", 1)]
    assert values("entity_name") == []


def test_another_tenant_sees_nothing_of_it(shop: httpx.Client, stack: Stack) -> None:
    fingerprint = get(shop, FAULTS)["faults"][0]["fingerprint"]
    with stack.client("elsewhere") as other:
        assert get(other, FAULTS)["faults"] == []
        assert get(other, COUNTS)["count"] == 0
        assert get(other, FIELDS, field="entity_id")["values"] == []
        answer = other.get(f"{FAULTS}/{fingerprint}")
    assert answer.status_code == 404
    assert answer.json()["detail"] == "There is no such group of failures in that time."


@pytest.mark.parametrize(
    "path", [FAULTS, f"{FAULTS}/0123456789abcdef", COUNTS, f"{FIELDS}?field=operation"]
)
def test_without_a_token_nothing_is_told(stack: Stack, path: str) -> None:
    assert httpx.get(stack.api + path, headers={"X-TWC-Tenant": "faulty"}).status_code == 401


@pytest.mark.parametrize(
    ("path", "parameters", "pointer"),
    [
        (FAULTS, {"order": "name"}, "/order"),
        (FAULTS, {"status": "600"}, "/status"),
        (FAULTS, {"status": "5_0"}, "/status"),
        (FAULTS, {"limit": "0"}, "/limit"),
        (FAULTS, {"colour": "red"}, "/colour"),
        (COUNTS, {"by": "entity_id"}, "/by"),
        (COUNTS, {"interval": "second"}, "/interval"),
        (COUNTS, {"interval": "minute", "from": "2020-01-01T00:00:00Z"}, "/interval"),
        (FIELDS, {}, "/field"),
        (FIELDS, {"field": "payload"}, "/field"),
        (FIELDS, {"field": "key_attributes."}, "/field"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    shop: httpx.Client, path: str, parameters: dict[str, str], pointer: str
) -> None:
    answer = shop.get(path, params=parameters)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_a_name_that_is_no_fingerprint_is_not_found(shop: httpx.Client) -> None:
    for name in ("0123456789ABCDEF", "xyz", "0123456789abcdef"):
        assert shop.get(f"{FAULTS}/{name}").status_code == 404


def _last_hour() -> dict[str, str]:
    return {"from": (datetime.now(UTC) - timedelta(hours=1)).isoformat()}


def test_the_command_prints_json_lines_to_a_pipe(shop: httpx.Client, stack: Stack) -> None:
    def lines(*arguments: str) -> list[dict[str, Any]]:
        done = events(*arguments, "--tenant", "faulty", home=stack.home)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    listed = lines("faults")
    assert listed == get(shop, FAULTS)["faults"]
    assert lines("faults", "--where", "status=500", "--limit", "1")[0]["message"] == NULL
    [shown] = lines("faults", "show", listed[0]["fingerprint"])
    assert shown["differences"][0]["field"] == "key_attributes.store"
    counted = lines("counts", "--by", "event_type", "event_source=ORDER")
    assert sum(each["count"] for each in counted if each["value"] == "FAULT") == 24
    unknown = events("faults", "--where", "colour=red", home=stack.home)
    assert (unknown.returncode, "No field colour" in unknown.stderr) == (2, True)


def said(client: httpx.Client, fingerprint: str, **body: Any) -> Any:
    answer = client.put(f"{FAULTS}/{fingerprint}/state", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_group_is_resolved_and_opens_again_with_the_next_failure(stack: Stack) -> None:
    with stack.client("mending") as client:

        def shown() -> Any:
            return get(client, FAULTS)["faults"]

        client.post("/api/v1/events", json=fault(1, "stock is locked", 503))
        [group] = eventually(shown)
        assert (group["state"]["state"], group["state"]["at"]) == ("open", None)
        answer = said(client, group["fingerprint"], state="resolved", note="mended in 4.2")
        assert (answer["state"], answer["note"], answer["since"]) == (
            "resolved",
            "mended in 4.2",
            0,
        )
        [resolved] = shown()  # at once
        assert resolved["state"] == answer
        assert answer["by"] == "mending"
        client.post("/api/v1/events", json=fault(2, "stock is locked", 503))
        [again] = eventually(shown, until=lambda groups: groups[0]["count"] == 2)
        state = again["state"]
        assert (state["state"], state["said"], state["since"]) == ("open", "resolved", 1)
        assert state["reopened_at"] == again["last_seen"]
        [one] = [get(client, f"{FAULTS}/{group['fingerprint']}")["fault"]]
        assert one["state"] == state
        assert said(client, group["fingerprint"], state="known")["state"] == "known"
        assert shown()[0]["state"]["state"] == "known"


def test_a_group_is_quiet_until_it_grows(stack: Stack) -> None:
    with stack.client("quiet") as client:

        def shown() -> Any:
            return get(client, FAULTS)["faults"]

        client.post("/api/v1/events", json=fault(1, "no such shelf", 404))
        [group] = eventually(shown)
        said(client, group["fingerprint"], state="quiet", until_count=1)
        client.post("/api/v1/events", json=fault(2, "no such shelf", 404))
        [still] = eventually(shown, until=lambda groups: groups[0]["count"] == 2)
        assert (still["state"]["state"], still["state"]["since"]) == ("quiet", 1)
        client.post("/api/v1/events", json=fault(3, "no such shelf", 404))
        [grown] = eventually(shown, until=lambda groups: groups[0]["count"] == 3)
        assert (grown["state"]["state"], grown["state"]["said"]) == ("open", "quiet")
        assert said(client, group["fingerprint"], state="open")["state"] == "open"


def test_what_was_said_is_an_event_of_the_tenant_alone(stack: Stack) -> None:
    with stack.client("telling") as client, stack.client("elsewhere") as other:
        client.post("/api/v1/events", json=fault(1, "till is closed", 500))
        other.post("/api/v1/events", json=fault(1, "till is closed", 500))
        [group] = eventually(lambda: get(client, FAULTS)["faults"])
        fingerprint = group["fingerprint"]
        said(client, fingerprint, state="resolved", note="opened")
        [event] = get(client, "/api/v1/events", entity_id=f"fault:{fingerprint}")["events"]
        assert (event["event_type"], event["event_source"]) == ("SYSTEM_EVENT", "APPLICATION")
        assert event["event_payload"]["key_attributes"] == {
            "fault_state": "resolved", "said_by": "telling", "note": "opened",
        }  # fmt: skip
        theirs = eventually(
            lambda: [
                each for each in get(other, FAULTS)["faults"] if each["fingerprint"] == fingerprint
            ]
        )
        assert theirs[0]["state"]["said"] == "open"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/state"),
        ({"state": "gone"}, "/state"),
        ({"state": "quiet"}, ""),
        ({"state": "known", "until_count": 3}, ""),
        ({"state": "quiet", "until_count": 0}, "/until_count"),
        ({"state": "known", "note": "n" * 501}, "/note"),
        ({"state": "known", "colour": "red"}, "/colour"),
    ],
)
def test_what_cannot_be_said_is_refused(
    shop: httpx.Client, body: dict[str, Any], pointer: str
) -> None:
    answer = shop.put(f"{FAULTS}/0123456789abcdef/state", json=body)
    assert answer.status_code == 405, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_the_command_says_it_too(shop: httpx.Client, stack: Stack) -> None:
    fingerprint = get(shop, FAULTS)["faults"][0]["fingerprint"]
    for command, state in (
        (["known", fingerprint, "--note", "gateway"], "known"),
        (["quiet", fingerprint, "--until-count", "1000"], "quiet"),
        (["resolve", fingerprint], "resolved"),
        (["reopen", fingerprint], "open"),
    ):
        done = events("faults", *command, "--tenant", "faulty", home=stack.home)
        assert (done.returncode, json.loads(done.stdout)["state"]) == (0, state), done.stderr


def test_a_kind_leads_to_all_that_it_counts(stack: Stack, tenant: str) -> None:
    """Also to what is no FAULT and carries one, and to no failure of another status that says the same."""
    posted = [
        *(fault(number, f"timeout of {number}ms exceeded", 504) for number in range(3)),
        fault(3, "timeout of 3ms exceeded", 500),
        fault(4, "timeout of 4ms exceeded", 504) | {"event_type": "ENTITY_EVENT"},
        an_event(event_type="FAULT", entity_id="silent"),
        an_event(),
    ]
    with stack.client(tenant) as client:
        ids = [client.post("/api/v1/events", json=each).json()["id"] for each in posted]
        eventually(lambda: get(client, COUNTS)["count"], until=lambda count: count == len(posted))
        groups = get(client, FAULTS)["faults"]
        found = {}
        for each in groups:
            kind = {"fault_fingerprint": each["fingerprint"]}
            of_kind = walk(client, **kind)
            assert walk_by_filter(client, {"filter": {}, **kind}) == of_kind
            assert get(client, COUNTS, **kind)["count"] == each["count"] == len(of_kind)
            found[each["status"]] = {event["id"] for event in of_kind}
        assert found == {504: {*ids[:3], ids[4]}, 500: {ids[3]}, None: {ids[5]}}
        narrowed = get(client, FAULTS, fault_fingerprint=groups[0]["fingerprint"])
        assert [each["fingerprint"] for each in narrowed["faults"]] == [groups[0]["fingerprint"]]
        refused = client.get("/api/v1/events", params={"fault_fingerprint": "F" * 16})
        assert refused.status_code == 400
        assert refused.json()["errors"][0]["pointer"] == "/fault_fingerprint"
