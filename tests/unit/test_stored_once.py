"""The exactly-once steps on a table in memory: whatever fails, every record is stored once."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.attempts import encode_attempt
from contracts.topics import DELIVERIES, EVENTS
from processors.consume.step import Step, Transient
from processors.ledger.step import Ledger
from processors.materialize.step import Materialize
from tests.attempts import an_attempt
from tests.builders import an_event, represented
from tests.fakes import FakeDeliveries, FakeRecord, FakeRows


@dataclass(frozen=True)
class Kind:
    """A step, the table that it fills, and a record that it reads."""

    step: Callable[[FakeRows | FakeDeliveries], Step]
    table: type[FakeRows] | type[FakeDeliveries]
    value: bytes
    topic: str

    def records(self, *positions: tuple[int, int]) -> list[FakeRecord]:
        return [FakeRecord(self.value, *each, topic=self.topic) for each in positions]


KINDS = {
    "materialize": Kind(
        Materialize,  # type: ignore[arg-type]  # each with its own table
        FakeRows,
        represented(an_event(), "01a20d33-994f-74a1-8936-e15ecec113da"),
        EVENTS,
    ),
    "ledger": Kind(
        Ledger,  # type: ignore[arg-type]
        FakeDeliveries,
        encode_attempt(an_attempt()),
        DELIVERIES,
    ),
}


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


async def test_records_past_all_that_was_stored_are_inserted_without_reading_back(
    kind: Kind,
) -> None:
    table = kind.table()
    step = kind.step(table)
    await step(kind.records((0, 0), (1, 0)))
    await step(kind.records((0, 1), (1, 1)))
    assert table.stored == [(0, 0), (1, 0), (0, 1), (1, 1)]
    assert table.waited_for == [{0, 1}]  # once, at the first sight of the partitions


async def test_an_insert_whose_answer_was_lost_is_not_repeated(kind: Kind) -> None:
    table = kind.table(fail_after=1)
    step, batch = kind.step(table), kind.records((0, 0), (0, 1))
    with pytest.raises(Transient):
        await step(batch)
    await step(batch)
    assert sorted(table.stored) == [(0, 0), (0, 1)]
    assert table.waited_for == [{0}, {0}]  # the unknown insert was waited for


async def test_a_partition_that_was_elsewhere_is_read_back(kind: Kind) -> None:
    table = kind.table()
    step = kind.step(table)
    await step(kind.records((0, 0)))
    await kind.step(table)(kind.records((0, 1)))  # another owner, who did not live to commit
    step.assigned({0})
    await step(kind.records((0, 1), (0, 2)))
    assert sorted(table.stored) == [(0, 0), (0, 1), (0, 2)]


steps = st.lists(
    st.tuples(
        st.integers(1, 4),  # records in the batch
        st.sampled_from(["works", "refused", "answer lost", "killed before commit", "moved"]),
    ),
    max_size=25,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # the kind is constant
@given(steps)
async def test_whatever_fails_every_record_is_stored_exactly_once(
    kind: Kind, story: list[tuple[int, str]]
) -> None:
    """The log is read from the committed offset again after each failure, as Kafka would give it."""
    table = kind.table()
    step, committed = kind.step(table), 0
    for size, fate in story:
        if fate == "moved":
            step = kind.step(table)
        table.fail_before = fate == "refused"
        table.fail_after = fate == "answer lost"
        with contextlib.suppress(Transient):
            await step(kind.records(*((0, committed + n) for n in range(size))))
            if fate == "killed before commit":
                step = kind.step(table)
            else:
                committed += size
    table.fail_before = table.fail_after = 0
    await step(kind.records(*((0, committed + n) for n in range(4))))
    assert len(table.stored) == len(set(table.stored))
    assert set(table.stored) >= {(0, offset) for offset in range(committed + 4)}
