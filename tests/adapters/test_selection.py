"""What a redrive or a replay picks, on a real engine: what is dead, or was received, and still there."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from contracts.attempts import Attempt
from contracts.clickhouse.deliveries import DELIVERIES_TABLE, AttemptBlock, AttemptRow
from contracts.clickhouse.resend import Wanted, wanted_again, wanted_dead
from contracts.criteria import rfc_3339
from contracts.filters import Filter, parse
from contracts.resending import Redrive, Replay
from processors.upkeep.database import Database
from query.bounded import BoundedQueries
from query.scan import Limits, TooBroad
from query.selection import Selection
from query.slots import Slots
from service.clickhouse import ClickHouse
from service.connections import ClickHouseConnection, KafkaConnection
from tests.attempts import NOW_MS, an_attempt
from tests.stack import Stack
from tests.tables import fresh_table

SUBSCRIPTION, OTHER = str(uuid.uuid4()), str(uuid.uuid4())
MINUTE_MS, DAY_MS = 60_000, 86_400_000
FIRSTS = [0, 0, 5]
"""Kafka keeps partition 2 from offset 5 on."""


class Tables:
    """Events and ledger in a database of its own; the log's number is 3."""

    def __init__(self, clickhouse: ClickHouse, connection: ClickHouseConnection) -> None:
        self.clickhouse, self.name = clickhouse, connection.database
        self._attempts = Database(clickhouse, connection).rows(0, DELIVERIES_TABLE, "test ")
        self._told = 0
        self.selection = self.select(rows_max=10_000_000)

    def select(self, rows_max: int) -> Selection:
        """Picks of them, a query reading so many rows."""
        ask = BoundedQueries(self.clickhouse.select, Limits(rows_max, 30, 2), Slots(1, 1, 30))
        return Selection(ask, self.name, KafkaConnection())

    async def event(
        self,
        place: tuple[int, int],
        log: int = 3,
        received_ms: int = NOW_MS - MINUTE_MS,
        event_id: str = "",
        **columns: str,
    ) -> str:
        """Its id; written twice, as may happen."""
        event_id = event_id or str(uuid.uuid4())
        row = {"tenant": "acme", "entity_id": "1", "payload_entity_id": "1", "operation": "READ"}
        row |= {"event_type": "FAULT", "event_source": "ORDER"} | columns
        names = ", ".join(
            (*row, "id", "received_at", "kafka_log", "kafka_partition", "kafka_offset")
        )
        texts = ", ".join(f"'{text}'" for text in (*row.values(), event_id))
        values = f"{texts}, fromUnixTimestamp64Milli({received_ms}), {log}, {place[0]}, {place[1]}"
        for _ in range(2):
            await self.clickhouse.execute(
                f"INSERT INTO {self.name}.events ({names}) VALUES ({values})"
            )
        return event_id

    async def told(self, event_id: str, *states: str, **changes: Any) -> None:
        """Attempts of it, a second apart, each written twice."""
        for number, state in enumerate(states):
            known = {"state": state, "at": NOW_MS - MINUTE_MS + 1000 * number}
            known |= {"event_id": event_id, "subscription_id": SUBSCRIPTION, "code": "AccessDenied"}
            attempt: Attempt = an_attempt(**known | changes)
            for _ in range(2):
                await self._attempts.insert(AttemptBlock([AttemptRow(0, self._told, attempt)]))
            self._told += 1

    async def dead(self, place: tuple[int, int], **changes: Any) -> str:
        """An event that is dead."""
        event_id = await self.event(place)
        await self.told(event_id, "failed", "dead", **changes)
        return event_id

    def redrive(self, filter_: Filter | None = None, **asked: Any) -> Wanted:
        model = Redrive.model_validate(asked)
        return wanted_dead(self.name, "acme", SUBSCRIPTION, model, filter_, FIRSTS)

    def replay(self, *filters: Filter, from_: str = "", to: str = "") -> Wanted:
        asked = {"from": from_ or "2020-01-01T00:00:00Z", "to": to or "2100-01-01T00:00:00Z"}
        return wanted_again(self.name, "acme", Replay.model_validate(asked), filters, FIRSTS)

    async def places(self, wanted: Wanted) -> dict[str, list[int]]:
        """Of all; the counts say as many."""
        found = await self.selection.places(wanted)
        counted = await self.selection.count(wanted)
        assert counted.all == sum(map(len, found.values()))
        return found


@pytest.fixture
async def tables(stack: Stack) -> AsyncIterator[Tables]:
    async with fresh_table(stack.status["clickhouse"]) as (clickhouse, connection):
        made = Tables(clickhouse, connection)
        for number in (0, 3):
            await clickhouse.execute(
                f"INSERT INTO {made.name}.logs (number, topic_id) VALUES ({number}, generateUUIDv4())"
            )
        yield made


async def test_a_redrive_picks_what_is_dead_at_last_and_nothing_else(tables: Tables) -> None:
    await tables.dead((0, 7))
    await tables.dead((1, 3))
    await tables.dead((0, 2))
    for place, states in (
        ((0, 10), ["dead", "delivered"]),
        ((0, 11), ["failed"]),
        ((0, 12), ["dead", "failed"]),  # a redrive has it in hand
        ((0, 13), ["failed", "cancelled"]),
    ):
        await tables.told(await tables.event(place), *states)
    await tables.event((0, 14))  # never tried
    await tables.told(await tables.event((0, 15)), "dead", subscription_id=OTHER)
    await tables.told(await tables.event((0, 16)), "dead", tenant="emca")
    await tables.told("", "opened", "dead", partition=0, offset=17, until=19)
    again = await tables.event((0, 18))
    await tables.told(again, "dead", "delivered")
    await tables.told(again, "dead", at=NOW_MS)  # sent again, refused again
    assert await tables.places(tables.redrive()) == {"0": [2, 7, 18], "1": [3]}


async def test_what_is_not_there_any_more_is_not_picked(tables: Tables) -> None:
    kept = await tables.dead((2, 5))
    erased = await tables.dead((0, 1))
    await tables.clickhouse.execute(
        f"INSERT INTO {tables.name}.erasures (tenant, id, final) VALUES ('acme', '{erased}', true)"
    )
    await tables.dead((2, 4))  # Kafka has deleted it
    await tables.told(str(uuid.uuid4()), "dead")  # never came to the view, or left it
    for log in (0, 2):
        await tables.told(await tables.event((0, 3), log=log), "dead")  # of a topic before
    both = await tables.event((1, 9))
    await tables.event((1, 2), log=0, event_id=both)
    await tables.told(both, "dead")
    assert await tables.places(tables.redrive()) == {"1": [9], "2": [5]}
    await tables.clickhouse.execute(
        f"ALTER TABLE {tables.name}.events MODIFY COLUMN expires_at Nullable(DateTime64(3, 'UTC'))"
        f" ALIAS if(id = '{kept}', toDateTime64(1, 3, 'UTC'), NULL)"
    )
    assert await tables.places(tables.redrive()) == {"1": [9]}


async def test_a_redrive_by_code_time_id_and_filter(tables: Tables) -> None:
    denied = await tables.dead((0, 1))
    await tables.dead((0, 2), code="NotThere", message="gone")
    await tables.dead((0, 3), code="")
    late = await tables.event((1, 4), event_source="CUSTOMER")
    await tables.told(late, "dead", at=NOW_MS)
    customers = parse({"event_source": ["CUSTOMER"]})
    for asked, found in (
        ({"codes": ["NotThere", ""]}, {"0": [2, 3]}),
        ({"event_ids": [denied, late, str(uuid.uuid4())]}, {"0": [1], "1": [4]}),
        ({"filter_": customers}, {"1": [4]}),
        ({"filter_": customers, "codes": ["NotThere"]}, {}),
        ({"from": "2100-01-01T00:00:00Z"}, {}),
        ({"to": "2020-01-01T00:00:00Z"}, {}),
    ):
        assert await tables.places(tables.redrive(**asked)) == found
    assert (await tables.selection.count(tables.redrive())).by == [
        *(("AccessDenied", 2), ("", 1), ("NotThere", 1)),
    ]
    shown = await tables.selection.preview(
        "redrive",
        tables.redrive(codes=["NotThere"]),
        await tables.selection.count(tables.redrive(codes=["NotThere"])),
    )
    assert (shown["count"], shown["beyond"], shown["counts"]) == (
        *(1, 0, [{"of": "NotThere", "count": 1}]),
    )
    [sample] = shown["samples"]
    assert (sample["code"], sample["message"], sample["entity_id"]) == ("NotThere", "gone", "1")


async def test_a_replay_picks_what_was_received_in_time_and_both_filters_accept(
    tables: Tables,
) -> None:
    day = 1_790_000_000_000 // DAY_MS * DAY_MS
    for offset in range(4):
        await tables.event((0, offset), received_ms=day + offset * DAY_MS // 2)
    await tables.event((1, 7), received_ms=day, event_source="CUSTOMER", entity_id="9")
    await tables.event((2, 4), received_ms=day)  # Kafka has deleted it
    everything = tables.replay()
    assert await tables.places(everything) == {"0": [0, 1, 2, 3], "1": [7]}
    assert (await tables.selection.count(everything)).by == [
        *(("2026-09-21", 3), ("2026-09-22", 2)),
    ]
    some = tables.replay(from_="2026-09-21T12:00:00Z", to="2026-09-22T12:00:00Z")
    assert await tables.places(some) == {"0": [1, 2]}
    customers, one = parse({"event_source": ["CUSTOMER"]}), parse({"entity_id": ["1"]})
    assert await tables.places(tables.replay(customers)) == {"1": [7]}
    assert await tables.places(tables.replay(customers, one)) == {}
    nothing = tables.replay(customers, one)
    assert await tables.selection.preview(
        "replay", nothing, await tables.selection.count(nothing)
    ) == {"kind": "replay", "count": 0, "beyond": 0, "counts": [], "samples": []}


async def test_a_replay_of_a_day_is_not_refused_for_its_rows(tables: Tables) -> None:
    """Rows under Idempotency-Keys are read for any time."""
    await tables.event((0, 7))
    await tables.event((1, 3), received_ms=NOW_MS - 3 * DAY_MS)
    day = tables.replay(from_=rfc_3339(NOW_MS - DAY_MS), to=rfc_3339(NOW_MS))
    week = tables.replay(from_=rfc_3339(NOW_MS - 7 * DAY_MS), to=rfc_3339(NOW_MS))
    selection = tables.select(rows_max=1)
    assert (await selection.count(day)).all == 1
    assert await selection.places(day) == {"0": [7]}
    with pytest.raises(TooBroad):
        await selection.count(week)
    assert (await tables.selection.count(week)).all == 2
