"""kill -9 of routers at random instants: what is owed is delivered, or dead with a cause.

`TESTS_FAULTS_KILLS` says how many, `TESTS_FAULTS_SEED` repeats a run's choices. Some queues are
throttled while it goes on, so that kills hit subscriptions that are behind too.
"""

import asyncio
import os
import random
import time
from collections import Counter

import pytest

from tests.fakes.sqs_queue import Faults
from tests.faults.deliveries import Owed
from tests.faults.routing import ROUTER, PlayRouting, Routing
from tests.faults.servers import kills, seed

KILLS = 20
"""Of the short form, in which 100 take too long."""
ROWS_MAX = (1, 10, 50, 500)
APPENDED = 60
LAG_MIN = 30
PROGRESS_S = 10.0
CALLED_S = 30.0
CONTROL_KILLS = 10
CONTROLS_MAX = 5
"""Where all is slow, as under coverage, ten kills may all hit between two calls."""
LAST = 80


async def an_instant(story: Routing, chance: random.Random) -> str:
    """Return some time after the router has begun to send, or to start; where that was."""
    if chance.random() < 0.2:
        await asyncio.sleep(chance.uniform(0, 0.6))
        return "from its start on"
    calls = len(story.deliveries.sqs.calls)
    async with asyncio.timeout(CALLED_S):
        while len(story.deliveries.sqs.calls) == calls:
            await asyncio.sleep(0.001)
    await asyncio.sleep(chance.uniform(0, 0.3))
    return "during a call" if story.deliveries.sqs.under_way else "between calls"


def throttle_some(story: Routing, chance: random.Random) -> None:
    """A queue in five is throttled, or fails some entries, or loses some answers, or is slow."""
    for queue in story.deliveries.live.values():
        queue.faults.refuse = "RequestThrottled" if chance.random() < 0.2 else ""
        queue.faults.failing = 0.1 if chance.random() < 0.2 else 0.0
        queue.faults.lost = 0.1 if chance.random() < 0.2 else 0.0
        queue.faults.slow_s = 0.1 if chance.random() < 0.2 else 0.0


def heal(story: Routing) -> None:
    for queue in story.deliveries.live.values():
        queue.faults = Faults()


async def kill_routers(
    story: Routing, total: int, entry: str = ROUTER, *, throttled: bool = True
) -> set[Owed]:
    """`total` kills, each followed by a new router; what was posted for the last, which lives."""
    seed_, hits, told_s = seed(), Counter[str](), time.monotonic()
    chance, began_s = random.Random(seed_), told_s
    print(f"\nrouter: {total} kills, TESTS_FAULTS_SEED={seed_}", flush=True)
    for number in range(1, total + 1):
        if await story.group.lag() < LAG_MIN:
            await story.deliveries.append(APPENDED)
        if throttled:
            throttle_some(story, chance)
        process = story.start(entry, chance.choice(ROWS_MAX))
        hits[await an_instant(story, chance)] += 1
        await story.kill(process)
        now_s = time.monotonic()
        if now_s - told_s > PROGRESS_S or number == total:
            told_s = now_s
            events = story.deliveries.events
            print(f"{number} in {now_s - began_s:.0f} s, {events} events, {dict(hits)}", flush=True)
    heal(story)
    last = await story.deliveries.append(LAST)
    story.start(entry)
    return last


def test_routers_are_killed_at_random_instants(play_routing: PlayRouting) -> None:
    async def story(story: Routing) -> None:
        asked = os.environ.get("TESTS_FAULTS_KILLS")
        await kill_routers(story, kills() if asked else KILLS)
        await story.complete()
        verdict = story.deliveries.verdict()
        print(f"{story.deliveries.events} events, {verdict}", flush=True)
        assert verdict.complete, str(verdict)
        assert not verdict.causes, "time heals all of it"

    play_routing(story)


@pytest.mark.parametrize(
    "entry",
    [
        "route_commits_first",
        pytest.param("route_forgets_who_is_behind", marks=pytest.mark.long),
    ],
)
def test_without_its_protection_kills_are_found_out(play_routing: PlayRouting, entry: str) -> None:
    """The control: the same check, which must fail."""

    async def control(story: Routing) -> None:
        behind = entry == "route_forgets_who_is_behind"
        if behind:
            next(iter(story.deliveries.live.values())).faults.refuse = "RequestThrottled"
        unprotected = f"tests.faults.unprotected:{entry}"
        for _ in range(CONTROLS_MAX):
            last = await kill_routers(story, CONTROL_KILLS, unprotected, throttled=False)
            await story.deliveries.until_complete(60, last)
            verdict = story.deliveries.verdict()
            print(f"control {entry}: {verdict}", flush=True)
            if verdict.missing:
                break
            await story.kill(story.running[0])
        assert verdict.missing
        assert not verdict.complete

    play_routing(control)
