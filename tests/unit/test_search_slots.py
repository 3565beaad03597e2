"""Slots of searches: tenants take turns, nobody fills all places to wait, no slot is lost."""

import asyncio
import random
from collections import Counter

import pytest

from query.slots import Slots, TooManySearches

WAIT_S = 60


async def searches(slots: Slots, names: str, order: list[str]) -> list["asyncio.Task[None]"]:
    """Searches of these tenants, begun one after another; each writes down when it runs."""

    async def search(tenant: str) -> None:
        async with slots.taken(tenant):
            order.append(tenant)
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(search(each)) for each in names]
    await asyncio.sleep(0)
    return tasks


async def test_a_neighbour_is_next_however_many_one_tenant_asked_for() -> None:
    slots, order = Slots(1, 100, WAIT_S), list[str]()
    tasks = await searches(slots, "hhhhhhhhhhabba", order)
    async with asyncio.timeout(WAIT_S):
        await asyncio.gather(*tasks)
    assert "".join(order[:7]) == "hhabhab"  # one under way, then all in turns
    assert Counter(order) == {"h": 10, "a": 2, "b": 2}


@pytest.mark.parametrize(("queries_max", "free"), [(1, 0), (2, 1), (4, 1)])
async def test_what_may_take_long_leaves_a_slot_to_others(queries_max: int, free: int) -> None:
    slots = Slots(queries_max, 100, WAIT_S)
    end, running = asyncio.Event(), list[str]()

    async def count(tenant: str) -> None:
        async with slots.long.taken(tenant), slots.taken(tenant):
            running.append(tenant)
            await end.wait()

    counts = [asyncio.create_task(count("hog")) for _ in range(8)]
    await asyncio.sleep(0)
    assert len(running) == max(1, queries_max - 1)
    order = list[str]()
    neighbours = await searches(slots, "nn", order)
    assert order == ["n"] * free
    end.set()
    async with asyncio.timeout(WAIT_S):
        await asyncio.gather(*counts, *neighbours)
    assert (len(running), order) == (8, ["n", "n"])


async def test_the_last_places_to_wait_are_for_who_has_few() -> None:
    slots = Slots(1, 8, WAIT_S)
    async with slots.taken("hog"):
        waiting = await searches(slots, "h" * 6, [])
        with pytest.raises(TooManySearches):
            async with slots.taken("h"):
                pass
        waiting += await searches(slots, "ab", [])
        with pytest.raises(TooManySearches):
            async with slots.taken("c"):
                pass
    async with asyncio.timeout(WAIT_S):
        await asyncio.gather(*waiting)


async def test_who_waits_too_long_is_told_and_leaves_no_trace() -> None:
    slots = Slots(1, 1, 0.01)
    async with slots.taken("a"):
        for _ in range(3):  # the place to wait is free again each time
            with pytest.raises(TooManySearches, match="in time"):
                async with slots.taken("b"):
                    pass
    async with slots.taken("b"):
        pass


async def test_no_slot_is_lost_whatever_is_cancelled() -> None:
    chance, slots, running = random.Random(1), Slots(3, 1000, WAIT_S), 0

    async def search(tenant: str) -> None:
        nonlocal running
        async with slots.taken(tenant):
            running += 1
            assert running <= 3
            try:
                await asyncio.sleep(chance.choice([0, 0.001]))
            finally:
                running -= 1

    for _ in range(30):
        tasks = [asyncio.create_task(search(chance.choice("abc"))) for _ in range(60)]
        for each in chance.sample(tasks, 20):
            await asyncio.sleep(0)
            each.cancel()
        async with asyncio.timeout(WAIT_S):
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(each is None or isinstance(each, asyncio.CancelledError) for each in ended)
    async with asyncio.timeout(WAIT_S), slots.taken("a"), slots.taken("b"), slots.taken("c"):
        pass
