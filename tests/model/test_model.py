"""The processors' own steps, in many orders of what may happen, do what a model of twenty lines says."""

import logging
import os
import random
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from contracts.clickhouse.table import FOR_EVER_MS
from contracts.erasures import WINDOW_MS, Erasure
from processors.consume.one_log import OfOneLog
from processors.materialize.names import NamesFilter
from processors.materialize.reading import read_rows
from processors.upkeep.rebuild import Rebuild
from processors.upkeep.swap import FRESH_TABLE
from tests.builders import an_event, represented
from tests.examples import examples
from tests.fakes import FakeRecord
from tests.model import orders
from tests.model.machine import Events
from tests.model.ports import ModelErasures, ModelRows
from tests.model.server import Server, Storage, Stored, stored
from tests.model.world import HOUR_MS, World

EXAMPLES = int(os.environ.get("TESTS_MODEL_EXAMPLES") or examples(500))
ORDERS = int(os.environ.get("TESTS_MODEL_ORDERS", "3000"))
STEPS = 80
VALUE = represented(an_event(), "01a20d33-994f-74a1-8936-e15ecec113da")
CONTROL_ORDERS = 30_000


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """What is owed is said each time."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


def run(examples: int, **more: Any) -> None:
    chosen = settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        **more,
    )
    run_state_machine_as_test(Events, settings=chosen)


def test_whatever_happens_the_table_ends_as_the_log_says() -> None:
    run(EXAMPLES, derandomize="TESTS_MODEL_EXAMPLES" not in os.environ)


def test_in_thousands_of_random_orders_too() -> None:
    seed = random.randrange(10**9) if "TESTS_MODEL_ORDERS" in os.environ else 0
    if found := orders.found(ORDERS, seed):
        raise AssertionError(orders.told(orders.shortened(*found))) from found[1]


async def test_a_rebuild_does_not_forget_what_is_owed_to_the_table_in_use() -> None:
    server = Server(0, None)
    used = ModelErasures(server)
    row_ = read_rows([FakeRecord(VALUE)])[0][0]
    server.storages["events"].rows += stored([(0, row_)])
    server.storages[FRESH_TABLE] = Storage()
    server.room = False
    erasure = Erasure(*row_.name, 0, 1, row_.received_ms, final=False)
    await used.erase([erasure])
    await ModelErasures(server, FRESH_TABLE).erase([erasure])
    server.room = True
    await used.pay()
    server.mutate()
    assert server.storages["events"].visible() == []


def test_a_copy_without_the_tombstone_brings_nothing_back() -> None:
    world = World()
    world.post("a", "", 0, 0)
    world.erase(0, 0, final=True)
    world.calm()
    world.anew([1])
    assert world.accept("copy")
    world.calm()
    assert world.server.storages["events"].visible() == []


def test_a_repeat_that_never_had_a_row_explains_no_loss() -> None:
    """Of a key posted at 0, 34 and 51 hours the second is left out, the third stored."""
    world = World()
    for hours in (0, 34, 17):
        world.server.now_ms += hours * HOUR_MS
        world.post("a", "k", 0, 0)
        world.calm()
    world.server.now_ms += 34 * HOUR_MS
    world.server.storages["events"].rows.clear()
    audit = world.start(world.audit(to_end=True))
    clock = SimpleNamespace(time=lambda: world.server.now_ms / 1000)
    with patch("processors.upkeep.absent.time", clock):
        world.finish(audit)
    assert [each[:2] for each in audit.result.wrong["missing"]] == [(0, 2)]


async def _nothing(*args: Any, **kwargs: Any) -> None:
    pass


async def _no_names(rows: ModelRows) -> NamesFilter:
    return NamesFilter()


async def _the_first_step(self: Any, records: Any) -> Any:
    if self._step is None:
        self._step = await self._step_of(await self._ask())
    return await self._step(records)


_note = ModelErasures._note


async def _in_memory(self: ModelErasures, erasures: Any, *, owed: bool) -> None:
    await _note(self, erasures, owed=False)


BROKEN: dict[str, Callable[[], Any]] = {
    "names are remembered, and not read from the table": lambda: patch.object(
        ModelRows, "filter", _no_names
    ),
    "what a failed insert may have brought is forgotten": lambda: patch.object(
        NamesFilter, "add", lambda self, event_id: self.may_hold(event_id)
    ),
    "a repeat of what had expired is left out": lambda: patch.object(
        Server, "expires_ms", lambda self, row: FOR_EVER_MS
    ),
    "of two rows the one received first stays": lambda: patch.object(
        Stored, "precedence", property(lambda self: -self.row.received_ms)
    ),
    "an erasure covers what was received before it": lambda: patch.object(
        Erasure, "covers", lambda self, partition, offset, ms: ms <= self.erased_ms
    ),
    "an erasure covers a window": lambda: patch.object(
        Erasure,
        "covers",
        lambda self, partition, offset, ms: (
            ms <= self.erased_ms + WINDOW_MS
            or (partition == self.partition and offset < self.offset)
        ),
    ),
    "what is owed is in memory": lambda: patch.object(ModelErasures, "_note", _in_memory),
    "the topic's id is not asked for": lambda: patch.object(OfOneLog, "__call__", _the_first_step),
    "all that is new is inserted unasked": lambda: patch.object(
        NamesFilter, "add", lambda self, event_id: False
    ),
    "the digests are not compared": lambda: patch(
        "processors.upkeep.audit._judge",
        lambda account, partition, offset, said, found: account.agree(partition, [said or 0]),
    ),
}


BEGIN = {"the topic's id is not asked for": 10_400}
"""The number of the first order that is tried, where few of them fail: it saves time alone."""


@pytest.mark.parametrize("rule", BROKEN)
def test_with_a_rule_broken_it_ends_otherwise(rule: str) -> None:
    """The control: each of these was once the rule, or is one that somebody may think is not needed."""
    with BROKEN[rule]():
        found = orders.found(CONTROL_ORDERS, BEGIN.get(rule, 0))
    assert found
    assert orders.failure(iter(found[0]), []) is None  # with the rule as it is


def lost_at_the_swap() -> bool:
    """Whether an insert that looked its table up before the swap may be lost, wherever both stand."""
    post, on = ("post", {"entity": "a", "key": "", "body": 0, "skew_ms": 0}), "a_command_goes_on"

    def work(steps: int) -> orders.Step:
        return "work", {"at": 0, "batch": 1, "steps": steps}

    for swap in range(1, 40):
        for insert in range(1, 9):
            order = [
                post,
                work(40),
                post,
                ("rebuild", {}),
                (on, {"at": 0, "steps": swap}),
                work(insert),
            ]
            if orders.failure(iter([*order, (on, {"at": 0, "steps": 300}), work(40)]), []):
                return True
    return False


def test_a_rebuild_waits_for_inserts_into_the_old_table() -> None:
    assert not lost_at_the_swap()
    with patch.object(Rebuild, "_take_over", _nothing):
        assert lost_at_the_swap()


def named_missing_after_the_swap() -> bool:
    """Whether a repeat may look new between a rebuild's swap and its fill, wherever that stands."""
    on = "a_command_goes_on"
    post: orders.Step = "post", {"entity": "a", "key": "k", "body": 0, "skew_ms": 0}
    work: orders.Step = ("work", {"at": 0, "batch": 1, "steps": 40})
    for before in range(1, 60):
        for between in range(1, 9):
            goes_on = [(on, {"at": 0, "steps": steps}) for steps in (before, between, 300)]
            order = [goes_on[0], post, work, goes_on[1], post, work, goes_on[2]]
            if orders.failure(iter([("rebuild", {}), *order]), []):
                return True
    return False


def test_a_repeat_between_a_rebuilds_swap_and_its_fill_is_none_that_is_new() -> None:
    assert not named_missing_after_the_swap()
    with patch.object(ModelRows, "_in_both", ModelRows._visible):
        assert named_missing_after_the_swap()
