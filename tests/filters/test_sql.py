"""The condition of ClickHouse answers what the naive evaluator answers, on the real engine."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from clickhouse_connect.driver.binding import format_bind_value
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from contracts.encoding.codec import EventJson, decode_base64
from contracts.filters import Filter, Refused, View, matches, parse, to_sql
from tests.examples import examples
from tests.filters import strategies

if TYPE_CHECKING:
    from chdb.state.sqlitelike import Connection

COLUMNS = """event_type LowCardinality(String), event_source LowCardinality(String),
    operation LowCardinality(String), entity_id String, entity_name Nullable(String),
    key_attributes Map(LowCardinality(String), String), payload Nullable(String),
    fault Nullable(String)"""


@pytest.fixture(scope="module")
def engine() -> "Iterator[Connection]":
    from chdb.state.sqlitelike import connect  # large: every worker reads this file, one runs it

    connection = connect(":memory:")
    connection.query(f"CREATE TABLE events (n UInt32, {COLUMNS}) ENGINE = Memory")
    yield connection
    connection.close()


def literal(text: str | None) -> str:
    """For the rows of this test; `to_sql` itself writes none."""
    if text is None:
        return "NULL"
    return f"unhex('{text.encode().hex()}')"


def row(number: int, event: EventJson) -> str:
    payload = event.event_payload
    attributes: Any = payload.key_attributes
    pairs = ", ".join(f"{literal(name)}, {literal(text)}" for name, text in attributes.items())
    texts: list[Any] = [event.event_type, event.event_source, payload.operation, event.entity_id]
    listed = [str(number), *map(literal, [*texts, event.entity_name]), f"map({pairs})"]
    for encoded in (payload.base64_encoded_payload_json, payload.base64_encoded_fault_json):
        raw = decode_base64(encoded) if isinstance(encoded, str) else None
        listed.append("NULL" if raw is None else f"unhex('{raw.hex()}')")
    return f"({', '.join(listed)})"


def test_sql_is_naive(engine: "Connection") -> None:
    @settings(max_examples=examples(60))
    @given(
        st.lists(strategies.patterns, min_size=4, max_size=8),
        st.lists(strategies.events(), min_size=2, max_size=6),
    )
    def check(patterns: list[Any], events: list[EventJson]) -> None:
        filters = []
        for pattern in patterns:
            try:
                filters.append(parse(pattern))
            except Refused:
                continue
        assume(filters)
        expected = [[int(matches(each, View(event))) for each in filters] for event in events]
        assert asked(engine, filters, events) == expected, [*map(to_sql, filters)]

    check()


def asked(engine: "Connection", filters: list[Filter], events: list[EventJson]) -> list[list[int]]:
    """What each filter says of each event."""
    engine.query("TRUNCATE TABLE events")
    engine.query(f"INSERT INTO events VALUES {', '.join(row(n, e) for n, e in enumerate(events))}")
    conditions: list[str] = []
    parameters: dict[str, str] = {}
    for number, each in enumerate(filters):
        condition, bound = to_sql(each, f"p{number}")
        conditions.append(f"toUInt8({condition})")
        parameters |= {name: format_bind_value(text) for name, text in bound.items()}
    query = f"SELECT [{', '.join(conditions)}] FROM events ORDER BY n FORMAT JSONCompactEachRow"
    lines = str(engine.query(query, params=parameters)).splitlines()
    return [json.loads(line)[0] for line in lines]
