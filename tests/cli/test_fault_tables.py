"""Failures and counts on a terminal: courses as characters, growth, texts that cannot steer it."""

import io
from typing import Any

import pytest
from rich.console import Console

from cli.fault_tables import counts_table, fault_shown, faults_table, growth, sparkline

FAULT: dict[str, Any] = {
    "fingerprint": "0cc9f27410257dad",
    "status": 504,
    "message": "timeout of \x1b[31m* exceeded",
    "count": 1234,
    "before": 617,
    "entities": 17,
    "first_seen": "2026-11-20T10:00:00.000Z",
    "last_seen": "2026-11-26T10:00:00.000Z",
    "sample_id": "01932c50-71db-7000-8a5b-2f6c9d0e1a2b",
    "buckets": [0, 1, 1233],
    "state": {"state": "open", "said": "resolved"},
    "operations": [{"event_source": "ORDER", "operation": "UPDATE", "count": 1234}],
}


def shown(drawn: Any) -> str:
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(drawn, highlight=False)
    return console.export_text()


def test_a_course_is_a_character_for_each_interval() -> None:
    assert sparkline([0, 1, 4, 8]) == " ▂▅█"
    assert sparkline([]) == ""
    assert sparkline([0, 0]) == "  "
    assert sparkline([5, 5]) == "██"
    assert len(sparkline(list(range(168)))) == 24
    assert sparkline([1, 1] * 24) == "█" * 24


@pytest.mark.parametrize(
    ("count", "before", "told"),
    [(3, 0, "new"), (15, 10, "+50%"), (5, 10, "-50%"), (500, 10, "x50")],
)
def test_growth_is_told(count: int, before: int, told: str) -> None:
    assert growth(count, before) == told


def test_a_kind_is_a_row_with_its_id_whole() -> None:
    text = shown(faults_table([FAULT]))
    for part in (
        "1,234",
        "+100%",
        " ▂█",
        "504",
        "open, was resolved",
        FAULT["fingerprint"],
        "timeout of \ufffd[31m",
    ):
        assert part in text


def test_one_kind_is_shown_with_what_sets_it_apart() -> None:
    difference = {"field": "key_attributes.store", "value": "7", "lift": 40.7}
    difference |= {"group_share": 0.95, "rest_share": 0.02}
    has = difference | {"field": "payload", "value": "coupon", "lift": 123.4}
    detail = {
        "fault": FAULT,
        "entities": [{"entity_id": "order-7", "count": 12}],
        "compared": {"group": 1000, "rest": 4000},
        "differences": [difference, has],
    }
    text = shown(fault_shown(detail))
    for part in ("ORDER UPDATE", "order-7", "95%", "2%", "40.7 times", "key_attributes.store = 7"):
        assert part in text
    for part in ("payload.coupon", "123 times", "of 1,000 of this kind and 4,000 others"):
        assert part in text
    assert f"events get {FAULT['sample_id']}" in text
    assert "elsewhere" not in shown(fault_shown(detail | {"differences": []}))


def test_counts_are_a_row_for_each_value() -> None:
    series = [
        {"value": "FAULT", "count": 3, "buckets": [1, 2]},
        {"value": None, "count": 1, "buckets": [0, 1]},
    ]
    text = shown(counts_table({"interval": "hour", "series": series}))
    assert "by hour" in text
    assert "FAULT" in text
