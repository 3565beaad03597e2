"""A rebuild's swap on a cluster: replicas whose names and comments are their own, as ClickHouse's are."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from processors.consume.step import Transient
from processors.upkeep.swap import FRESH_TABLE, MARK, Refused, Tables
from tests.replicas import CONNECTION, ENGINE, Replicas, rebuild


def do(server: Replicas, step: Callable[[Tables], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        return await step(Tables(server, CONNECTION))

    return asyncio.run(run())


def test_every_step_reaches_every_replica() -> None:
    server = Replicas()
    do(server, rebuild)
    assert server.statements() == [
        "CREATE TABLE events.events_rebuild ON CLUSTER `main` AS events.events COMMENT '...'",
        "SYSTEM SYNC REPLICA ON CLUSTER `main` events.events_rebuild LIGHTWEIGHT",
        "EXCHANGE TABLES events.events AND events.events_rebuild ON CLUSTER `main`",
        "DROP TABLE IF EXISTS events.events_rebuild ON CLUSTER `main`"
        " SETTINGS max_table_size_to_drop = 0",
        "ALTER TABLE events.events ON CLUSTER `main` MODIFY COMMENT '...'",
    ]
    assert server.made == {"a": {"events": "Events"}, "b": {"events": "Events"}}
    for sent in server.reads:
        if "system.tables" in sent.sql:
            assert "clusterAllReplicas('main', system.tables)" in sent.sql
            assert not sent.settings  # one that is away is an error


def test_one_server_is_sent_what_it_always_was() -> None:
    server = Replicas("ReplacingMergeTree(precedence)", cluster="")
    do(server, rebuild)
    assert server.statements() == [
        "CREATE TABLE events.events_rebuild AS events.events COMMENT '...'",
        "EXCHANGE TABLES events.events AND events.events_rebuild",
        "DROP TABLE events.events_rebuild SETTINGS max_table_size_to_drop = 0",
        "ALTER TABLE events.events MODIFY COMMENT '...'",
    ]
    assert {sent.sql for sent in server.reads} == {
        "SELECT name, comment, create_table_query FROM system.tables\n"
        "WHERE database = 'events' AND name IN ('events', 'events_rebuild')"
        " FORMAT JSONCompactEachRow"
    }


def test_with_a_replica_away_nothing_is_begun() -> None:
    server = Replicas()
    server.away = {"b"}
    with pytest.raises(Transient, match="ALL_CONNECTION_TRIES_FAILED"):
        do(server, rebuild)
    assert not server.writes


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5])
def test_a_replica_that_goes_away_before_a_step_does_it_later_and_the_rebuild_goes_on(
    step: int,
) -> None:
    server = Replicas()
    run = server._run

    async def until_then(method: str, *positional: Any, **arguments: Any) -> bytes:
        if method == "command" and len(server.writes) + 1 == step:
            server.away = {"b"}
        return await run(method, *positional, **arguments)

    server._run = until_then  # type: ignore[method-assign]
    with pytest.raises(Transient, match="not finished"):
        do(server, rebuild)
    server._run = run  # type: ignore[method-assign]
    server.away, away = set(), server.away
    with pytest.raises(
        Transient, match="waits in the queue for b"
    ):  # it is up again and is not so far yet
        do(server, rebuild)
    assert len(server.writes) == step
    server.away = away
    server.comes_back()
    do(server, rebuild)
    assert server.made == {"a": {"events": "Events"}, "b": {"events": "Events"}}
    exchanges = [sent for sent in server.writes if sent.sql.startswith("EXCHANGE")]
    assert len(exchanges) == (1 if step < 5 else 2)  # after the last step it is another rebuild


@pytest.mark.parametrize(
    ("a", "b", "reason"),
    [
        (
            {"events": MARK + "Events", FRESH_TABLE: "Events"},
            {"events": "Events", FRESH_TABLE: MARK + "Events"},
            "exchanged on some replicas, not on b. Run EXCHANGE",
        ),
        (
            {"events": "Events", FRESH_TABLE: MARK + "Events"},
            {"events": "Events"},
            "on some replicas only: a. Drop it there",
        ),
        (
            {"events": "Events"},
            {"events": "Events", FRESH_TABLE: "mine"},
            "not made by a rebuild",
        ),
        ({"events": "Events"}, {FRESH_TABLE: MARK + "Events"}, "no table events.events"),
    ],
)
def test_replicas_that_do_not_agree_are_left_alone(
    a: dict[str, str], b: dict[str, str], reason: str
) -> None:
    server = Replicas()
    server.made = {"a": a, "b": b}
    with pytest.raises(Refused, match=reason):
        do(server, rebuild)
    assert not server.writes


def test_marks_that_one_replica_has_lost_already_are_taken_away() -> None:
    server = Replicas()
    server.made = {"a": {"events": "Events"}, "b": {"events": MARK + "Events"}}
    do(server, rebuild)
    assert server.made == {"a": {"events": "Events"}, "b": {"events": "Events"}}
    assert [sent.sql.split()[0] for sent in server.writes] == ["ALTER"]


def test_a_mark_that_stays_on_a_replica_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ClickHouse that changes the comment on one replica alone."""
    server = Replicas()
    change = server._change

    def on_a_only(made: dict[str, str], sql: str) -> None:
        if not sql.startswith("ALTER") or made is server.made["a"]:
            change(made, sql)

    monkeypatch.setattr(server, "_change", on_a_only)
    with pytest.raises(Refused, match="MODIFY COMMENT 'Events' on each replica"):
        do(server, rebuild)


@pytest.mark.parametrize(
    ("engine", "cluster", "reason"),
    [
        (ENGINE, "", "EVENTS_TABLES__CLUSTER"),
        ("ReplacingMergeTree(precedence)", "main", "{uuid}"),
        (ENGINE.replace("{uuid}", "events"), "main", "{uuid}"),
    ],
)
def test_tables_that_cannot_be_swapped_are_refused_before_anything_is_made(
    engine: str, cluster: str, reason: str
) -> None:
    server = Replicas(engine, cluster)
    with pytest.raises(Refused, match=reason):
        do(server, rebuild)
    assert not server.writes


def test_a_table_that_was_altered_on_one_replica_only_is_noticed() -> None:
    server = Replicas()
    do(server, Tables.create)
    server.made["b"]["events"] = "Changed"
    with pytest.raises(Refused, match="was changed since"):
        do(server, Tables.compare)
