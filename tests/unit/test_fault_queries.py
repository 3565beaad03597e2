"""Queries of failures, counts and states: every value is bound, none is written into the SQL."""

import re
from typing import Any

import pytest

from contracts.clickhouse.counts import select_by_time, select_values
from contracts.clickhouse.fault_features import select_features, select_size
from contracts.clickhouse.fault_states import select_said, select_since
from contracts.clickhouse.faults import Groups, Place, StoredGroup
from contracts.counts import CountSearch, FieldSearch
from contracts.faults import FaultCriteria
from contracts.intervals import span

HOSTILE = "' OR 1=1 -- {tenant:String}"
SPAN = span(0, 86_400_000)
GIVEN: dict[str, Any] = {"entity_id": HOSTILE, "key_attributes": {HOSTILE: HOSTILE}, "q": HOSTILE}
CRITERIA = FaultCriteria(**GIVEN, status=500)
ALL = Groups("d", "acme", CRITERIA, SPAN)
ONE = Groups("d", "acme", CRITERIA, SPAN, "00000000000000ff")
OF = ("d", "acme", CRITERIA, SPAN)


def a_group(count: int, buckets: tuple[list[int], list[int]]) -> StoredGroup:
    """A group of so many failures, by interval."""
    none: tuple[list[str], list[int]] = ([], [])
    return StoredGroup(
        "00000000000000ff", 255, 500, "", count, 0, 0, 0, 1, "", buckets, none, count, count, 1
    )


QUERIES = {
    "groups": ALL.page("entities", Place(), 51),
    "a group": ONE.page("count", Place(3, 4), 1),
    "entities": ONE.entities(),
    "latest": ONE.latest(a_group(12, ([1, 0], [11, 1]))),
    "size": select_size(*OF),
    "features": select_features(*OF, "00000000000000ff", 10, 1000),
    "counts": select_by_time("d", "acme", CountSearch(**GIVEN), SPAN, "status"),
    "values": select_values(
        "d", "acme", FieldSearch(**GIVEN, field=f"key_attributes.{HOSTILE}", prefix=HOSTILE), 0, 1
    ),
    "said": select_said("d", "acme", [HOSTILE]),
    "since": select_since("d", "acme", {HOSTILE: 7, "b": 3}),
}


@pytest.mark.parametrize("name", QUERIES)
def test_every_value_is_a_parameter(name: str) -> None:
    sql, parameters = QUERIES[name]
    assert set(re.findall(r"\{(\w+):[\w()]+\}", sql)) == set(parameters)
    assert HOSTILE not in sql
    assert parameters["tenant"] == "acme"


def test_one_group_is_found_by_its_fingerprint() -> None:
    assert ONE.entities()[1]["fingerprint"] == "00000000000000ff"
    assert "fingerprint" not in ALL.entities()[1]


def test_what_came_since_is_read_from_the_earliest_time_on() -> None:
    assert QUERIES["since"][1]["since_ms"] == 3


def test_the_latest_are_read_from_as_late_on_as_there_are_enough() -> None:
    week = Groups("d", "acme", CRITERIA, span(5, 7 * 86_400_000, "day"), "00000000000000ff")

    def since(*counts: int) -> int:
        buckets = [*range(len(counts))], [*counts]
        read: int = week.latest(a_group(sum(counts), buckets))[1]["since_ms"]
        return read

    assert since(50, 3, 4, 9) == 2 * 86_400_000
    assert since(50, 3, 4, 10) == 3 * 86_400_000
    assert since(3, 3) == since(50) == 5
