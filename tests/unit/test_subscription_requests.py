"""The subscription resource over HTTP: pages, conditions, patches, repeats, limits, and who changed what.

The log is a fake that the table follows at once.
"""

import base64
import json
import uuid
from typing import Any

import httpx
import pytest

from contracts.changes import Changes
from contracts.paths import SUBSCRIPTIONS as PATH
from contracts.pauses import pause_key
from contracts.subscription_table import Subscriptions
from ingest import pages
from tests.fakes.edge import BODY, Edge
from tests.queues import arn

DELIVERY = {
    "fairness": "tenant",
    "messages_per_s": None,
    "retry_for_s": None,
    "retry_pause_max_s": None,
    "dead_letter": None,
}
ID = "01a20d33-994f-74a1-8936-e15ecec113da"
LAST = "ffffffff-ffff-7fff-bfff-ffffffffffff"
MERGE = {"Content-Type": "application/merge-patch+json"}


def test_what_is_created_is_read_with_its_defaults_and_the_same_etag() -> None:
    edge = Edge()
    made = edge.create(labels={"team": "orders"})
    shown = edge.ask("GET", made.headers["location"])
    assert shown.json() == made.json()
    assert shown.json()["labels"] == {"team": "orders"}
    assert (shown.json()["description"], shown.json()["enabled"]) == (None, True)
    assert shown.json()["delivery"] == DELIVERY
    assert shown.headers["etag"] == made.headers["etag"]


def test_the_same_idempotency_key_gives_the_same_subscription_once() -> None:
    edge, key = Edge(), {"Idempotency-Key": "deploy-7"}
    first = edge.ask("POST", PATH, json=BODY, headers=key)
    second = edge.ask("POST", PATH, json=BODY, headers=key)
    other = edge.ask("POST", PATH, json=BODY, headers=key, tenant="other")
    assert (first.status_code, second.status_code, other.status_code) == (201, 200, 201)
    assert first.content == second.content
    assert other.json()["id"] != first.json()["id"]
    assert len(edge.changes(first.headers["location"])) == 1


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_change_of_what_was_not_seen_is_412_and_changes_nothing(method: str) -> None:
    edge = Edge()
    made = edge.create()
    path, seen = made.headers["location"], made.headers["etag"]
    edge.ask("PATCH", path, json={"name": "other"}, headers=MERGE)
    before = edge.ask("GET", path).content

    def change(if_match: str) -> httpx.Response:
        headers = {"If-Match": if_match} | (MERGE if method == "PATCH" else {})
        body = {"PUT": BODY, "PATCH": {"name": "mine"}, "DELETE": None}[method]
        return edge.ask(method, path, json=body, headers=headers)

    for stale in (seen, f"W/{seen}", '"x"', ""):
        refused = change(stale)
        assert refused.status_code == 412, stale
        assert refused.headers["content-type"] == "application/problem+json"
        assert edge.ask("GET", path).content == before
    assert change(f'"x", {refused.headers["etag"]}').status_code in (200, 204)


def test_if_match_of_any_and_none_at_all_change_what_is_there() -> None:
    edge = Edge()
    path = edge.create().headers["location"]
    assert edge.ask("PUT", path, json=BODY, headers={"If-Match": "*"}).status_code == 200
    assert edge.ask("DELETE", path).status_code == 204
    assert edge.ask("DELETE", path, headers={"If-Match": "*"}).status_code == 404


def test_a_patch_changes_members_and_null_takes_one_away() -> None:
    edge = Edge()
    path = edge.create(labels={"a": "1", "b": "2"}, description="x").headers["location"]
    patch = {
        "labels": {"a": None, "c": "3"},
        "description": None,
        "filter": {"entity_id": [{"prefix": "4"}]},
        "enabled": False,
    }
    answer = edge.ask("PATCH", path, json=patch, headers=MERGE)
    assert answer.status_code == 200, answer.text
    now = answer.json()
    assert now["labels"] == {"b": "2", "c": "3"}
    assert (now["description"], now["enabled"]) == (None, False)
    assert now["filter"] == BODY["filter"] | {"entity_id": [{"prefix": "4"}]}
    assert edge.ask("GET", path).json() == now


REFUSED_PATCHES: dict[str, tuple[Any, str]] = {
    "a name taken away": ({"name": None}, "/name"),
    "another id": ({"id": "x"}, "/id"),
    "an unknown member": ({"colour": 1}, "/colour"),
    "an operator that is none": ({"filter": {"entity_id": [{"a": 1}]}}, "/filter/entity_id/0"),
    "a list": ([], ""),
    "a region that is none": (
        {"destination": {"arn": arn("q").replace("eu-west-1", "eu-west-9")}},
        "/destination/arn",
    ),
    "a dead letter queue of such a region": (
        {
            "delivery": {
                "dead_letter": {"type": "sqs", "arn": arn("d").replace("eu-west-1", "eu-west-9")}
            }
        },
        "/delivery/dead_letter/arn",
    ),
}


@pytest.mark.parametrize(("patch", "pointer"), REFUSED_PATCHES.values(), ids=REFUSED_PATCHES.keys())
def test_a_patch_that_leaves_no_subscription_is_405(patch: Any, pointer: str) -> None:
    edge = Edge()
    path = edge.create().headers["location"]
    answer = edge.ask("PATCH", path, json=patch, headers=MERGE)
    assert answer.status_code == 405
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]
    assert len(edge.changes(path)) == 1


def test_a_subscription_of_before_delivery_settings_gets_them_with_its_first_change() -> None:
    edge = Edge()
    old = {"id": ID, "description": None, "labels": {}, "enabled": True} | BODY
    edge.follower.table.apply(f"acme:{ID}".encode(), json.dumps(old).encode())
    path = f"{PATH}/{ID}"
    shown = edge.ask("GET", path)
    assert shown.json() == old
    patch = {"delivery": {"messages_per_s": 200}}
    headers = MERGE | {"If-Match": shown.headers["etag"]}
    answer = edge.ask("PATCH", path, json=patch, headers=headers)
    now = answer.json()["delivery"]
    assert now == DELIVERY | {"messages_per_s": 200}
    [change] = edge.changes(path)
    assert (change["before"], change["after"]) == ({}, {"delivery": now})


def test_a_patch_is_declared_as_one() -> None:
    edge = Edge()
    path = edge.create().headers["location"]
    answer = edge.ask("PATCH", path, json={"name": "x"})
    assert (answer.status_code, answer.headers["accept-patch"]) == (
        415,
        "application/merge-patch+json",
    )


def test_a_deep_patch_is_refused() -> None:
    edge = Edge()
    path = edge.create().headers["location"]
    body = b'{"filter":' + b'{"a":' * 500 + b"1" + b"}" * 501
    answer = edge.ask("PATCH", path, content=body, headers=MERGE)
    assert answer.status_code == 400


def test_pages_show_each_once_and_lead_on(monkeypatch: pytest.MonkeyPatch) -> None:
    edge = Edge()
    made = {edge.create(name=str(number)).json()["id"] for number in range(5)}
    seen: list[str] = []
    url = f"{PATH}?limit=2"
    sizes = []
    while url:
        page = edge.ask("GET", url)
        items = page.json()["items"]
        sizes.append(len(items))
        seen += [each["id"] for each in items]
        assert ("link" in page.headers) == (page.json()["next"] is not None)
        url = str(page.links["next"]["url"]) if "next" in page.links else ""
    assert (sizes, seen) == ([2, 2, 1], sorted(made))
    assert edge.ask("GET", PATH).json()["next"] is None
    monkeypatch.setattr(pages, "PAGE_BYTES", 1)
    assert len(edge.ask("GET", PATH).json()["items"]) == 1
    assert edge.ask("GET", PATH, tenant="other").json() == {"items": [], "next": None}


def test_a_cursor_has_one_spelling() -> None:
    cursor = base64.urlsafe_b64encode(uuid.UUID(LAST).bytes).decode().rstrip("=")
    assert Edge().ask("GET", PATH, params={"cursor": cursor}).status_code == 200
    for other in (cursor.replace("_", "/"), cursor[:-1] + "x", f"{cursor}=="):
        assert other != cursor
        answer = Edge().ask("GET", PATH, params={"cursor": other})
        assert [each["pointer"] for each in answer.json()["errors"]] == ["/cursor"]


WRONG_QUERIES = {
    "a limit of nothing": ("limit=0", "/limit"),
    "a large limit": ("limit=1001", "/limit"),
    "a limit in Arabic digits": ("limit=%D9%A5", "/limit"),
    "a limit twice": ("limit=1&limit=1", "/limit"),
    "an unknown parameter": ("colour=red", "/colour"),
    "a cursor of somewhere else": ("cursor=x", "/cursor"),
    "no cursor": ("cursor=", "/cursor"),
}


@pytest.mark.parametrize(("query", "pointer"), WRONG_QUERIES.values(), ids=WRONG_QUERIES.keys())
def test_a_parameter_that_cannot_be_used_is_400(query: str, pointer: str) -> None:
    answer = Edge().ask("GET", f"{PATH}?{query}")
    assert answer.status_code == 400
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


def test_the_limit_of_a_tenant_is_told_and_is_of_that_tenant() -> None:
    edge = Edge(per_tenant_max=2)
    path = edge.create().headers["location"]
    edge.create()
    refused = edge.ask("POST", PATH, json=BODY)
    assert refused.status_code == 405
    assert (refused.json()["size"], refused.json()["limit"]) == (2, 2)
    assert edge.ask("POST", PATH, json=BODY, tenant="other").status_code == 201
    edge.ask("DELETE", path)
    edge.create()


def test_who_changed_what_is_told_newest_first_also_of_what_is_gone() -> None:
    edge = Edge()
    made = edge.create()
    path = made.headers["location"]
    edge.ask("PATCH", path, json={"enabled": False}, headers=MERGE)
    edge.ask("PUT", path, json=BODY | {"name": "new"})
    edge.ask("DELETE", path)
    changes = edge.changes(path)
    assert [each["action"] for each in changes] == ["delete", "replace", "patch", "create"]
    assert {each["by"] for each in changes} == {"client-of-acme"}
    assert all(each["at"].endswith("Z") and len(each["at"]) == 24 for each in changes)
    assert (changes[3]["before"], changes[3]["after"]) == (None, made.json())
    assert (changes[2]["before"], changes[2]["after"]) == ({"enabled": True}, {"enabled": False})
    assert (changes[0]["before"]["name"], changes[0]["after"]) == ("new", None)
    assert edge.ask("GET", path).status_code == 404
    assert edge.ask("GET", f"{path}/changes", tenant="other").status_code == 404


def test_compaction_keeps_every_change_beside_the_last_of_the_subscription() -> None:
    edge = Edge()
    path = edge.create().headers["location"]
    edge.ask("PATCH", path, json={"enabled": False}, headers=MERGE)
    compacted = Subscriptions(Changes())
    for key, value in dict(edge.log.records).items():
        compacted.apply(key, value)
    assert compacted.changes is not None
    assert len(compacted.changes.of("acme", path.rpartition("/")[2])) == 2
    assert list(compacted.of("acme")) == list(edge.follower.table.of("acme"))


def test_without_kafka_nothing_is_changed_and_reading_goes_on() -> None:
    edge = Edge()
    path = edge.create().headers["location"]
    for part in (edge.follower, edge.log):
        part.away = True
        for method, body, headers in (
            ("POST", BODY, {}),
            ("PUT", BODY, {}),
            ("PATCH", {"name": "x"}, MERGE),
            ("DELETE", None, {}),
        ):
            where = PATH if method == "POST" else path
            answer = edge.ask(method, where, json=body, headers=headers)
            assert (answer.status_code, "retry-after" in answer.headers) == (503, True), method
        assert edge.ask("GET", path).status_code == 200
        part.away = False


def test_an_inactive_one_is_shown_with_its_reason_and_can_be_replaced() -> None:
    edge = Edge()
    path = edge.create().headers["location"]
    name = path.rpartition("/")[2]
    edge.follower.table.apply(f"acme:{name}".encode(), json.dumps({"id": name, "new": 1}).encode())
    shown = edge.ask("GET", path)
    assert shown.json().keys() == {"id", "inactive"}
    assert edge.ask("GET", PATH).json()["items"] == [shown.json()]
    replaced = edge.ask("PUT", path, json=BODY, headers={"If-Match": shown.headers["etag"]})
    assert (replaced.status_code, "inactive" in replaced.json()) == (200, False)


@pytest.mark.parametrize(
    ("method", "body"),
    [("PATCH", {"enabled": True}), ("PATCH", {}), ("PUT", None), ("DELETE", None)],
)
def test_a_pause_is_shown_and_whatever_is_changed_lifts_it(method: str, body: Any) -> None:
    edge = Edge()
    made = edge.create()
    path, key = made.headers["location"], pause_key("acme", made.json()["id"])
    when = dict.fromkeys(("at", "since", "missed_from"), "2026-01-31T12:00:00.000Z")
    pause = when | {"code": "AccessDenied", "reason": "no"}
    edge.follower.table.apply(key, json.dumps(pause).encode())
    shown = edge.ask("GET", path)
    assert shown.json()["paused"] == pause
    assert "AccessDenied" in shown.json()["inactive"]
    assert shown.headers["etag"] != made.headers["etag"]
    given = {name: member for name, member in shown.json().items() if name != "id"}
    headers = MERGE if method == "PATCH" else {"Content-Type": "application/json"}
    headers = headers | {"If-Match": shown.headers["etag"]}
    content = json.dumps(given if method == "PUT" else body)
    answer = edge.ask(method, path, headers=headers, content=content)
    assert answer.status_code in (200, 204), answer.text
    assert (key, None) in edge.log.records
    if method != "DELETE":
        now = edge.ask("GET", path).json()
        assert now.pop("started")["missed"] == "skip"  # it begins with what is new, as it says
        assert now == made.json()
    assert edge.changes(path)[0]["before"]["paused"] == pause
