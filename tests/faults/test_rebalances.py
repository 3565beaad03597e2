"""Three materializers that join and leave every few seconds while events arrive."""

import asyncio
import random

from tests.faults.scenario import Play, Scenario
from tests.faults.servers import kills, seed

MEMBERS = 3
APPENDED, WAITING = 100, 1000
PAUSE_S = 0.05


async def _events_arrive(story: Scenario, enough: asyncio.Event) -> None:
    """No more than the members keep up with: on a busy machine a round takes long."""
    while not enough.is_set():
        await story.keep_supplied(WAITING, APPENDED)
        await asyncio.sleep(PAUSE_S)


async def _one_leaves_and_one_joins(story: Scenario, chance: random.Random) -> None:
    """In either order, killed or stopped."""
    leaves = chance.choice(story.running)
    joins_first = chance.random() < 0.5
    if joins_first:
        story.start()
    if chance.random() < 0.5:
        await story.kill(leaves)
    else:
        await story.stop(leaves)
    if not joins_first:
        story.start()
    await asyncio.sleep(chance.uniform(0.1, 3.0))


async def members_come_and_go(story: Scenario, rounds: int, chance: random.Random) -> None:
    """So many times one leaves and one joins, while events arrive; ends when all are stored."""
    enough = asyncio.Event()
    for _ in range(MEMBERS):
        story.start()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_events_arrive(story, enough))
        for _ in range(rounds):
            await _one_leaves_and_one_joins(story, chance)
        enough.set()
    await story.done()


def test_materializers_join_and_leave_while_events_arrive(play: Play) -> None:
    async def story(story: Scenario) -> None:
        rounds, seed_ = max(4, kills() // 5), seed()
        print(f"\nrebalances: {rounds} rounds, TESTS_FAULTS_SEED={seed_}", flush=True)
        await members_come_and_go(story, rounds, random.Random(seed_))
        await story.check()
        print(f"rebalances: {rounds} rounds, {await story.verdict()}", flush=True)

    play(story)
