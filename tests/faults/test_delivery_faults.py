"""A queue's faults, told on the whole router, with every (event, subscription) counted.

Before, during and after each fault events are posted. Only a lost answer, or a process that ends, may
have something delivered again.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial

import pytest

from tests.faults.deliveries import POLL_S, Deliveries
from tests.faults.routing import PlayRouting, Routing
from tests.faults.servers import kills, seed

APPENDED = 80
BITES_S = 60.0
MEMBERS = 2


@contextlib.contextmanager
def faulty(deliveries: Deliveries, **faults: float | str) -> Iterator[None]:
    """All queues have these while the context is open."""
    well = {name: queue.faults for name, queue in deliveries.live.items()}
    for queue in deliveries.live.values():
        queue.faults = type(queue.faults)(**faults)  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name, queue in deliveries.live.items():
            queue.faults = well[name]


@contextlib.contextmanager
def deleted(deliveries: Deliveries) -> Iterator[None]:
    """The first queue of each kind is gone, and then made anew."""
    names = [next(n for n in deliveries.live if n.endswith(kind)) for kind in (".fifo", "")]
    for name in names:
        del deliveries.sqs.queues[name]
    try:
        yield
    finally:
        for name in names:
            deliveries.create(name)


@contextlib.contextmanager
def away(deliveries: Deliveries) -> Iterator[None]:
    """Nobody listens."""
    with deliveries.sqs.away():
        yield


Fault = Callable[[Deliveries], AbstractContextManager[None]]
HEALS: dict[str, Fault] = {
    "slow": partial(faulty, slow_s=2.0),
    "throttling": partial(faulty, refuse="RequestThrottled"),
    "failing a tenth": partial(faulty, failing=0.1),
    "failing all": partial(faulty, refuse="ServiceUnavailable"),
    "denying": partial(faulty, refuse="AccessDenied"),
    "deleted": deleted,
}
LOSES: dict[str, Fault] = {
    "away": away,
    "losing answers": partial(faulty, lost=0.3),
    "silent": partial(faulty, slow_s=60.0),
}
LONG = ("failing all", "away", "silent")


def some(faults: dict[str, Fault]) -> list[object]:
    """Their names, those that the long form alone tells marked."""
    return [pytest.param(each, marks=[pytest.mark.long] if each in LONG else []) for each in faults]


async def through(story: Routing, fault: Fault) -> None:
    """Events before, during and after; at the end all is delivered, nothing is dead, in order."""
    counted = story.deliveries
    story.start(EVENTS_SQS__READ_TIMEOUT_S="5")
    await counted.append(APPENDED)
    await story.complete()
    with fault(counted):
        calls = len(counted.sqs.calls)
        await counted.append(APPENDED)
        with contextlib.suppress(TimeoutError):  # who is away hears no call
            async with asyncio.timeout(3 if fault is away else BITES_S):
                while len(counted.sqs.calls) < calls + len(counted.live):
                    await asyncio.sleep(POLL_S)
        await counted.append(APPENDED)
    await counted.append(APPENDED)
    await story.complete()
    verdict = counted.verdict()
    print(f"\n  {verdict}", flush=True)
    assert verdict.complete, str(verdict)
    assert verdict.delivered == verdict.owed, "time heals it, so nothing is given up"


@pytest.mark.parametrize("name", some(HEALS))
def test_what_time_heals_is_delivered_once(play_routing: PlayRouting, name: str) -> None:
    async def story(story: Routing) -> None:
        await through(story, HEALS[name])
        assert story.deliveries.verdict().twice == 0

    play_routing(story)


@pytest.mark.parametrize("name", some(LOSES))
def test_what_may_have_been_taken_is_sent_again(play_routing: PlayRouting, name: str) -> None:
    async def story(story: Routing) -> None:
        await through(story, LOSES[name])

    play_routing(story)


def test_without_faults_everything_comes_once(play_routing: PlayRouting) -> None:
    async def story(story: Routing) -> None:
        process = story.start()
        for _ in range(5):
            await story.deliveries.append(APPENDED)
        await story.complete()
        await story.stop(process)
        story.start()  # a stop in order leaves nothing to be sent again
        await story.deliveries.append(APPENDED)
        await story.complete()
        verdict = story.deliveries.verdict()
        assert verdict.complete, str(verdict)
        assert (verdict.twice, verdict.delivered) == (0, verdict.owed)

    play_routing(story)


def test_a_tenth_of_the_messages_is_refused_for_good(play_routing: PlayRouting) -> None:
    async def story(story: Routing) -> None:
        with faulty(story.deliveries, refusing=0.1):
            story.start()
            await story.deliveries.append(2 * APPENDED)
            await story.complete()
        verdict = story.deliveries.verdict()
        assert verdict.complete, str(verdict)
        assert verdict.causes.keys() == {"InvalidParameterValue"}
        assert (verdict.both, verdict.twice) == (0, 0)
        assert verdict.delivered + verdict.causes.total() == verdict.owed

    play_routing(story)


def test_routers_join_and_leave_while_events_arrive(play_routing: PlayRouting) -> None:
    async def story(story: Routing) -> None:
        rounds, seed_ = max(4, kills() // 5), seed()
        print(f"\nrouters: {rounds} rounds, TESTS_FAULTS_SEED={seed_}", flush=True)
        chance, enough = random.Random(seed_), asyncio.Event()

        async def events_arrive() -> None:
            while not enough.is_set():
                await story.deliveries.append(APPENDED // 4)
                await asyncio.sleep(0.05)

        for _ in range(MEMBERS):
            story.start()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(events_arrive())
            for _ in range(rounds):
                leaves = chance.choice(story.running)
                story.start()
                await (story.kill if chance.random() < 0.5 else story.stop)(leaves)
                await asyncio.sleep(chance.uniform(0.1, 2.0))
            enough.set()
        await story.complete()
        verdict = story.deliveries.verdict()
        print(f"{rounds} rounds, {story.deliveries.events} events, {verdict}", flush=True)
        assert verdict.complete, str(verdict)
        assert verdict.delivered == verdict.owed

    play_routing(story)
