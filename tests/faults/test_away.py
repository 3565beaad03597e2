"""ClickHouse is away while events arrive: all are there afterwards, once."""

import asyncio
import time

from tests.faults.scenario import Play, Scenario
from tests.faults.servers import away_s

APPENDED = 200
PAUSE_S = 0.5


def test_clickhouse_is_away_and_everything_is_there_when_it_is_back(play: Play) -> None:
    async def story(story: Scenario) -> None:
        story.start()
        await story.append(APPENDED)
        await story.proxy.next_insert()
        story.servers.clickhouse.kill()
        back_s = time.monotonic() + away_s()
        while time.monotonic() < back_s:
            await story.append(APPENDED)
            await asyncio.sleep(PAUSE_S)
        assert await story.group.lag() > APPENDED
        await asyncio.to_thread(story.servers.clickhouse.start)
        await story.done()
        await story.check()
        print(f"\nClickHouse {away_s():g} s away: {await story.verdict()}", flush=True)

    play(story)


def test_clickhouse_answers_nothing_for_a_while_and_everything_is_there_afterwards(
    play: Play,
) -> None:
    """Frozen, not dead: what was sent to it is executed late, after its sender gave up."""

    async def story(story: Scenario) -> None:
        story.start()
        await story.append(APPENDED)
        await story.proxy.next_insert()
        with story.servers.clickhouse.frozen():
            await story.append(APPENDED)
            await asyncio.sleep(away_s())
            await story.kill(story.running[0])
            story.start()
            await asyncio.sleep(away_s() / 3)
        await story.done()
        await story.check()

    play(story)
