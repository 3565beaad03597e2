"""When batches are cut, and deadlines that cost nothing while they are kept."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from service.kafka.deadline import Deadline
from service.kafka.linger import Linger

LONG_S = 60.0
SOON_S = 10.0


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(SOON_S):
            await test()

    asyncio.run(bounded())


def test_what_is_not_known_to_be_whole_waits_for_the_time() -> None:
    async def test() -> None:
        cut = asyncio.Event()
        linger = Linger(0.01, cut.set)
        linger.added()
        linger.begin()
        await asyncio.sleep(0)
        assert not cut.is_set()
        await cut.wait()

    run(test)


@pytest.mark.parametrize(("answered", "waiting"), [(1, 0), (3, 0), (2, 5)])
def test_when_all_are_back_it_is_cut_at_once_and_once(answered: int, waiting: int) -> None:
    async def test() -> None:
        cuts = 0

        def cut() -> None:
            nonlocal cuts
            cuts += 1
            linger.waits(0)

        linger = Linger(LONG_S, cut)
        linger.waits(waiting, answered)
        linger.begin()
        for _ in range(answered):
            await asyncio.sleep(0)
            assert not cuts
            linger.added()
        linger.added()  # one that nobody expected, in the same turn of the loop
        await asyncio.sleep(0)
        assert cuts == 1
        linger.begin()
        linger.added()
        await asyncio.sleep(0)
        assert cuts == 1  # nobody knows who comes now

    run(test)


def test_a_deadline_passes_once_and_only_when_it_is_kept() -> None:
    async def test() -> None:
        passed, kept = 0, asyncio.Event()

        def pass_by() -> None:
            nonlocal passed
            passed += 1
            kept.set()

        stopped = Deadline(0.01, pass_by)
        stopped.start()
        stopped.stop()
        loop = asyncio.get_running_loop()
        deadline = Deadline(0.05, pass_by)
        deadline.start()
        begun_s = loop.time()
        while loop.time() < begun_s + 0.02:
            await asyncio.sleep(0)
        deadline.start()
        begun_s = loop.time()
        await kept.wait()
        assert loop.time() - begun_s >= 0.045
        kept.clear()
        deadline.start()
        await kept.wait()
        assert passed == 2

    run(test)
