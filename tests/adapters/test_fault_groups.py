"""Queries of failures and values in a real ClickHouse: within their limits, and without what was erased."""

import json
import uuid
from typing import Any

import pytest

from contracts.clickhouse import fault_features, faults
from contracts.clickhouse.counts import read_values, select_values
from contracts.clickhouse.fault_features import StoredFeature, read_features, select_features
from contracts.clickhouse.faults import Groups, Place, StoredGroup, read_entities, read_groups
from contracts.counts import FieldSearch
from contracts.faults import FaultCriteria
from contracts.intervals import span
from query.bounded import BoundedQueries
from query.fault_states import FaultStates
from query.scan import Limits, TooBroad
from query.slots import Slots
from service.clickhouse import ClickHouse
from tests.adapters.test_pages import NOW_MS, Database, Stored, database, v7

__all__ = ["database"]
SPAN = span(NOW_MS - 3_600_000, NOW_MS + 3_600_000)
NO_CRITERIA = FaultCriteria()
LIMITS = Limits(10_000_000, 30.0, 2)


def failure(number: int, message: str, **changes: Any) -> Stored:
    fault = json.dumps({"message": message})
    return Stored(v7(NOW_MS + number, number), NOW_MS + number, fault=fault, **changes)


def asked(database: Database, query: tuple[str, dict[str, Any]], limits: Limits = LIMITS) -> bytes:
    async def ask(clickhouse: ClickHouse) -> bytes:
        return await BoundedQueries(clickhouse.select, limits, Slots(1, 1, 5))(query)

    answer: bytes = database.run(ask)
    return answer


def groups(database: Database) -> list[StoredGroup]:
    query = Groups(database.name, "acme", NO_CRITERIA, SPAN).page("count", Place(), 50)
    return read_groups(asked(database, query))


def erased(database: Database, event: Stored) -> None:
    """As noted, while its row is still to be deleted."""
    row = f"('acme', '{event.id}', now64(3), 0, 99, true)"
    columns = "(tenant, id, erased_at, kafka_partition, kafka_offset, final)"
    insert = f"INSERT INTO {database.name}.erasures {columns} VALUES {row}"
    database.run(lambda clickhouse: clickhouse.execute(insert))


def test_more_groups_than_are_counted_are_refused(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With some left out the page would say that the newest failures are not there."""
    words = ["till", "shelf", "order", "store", "price", "stock"]
    database.hold([failure(n, f"no such {word}") for n, word in enumerate(words)])
    assert len(groups(database)) == 6
    monkeypatch.setattr(faults, "GROUPS_MAX", 5)
    with pytest.raises(TooBroad):
        groups(database)


def compared(database: Database) -> list[StoredFeature]:
    """What the events of the only group have."""
    [group] = groups(database)
    of = (database.name, "acme", NO_CRITERIA, SPAN, group.fingerprint, group.count, 0)
    return read_features(asked(database, select_features(*of)))


def test_what_clients_make_up_is_compared_within_limits(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up = [
        {"same": 1, "x" * 400: "y"} | {f"{event}-{member}": 1 for member in range(400)}
        for event in range(4)
    ]
    parts = [[failure(n, "late", payload=json.dumps(it))] for n, it in enumerate(made_up)]
    database.hold(*parts)
    monkeypatch.setattr(fault_features, "SUPPORT_MIN", 1)
    found = compared(database)
    assert (found[0].field, found[0].in_group) == ("", 4)
    assert [each.in_group for each in found if each.field == "payload.same"] == [4]
    members = [each for each in found if each.field == "payload"]
    assert len(members) == 1 + 4 * (fault_features.MEMBERS_MAX - 2)
    assert max(len(each.field) for each in found) < 400
    monkeypatch.setattr(fault_features, "PAIRS_MAX", 50)
    few = compared(database)
    assert (few[0].field, few[0].in_group) == ("", 4)
    assert len(few) < 1000


def test_what_was_erased_is_not_shown_while_its_row_is_still_there(database: Database) -> None:
    kept, gone = failure(1, "till", entity_id="kept"), failure(2, "till", entity_id="gone")
    database.hold([kept, gone, failure(3, "secret", entity_id="gone")])
    for event in (gone, failure(3, "secret")):
        erased(database, event)
    [group] = groups(database)
    assert (group.message, group.count, group.sample_id) == ("till", 1, kept.id)
    of = Groups(database.name, "acme", NO_CRITERIA, SPAN, group.fingerprint)
    assert [each.entity_id for each in read_entities(asked(database, of.entities()))] == ["kept"]
    assert asked(database, of.latest(group)).decode().split() == [kept.id]
    search = FieldSearch(field="entity_id")
    query = select_values(database.name, "acme", search, SPAN.from_ms, SPAN.to_ms)
    assert read_values(asked(database, query)) == (1, [("kept", 1)])


def said(database: Database, *sayings: tuple[str, int, int, int]) -> None:
    """Sayings of one group: what, when, and where in the log."""
    lines = [
        json.dumps(
            {
                "id": str(uuid.uuid4()), "tenant": "acme", "event_type": "SYSTEM_EVENT",
                "event_source": "APPLICATION", "operation": "UPDATE", "entity_id": "fault:ff",
                "payload_entity_id": "fault:ff",
                "key_attributes": {"fault_state": state, "until_count": "1"},
                "received_at": f"{at_ms // 1000}.{at_ms % 1000:03d}",
                "kafka_partition": partition, "kafka_offset": offset,
            }
        )
        for state, at_ms, partition, offset in sayings
    ]  # fmt: skip

    async def fill(clickhouse: ClickHouse) -> None:
        insert = f"INSERT INTO {database.name}.events FORMAT JSONEachRow\n" + "\n".join(lines)
        await clickhouse.execute(insert)

    database.run(fill)


def states(database: Database, limits: Limits = LIMITS) -> dict[str, Any]:
    async def ask(clickhouse: ClickHouse) -> Any:
        queries = BoundedQueries(clickhouse.select, limits, Slots(1, 1, 5))
        return await FaultStates(queries, database.name).of("acme", ["ff", "ee"], SPAN.from_ms)

    found: dict[str, Any] = database.run(ask)
    return found


def test_the_saying_that_was_received_last_counts_wherever_it_lies(database: Database) -> None:
    """Partitions that were added put a group's sayings elsewhere, at lower offsets."""
    database.hold([failure(1, "till")])
    said(database, ("known", NOW_MS, 0, 900), ("resolved", NOW_MS + 5, 7, 3))
    assert states(database)["ff"].said == "resolved"


def test_what_is_quiet_for_too_long_to_count_is_told_without_a_count(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time_ns", lambda: (NOW_MS + 7 * 86_400_000) * 1_000_000)
    database.hold([failure(n, "till") for n in range(2000)])
    said(database, ("quiet", NOW_MS - 1, 0, 1))
    assert states(database)["ff"].since == 0  # of another kind
    found = states(database, LIMITS._replace(rows_max=100))
    assert (found["ff"].state, found["ff"].said, found["ff"].since) == ("quiet", "quiet", None)
    assert found["ee"].said == "open"
