"""What the topic says becomes a table: earlier releases' records keep their meaning, none stops a reader."""

import json
from typing import Any

import pytest

from bench import applied
from contracts import changes
from contracts.changes import Changes, change_key, change_value
from contracts.encoding.wire import decode_event
from contracts.filters import View
from contracts.pauses import pause_key
from contracts.subscription_table import Subscriptions, UnreadableSubscription
from tests.builders import an_event, represented
from tests.queues import arn

ID = "01a20d33-994f-74a1-8936-e15ecec113da"


def stored(table: Subscriptions, name: str, **members: Any) -> None:
    """A record as the topic has it."""
    body: dict[str, Any] = {
        "name": name,
        "filter": {},
        "destination": {"type": "sqs", "arn": arn("q")},
        "enabled": True,
        "id": name,
    }
    table.apply(f"acme:{name}".encode(), json.dumps(body | members).encode())


def matching(table: Subscriptions, **event: Any) -> set[object]:
    view = View(decode_event(represented(an_event(**event), ID)))
    return set(table.matching("acme", view))


def test_accepted_values_per_field_mean_what_they_meant() -> None:
    table = Subscriptions()
    stored(table, "old", filter={"event_type": ["FAULT", "WARNING"], "entity_name": None})
    assert matching(table, event_type="FAULT", entity_name="x") == {"old"}
    assert matching(table, event_type="WARNING") == {"old"}
    assert matching(table, event_type="ENTITY_EVENT") == set()


def test_a_null_that_was_written_as_a_pattern_means_null() -> None:
    table = Subscriptions()
    stored(table, "new", filter={"entity_name": None}, labels={})
    assert matching(table, entity_name="x") == set()
    assert matching(table) == {"new"}


def test_a_change_counts_from_its_record_on_and_a_deletion_too() -> None:
    table = Subscriptions()
    stored(table, "one", filter={"entity_id": [{"prefix": "1"}]})
    stored(table, "two")
    assert matching(table) == {"one", "two"}
    stored(table, "one", filter={"entity_id": [{"prefix": "2"}]})
    stored(table, "two", enabled=False)
    assert matching(table) == set()
    assert matching(table, entity_id="2") == {"one"}
    table.apply(b"acme:one", None)
    assert not table.has("acme")
    assert [each.id for each in table.of("acme")] == ["two"]
    table.apply(b"acme:two", None)
    assert list(table.of("acme")) == []


def test_who_walks_through_them_sees_those_of_the_beginning() -> None:
    table = Subscriptions()
    for name in ("two", "one", "three"):
        stored(table, name)
    walk = table.of("acme", after="one")
    table.apply(b"acme:two", None)
    assert [each.id for each in walk] == ["three", "two"]


def test_numbers_of_a_stored_filter_are_what_was_written() -> None:
    table, filter_ = Subscriptions(), '{"payload":{"n":[1.10,12345678901234567890123,1E+400]}}'
    destination = f'{{"type":"sqs","arn":"{arn("q")}"}}'
    body = f'{{"name":"x","filter":{filter_},"destination":{destination},"id":"one"}}'
    table.apply(b"acme:one", body.encode())
    subscription = table.get("acme", "one")
    assert subscription is not None
    assert filter_.encode() in subscription.represent()


def test_record_batches_as_the_edge_writes_them_are_the_table() -> None:
    patterns = [{"entity_id": [str(number)]} for number in range(20)]
    table = applied.apply(applied.topic(patterns))
    assert [each.filter for each in table.of(applied.TENANT)] == patterns
    view = View(decode_event(represented(an_event(entity_id="7"), ID)))
    [found] = table.matching(applied.TENANT, view)
    assert [each.name for each in table.of(applied.TENANT) if each.id == found] == [
        "subscription 7"
    ]


UNREADABLE: dict[str, dict[str, Any]] = {
    "an operator of another release": {"filter": {"entity_id": [{"soundex": "x"}]}},
    "a member of another release": {"window": 5},
    "no filter": {"filter": None},
    "another id": {"id": "elsewhere"},
    "a destination of another kind": {"destination": {"type": "webhook"}},
}


@pytest.mark.parametrize("members", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_cannot_be_read_is_inactive_with_a_reason_and_stops_nobody(
    members: dict[str, Any],
) -> None:
    table = Subscriptions()
    stored(table, "one")
    stored(table, "two")
    stored(table, "one", **members)
    assert matching(table) == {"two"}
    subscription = table.get("acme", "one")
    assert subscription is not None
    assert not subscription.active
    assert "by this release" in json.loads(subscription.represent())["inactive"]
    stored(table, "one")
    assert matching(table) == {"one", "two"}


@pytest.mark.parametrize(
    "value",
    [b"", b"[]", b"\xff", b"[" * 100_000, b'{"id":', b'["\\ud800"]', b"[1e%b]" % (b"9" * 20)],
)
def test_bytes_that_are_no_subscription_are_one(value: bytes) -> None:
    table = Subscriptions()
    table.apply(b"acme:one", value)
    subscription = table.get("acme", "one")
    assert subscription is not None
    assert json.loads(subscription.represent()).keys() == {"id", "inactive"}


@pytest.mark.parametrize("key", [None, b"", b"acme", b"acme:", b"!:one", b"\xff:one"])
def test_a_key_that_names_no_subscription_is_refused(key: bytes | None) -> None:
    with pytest.raises(UnreadableSubscription):
        Subscriptions().apply(key, b"{}")


def a_change(number: int) -> bytes:
    after = {"name": str(number)}
    return change_value(f"{number:03}", "2026-01-31T12:00:00Z", "me", "create", None, after)


def test_changes_are_kept_where_they_are_asked_for_newest_first_and_by_subscription() -> None:
    table, without = Subscriptions(Changes()), Subscriptions()
    for number, owner in enumerate(("one", "two", "one")):
        for each in (table, without):
            each.apply(change_key("acme", owner, f"{number:03}"), a_change(number))
    assert without.changes is None
    assert table.changes is not None
    assert table.changes.of("acme", "one") == [a_change(2), a_change(0)]
    assert table.changes.of("other", "one") == []
    assert not list(table.of("acme"))  # a change is no subscription


def test_the_oldest_changes_go_when_a_tenant_has_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(a_change(0))
    monkeypatch.setattr(changes, "BYTES_MAX", 3 * size)
    kept = Changes()
    for number in range(3):
        kept.apply("acme", "one", f"change:{number:03}", a_change(number))
    assert kept.excess("acme", 0) == []
    assert kept.excess("other", size) == []
    [oldest] = kept.excess("acme", size)
    assert oldest == change_key("acme", "one", "000")
    kept.apply("acme", "one", "change:000", None)
    assert kept.of("acme", "one") == [a_change(2), a_change(1)]
    assert kept.excess("acme", size) == []


def test_a_change_tells_the_members_that_differ() -> None:
    before, after = {"name": "a", "enabled": True, "x": 1}, {"name": "b", "enabled": True, "y": 2}
    told = json.loads(change_value("1", "t", "me", "patch", before, after))
    assert (told["before"], told["after"]) == ({"name": "a", "x": 1}, {"name": "b", "y": 2})


def paused(table: Subscriptions, name: str, **members: Any) -> None:
    """A record of the router's."""
    when = dict.fromkeys(("at", "since", "missed_from"), "2026-01-31T12:00:00.000Z")
    body = when | {"code": "AccessDenied", "reason": "no"} | members
    table.apply(pause_key("acme", name), json.dumps(body).encode())


def test_a_pause_holds_until_the_next_record_of_the_subscription() -> None:
    table = Subscriptions()
    stored(table, "one")
    version = table.version
    paused(table, "one")
    assert not matching(table)
    assert table.version > version
    found = table.get("acme", "one")
    assert found is not None
    assert not found.active
    assert "AccessDenied" in found.document()["inactive"]
    assert found.document()["paused"]["since"] == "2026-01-31T12:00:00.000Z"
    stored(table, "one")  # the same again
    assert matching(table) == {"one"}
    table.apply(pause_key("acme", "one"), None)
    assert matching(table) == {"one"}
    lifted = table.get("acme", "one")
    assert lifted is not None
    assert "paused" not in lifted.document()


def test_a_pause_of_what_is_not_there_or_was_lifted_since_is_none() -> None:
    """What compaction leaves: the pause before the record that lifted it, or no subscription at all."""
    table = Subscriptions()
    paused(table, "one")
    stored(table, "one")
    paused(table, "two")
    stored(table, "off", enabled=False)
    paused(table, "off")
    assert matching(table) == {"one"}
    off = table.get("acme", "off")
    assert off is not None
    assert off.inactive is None


def test_a_pause_that_cannot_be_read_is_told() -> None:
    table = Subscriptions()
    stored(table, "one")
    with pytest.raises(UnreadableSubscription, match="at"):
        paused(table, "one", at=1)
    assert matching(table) == {"one"}
