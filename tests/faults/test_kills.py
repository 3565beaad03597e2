"""kill -9 at random instants: every accepted event is in the table exactly once.

`TESTS_FAULTS_KILLS` says how many of each kind, `TESTS_FAULTS_SEED` repeats a run's choices.
"""

import asyncio
import random
import time
from collections import Counter

import pytest

from tests.faults.scenario import Play, Scenario
from tests.faults.servers import PROTECTED, kills, seed

ROWS_MAX = (1, 10, 50, 500)
LAG_MIN = 3000
PROGRESS_S = 10.0
CONTROL_KILLS = 20


class Progress:
    """Tells every few seconds how far it is, and where the kills hit."""

    def __init__(self, what: str, total: int, seed_: int) -> None:
        self._what, self._total = what, total
        self._hits: Counter[str] = Counter()
        self._began_s = self._told_s = time.monotonic()
        print(f"\n{what}: {total} kills, TESTS_FAULTS_SEED={seed_}", flush=True)

    def hit(self, story: Scenario) -> None:
        """A kill comes now."""
        self._hits["during an insert" if story.proxy.under_way else "between inserts"] += 1
        now = time.monotonic()
        if now - self._told_s > PROGRESS_S or self._hits.total() == self._total:
            self._told_s = now
            print(
                f"{self._what}: {self._hits.total()}/{self._total} kills in"
                f" {now - self._began_s:.0f} s, {len(story.accepted)} events,"
                f" {story.proxy.inserts} inserts, {dict(self._hits)}",
                flush=True,
            )


async def an_instant(story: Scenario, chance: random.Random) -> None:
    """Return 2 to 250 ms after the next insert has begun."""
    await story.keep_supplied(LAG_MIN, LAG_MIN)
    await story.proxy.next_insert()
    await asyncio.sleep(chance.uniform(0.002, 0.25))


async def kill_materializers(
    story: Scenario, total: int, seed_: int, entry: str = PROTECTED
) -> None:
    """`total` kills, each followed by a new materializer; ends when the log is stored."""
    chance, progress = random.Random(seed_), Progress("materializer", total, seed_)
    for _ in range(total):
        process = story.start(entry, chance.choice(ROWS_MAX))
        await an_instant(story, chance)
        progress.hit(story)
        await story.kill(process)
    story.start(entry, ROWS_MAX[-1])
    await story.done()


async def kill_clickhouse(story: Scenario, total: int, seed_: int) -> None:
    """`total` kills of the server, started again at once; ends when the log is stored."""
    chance, progress = random.Random(seed_), Progress("clickhouse", total, seed_)
    story.start()
    for _ in range(total):
        await an_instant(story, chance)
        progress.hit(story)
        story.servers.clickhouse.kill()
        await asyncio.to_thread(story.servers.clickhouse.start)
    await story.done()


def test_the_materializer_is_killed_at_random_instants(play: Play) -> None:
    async def story(story: Scenario) -> None:
        await kill_materializers(story, kills(), seed())
        await story.check()
        print(await story.verdict(), flush=True)

    play(story)


def test_clickhouse_is_killed_at_random_instants(play: Play) -> None:
    async def story(story: Scenario) -> None:
        await kill_clickhouse(story, kills(), seed())
        await story.check()
        print(await story.verdict(), flush=True)

    play(story)


@pytest.mark.skipif(
    kills() < CONTROL_KILLS, reason="few random kills may miss; test_gaps has the sure controls"
)
@pytest.mark.parametrize(
    ("entry", "wrong"), [("no_read_back", "double"), ("commits_first", "missing")]
)
def test_without_its_protection_random_kills_are_found_out(
    play: Play, entry: str, wrong: str
) -> None:
    """The control: the same kills, the same check, which must fail."""

    async def control(story: Scenario) -> None:
        unprotected = f"tests.faults.unprotected:{entry}"
        await kill_materializers(story, CONTROL_KILLS, seed(), unprotected)
        verdict = await story.verdict()
        print(f"control {entry}: {verdict}", flush=True)
        assert not verdict.exact
        assert len(getattr(verdict, wrong)) > 0, str(verdict)

    play(control)
