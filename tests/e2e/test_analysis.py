"""The questions of docs/how-to/analyse.md, each run on events that were posted through the API."""

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.encoding.block import INSERT_COLUMNS
from tests.stack import Stack, eventually

ANALYSIS = (Path(__file__).parent.parent.parent / "docs" / "how-to" / "analyse.md").read_text()
QUESTIONS = {
    int(number): sql
    for number, sql in re.findall(r"^### (\d+)\..*?```sql\n(.*?)```", ANALYSIS, re.M | re.S)
}
TIMEOUT = "timeout of * exceeded"
HTML = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"

# entity, source, type, operation, fault, payload, correlation id
POSTED: list[tuple[str, str, str, str, Any, Any, str]] = [
    ("A-1", "ORDER", "ENTITY_EVENT", "CREATE", None, {"total_price": "10.50"}, "c-1"),
    ("A-1", "ORDER", "FAULT", "UPDATE", {"status": 504, "message": "timeout of 30000ms exceeded"},
     {"total_price": "10.50", "currency": "EUR"}, "c-1"),
    ("A-1", "ORDER", "FAULT", "UPDATE", {"status": 504, "message": "timeout of 500ms exceeded"},
     {"total_price": "10.50", "currency": "EUR"}, "c-2"),
    ("A-1", "ORDER", "ENTITY_EVENT", "UPDATE", None, None, "c-3"),
    ("A-2", "ORDER", "FAULT", "UPDATE", {"status": 504, "message": "timeout of 7ms exceeded"},
     {"total_price": 99, "currency": "EUR"}, "c-4"),
    ("C-9", "CUSTOMER", "FAULT", "CREATE",
     {"statusCode": 422, "errors": {"email": ["jo@example.com has already been taken"]}}, None, "c-1"),
    ("P-3", "PRODUCT", "ENTITY_EVENT", "UPDATE", HTML, None, "c-5"),
    ("P-3", "PRODUCT", "WARNING", "UPDATE", None, None, "c-6"),
    ("W-1", "WISHLIST", "FAULT", "READ", '{"id":"12\\"}', None, "c-7"),
]  # fmt: skip

EXPECTED: dict[int, Callable[[list[Any]], Any]] = {
    1: lambda rows: rows[0][:5] == [504, TIMEOUT, 3, 2, {"ORDER UPDATE": 3}]
    and {(row[0], row[1], row[2]) for row in rows[1:]}
    == {
        (422, "email: * has already been taken", 1),
        (502, "502 Bad Gateway", 1),
        (0, "Broken JSON with id", 1),
    },
    2: lambda rows: [row[1:] for row in rows]
    == [
        [504, TIMEOUT, 3],
        [422, "email: * has already been taken", 1],
        [502, "502 Bad Gateway", 1],
        [0, "Broken JSON with id", 1],
    ],
    3: lambda rows: [(row[2], json.loads(row[3])["message"]) for row in rows]
    == [(entity, f"timeout of {ms}ms exceeded") for entity, ms in
        [("A-2", 7), ("A-1", 500), ("A-1", 30000)]],
    4: lambda rows: {row[1]: row[2:] for row in rows}
    == {
        "ORDER": [5, 3, 0.6],
        "CUSTOMER": [1, 1, 1],
        "PRODUCT": [2, 1, 0.5],
        "WISHLIST": [1, 1, 1],
    },
    5: lambda rows: [row[:3] for row in rows] == [["ORDER", "A-1", 2]],
    6: lambda rows: [row[1] for row in rows]
    == [
        "CREATE of ORDER",
        f"UPDATE of ORDER failed with 504: {TIMEOUT}",
        f"UPDATE of ORDER failed with 504: {TIMEOUT}",
        "UPDATE of ORDER",
    ],
    7: lambda rows: [row[1:] for row in rows]
    == [
        ["ORDER", "A-1", "CREATE of ORDER"],
        ["ORDER", "A-1", f"UPDATE of ORDER failed with 504: {TIMEOUT}"],
        ["CUSTOMER", "C-9", "CREATE of CUSTOMER failed with 422: email: * has already been taken"],
    ],
    8: lambda rows: [(row[1], row[3]) for row in rows]
    == [("W-1", "Broken JSON with id"), ("C-9", "email: * has already been taken"), ("A-2", TIMEOUT)],
    9: lambda rows: [row[:2] for row in rows] == [["ORDER", 1], ["PRODUCT", 1]]
    and all(0 < row[2] <= row[3] < 60 for row in rows),
    10: lambda rows: [(row[0], row[1], len(row[2])) for row in rows] == [("EUR", 120, 3)],
}  # fmt: skip


def encoded(part: Any) -> str:
    text = part if isinstance(part, str) else json.dumps(part)
    return base64.b64encode(text.encode()).decode()


@pytest.fixture(scope="module")
def shop(stack: Stack) -> str:
    """A tenant whose events are in ClickHouse."""
    shop = "analysed"
    with stack.client(shop) as client:
        for entity, source, type_, operation, fault, payload, correlation in POSTED:
            parts = {
                "base64_encoded_fault_json": fault and encoded(fault),
                "base64_encoded_payload_json": payload and encoded(payload),
                "key_attributes": {"correlationId": correlation},
                "operation": operation,
            }
            event = {"entity_id": entity, "event_source": source, "event_type": type_}
            assert client.post("/api/v1/events", json=event | {"event_payload": parts}).is_success
    eventually(lambda: stack.counts(shop)[0], until=lambda count: count == len(POSTED))
    return shop


def test_there_are_ten_questions() -> None:
    assert list(QUESTIONS) == list(range(1, 11)) == list(EXPECTED)


@pytest.mark.parametrize("number", QUESTIONS)
def test_a_question_is_answered(stack: Stack, shop: str, number: int) -> None:
    rows = stack.sql(QUESTIONS[number].replace("'acme'", f"'{shop}'"))
    assert EXPECTED[number](rows), rows


def test_hourly_counts_say_how_much_there_is(stack: Stack, shop: str) -> None:
    rows = stack.sql(
        "SELECT event_type, sum(count) FROM event_counts"
        f" WHERE tenant = '{shop}' AND hour >= now() - INTERVAL 2 HOUR GROUP BY 1 ORDER BY 1"
    )
    assert rows == [["ENTITY_EVENT", 3], ["FAULT", 5], ["WARNING", 1]]


def test_a_repeat_counts_once_before_it_is_merged_away(stack: Stack, shop: str) -> None:
    columns = ", ".join(INSERT_COLUMNS)
    before = stack.sql(f"SELECT * EXCEPT tenant FROM faults WHERE tenant = '{shop}' ORDER BY ALL")
    stack.sql(
        f"INSERT INTO events ({columns}) SELECT {columns} FROM events WHERE tenant = '{shop}'"
    )
    views = ("faults", "faults_since(since = now() - INTERVAL 1 HOUR)")
    for view in views:
        rows = stack.sql(f"SELECT * EXCEPT tenant FROM {view} WHERE tenant = '{shop}' ORDER BY ALL")
        assert rows == before
    assert stack.sql(f"SELECT sum(events) FROM fault_rate WHERE tenant = '{shop}'") == [
        [len(POSTED)]
    ]
