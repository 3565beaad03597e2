"""Slots: no tenant holds all calls, none is lost, and whoever waits has its turn."""

import asyncio
import random
from collections import Counter

import pytest

from contracts.subscription_table import Subscriptions
from processors.deliver import lane
from processors.deliver.place import Place
from processors.deliver.slots import Slots
from tests.fakes import FakeRecord
from tests.fakes.delivering import FakeQueues, RouterInMemory
from tests.queues import arn
from tests.unit.test_deliver import a_subscription
from tests.unit.test_lane_races import until
from tests.unit.test_lanes import log_of

MOST = 16


async def test_a_tenant_alone_has_three_quarters_and_the_others_the_rest() -> None:
    slots = Slots(MOST)
    takes = [asyncio.create_task(slots.take("hog")) for _ in range(MOST)]
    await asyncio.sleep(0)
    assert sum(each.done() for each in takes) == 12
    for name in ("a", "b", "a", "b"):
        await asyncio.wait_for(slots.take(name), 60)
    late = asyncio.create_task(slots.take("c"))
    await asyncio.sleep(0)
    assert not late.done()
    slots.give("hog")
    await asyncio.wait_for(late, 60)  # though the hog has waited for longer
    for each in takes:
        each.cancel()


@pytest.mark.parametrize("most", [1, 2, 3, 7])
async def test_few_slots_are_slots_too(most: int) -> None:
    slots = Slots(most)
    await asyncio.wait_for(slots.take("a"), 60)
    slots.give("a")
    await asyncio.wait_for(slots.take("a"), 60)


async def test_nothing_is_lost_whatever_is_cancelled() -> None:
    chance, slots, held = random.Random(1), Slots(MOST), Counter[str]()

    async def call(tenant: str) -> None:
        await slots.take(tenant)
        held[tenant] += 1
        assert held.total() <= MOST
        try:
            await asyncio.sleep(chance.choice([0, 0.001]))
        finally:
            held[tenant] -= 1
            slots.give(tenant)

    for _ in range(30):
        calls = [asyncio.create_task(call(chance.choice("abc"))) for _ in range(60)]
        for each in chance.sample(calls, 20):
            await asyncio.sleep(0)
            each.cancel()
        async with asyncio.timeout(60):
            await asyncio.gather(*calls, return_exceptions=True)
    taken = [asyncio.create_task(slots.take("a")) for _ in range(12)]
    async with asyncio.timeout(60):
        await asyncio.gather(*taken)  # all of them are free again


class OneConnection(FakeQueues):
    """Takes `MOST` calls at once, whoever makes them, as a process does."""

    def __init__(self) -> None:
        super().__init__()
        self._calls = asyncio.Semaphore(MOST)

    async def send(self, *of: object) -> list[object]:  # type: ignore[override]
        async with self._calls:
            return await super().send(*of)  # type: ignore[arg-type, return-value]


async def test_many_queues_of_a_tenant_that_begin_to_hang_hold_up_no_other_tenant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They had answered before, so each risks sixteen calls; no gate is opened for the other's sake."""
    monkeypatch.setattr(lane, "PATIENCE_S", 0.02)
    names, table, queues = [f"h{n}" for n in range(8)], Subscriptions(), OneConnection()
    for name in names:
        table.apply(f"acme:{name}".encode(), a_subscription(arn(name), id=name).represent())
    table.apply(b"other:well", a_subscription(arn("well"), id="well").represent())
    events = log_of(1000)
    for record in events[0][10::50]:
        tenant = [("ce_tenant", b"other")]
        events[0][record.offset] = FakeRecord(record.value, 0, record.offset, headers=tenant)
    async with RouterInMemory(queues, table, events) as router:
        await router.step(0, 0, 10)
        for name in names:
            queues.gate[name] = asyncio.Event()
        await asyncio.wait_for(router.step(0, 10, 1000), 30)
        # while all of the others hang; a busy machine makes the well one look slow too, for a while
        await until(lambda: len(queues.sent["well"]) == 20)
        assert Place("acme", "h0", 0) in router.places.behind
        for gate in queues.gate.values():
            gate.set()
        await router.caught_up()
    assert all(len(queues.sent[name]) == 980 for name in names)
