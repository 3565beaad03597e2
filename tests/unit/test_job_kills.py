"""A job whose router is killed at random instants: nothing is sent never, and repeats are counted."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from contracts.deliveries import Delivery
from contracts.destinations import SqsDestination
from contracts.jobs import Job, JobState
from processors.deliver import breaker, jobs, lanes
from processors.deliver.jobs import JobRunner, _moved
from processors.deliver.lane import Lane
from processors.deliver.outcomes import Outcome
from tests.fakes.delivering import FakeQueues, FakeTopics, RouterInMemory
from tests.queues import arn
from tests.unit.test_deliver import a_subscription
from tests.unit.test_jobs import a_job, put, table_in
from tests.unit.test_lanes import COUNT, log_of, table_of

KILLS, ROUNDS, WINDOW = 6, 40, 4
ASKED = {"0": list(range(0, COUNT, 2)), "1": list(range(1, COUNT, 3))}
WANTED = {(int(partition), offset) for partition, all_ in ASKED.items() for offset in all_}


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause is long, and no wave large."""
    for module, name in ((lanes, "IDLE_S"), (jobs, "LOOK_S"), (jobs, "AGAIN_S")):
        monkeypatch.setattr(module, name, 0.001)
    monkeypatch.setattr(breaker, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(jobs, "WINDOW", WINDOW)
    monkeypatch.setattr(jobs, "AT_ONCE", 2)


class SlowQueues(FakeQueues):
    """Take some turns of the loop before a message is there, and some until that is answered."""

    def __init__(self, dice: random.Random) -> None:
        super().__init__(self._some_refused)
        self._dice = dice

    def _some_refused(self, batch: Sequence[Delivery]) -> list[Outcome]:
        return [
            Outcome(each, "never", "Bad")
            if each.position[1] % 9 == 0
            else Outcome(each, self._dice.choice(("sent", "sent", "again")))
            for each in batch
        ]

    async def send(
        self, destination: SqsDestination, deliveries: Sequence[Delivery]
    ) -> list[Outcome]:
        """See `Queues`."""
        await self._wait()
        outcomes = await super().send(destination, deliveries)
        await self._wait()
        return outcomes

    async def _wait(self) -> None:
        for _ in range(self._dice.randrange(4)):
            await asyncio.sleep(0)


def state_in(topics: FakeTopics) -> JobState:
    table = table_in(topics)
    return table.standing(table.of("acme")[0]).state


async def killed_again_and_again(seed: int) -> tuple[Counter[tuple[int, int]], FakeTopics]:
    """How often each place was sent when the job was done, and what the topics have."""
    dice, topics = random.Random(seed), FakeTopics()
    queues, table = SlowQueues(dice), table_of(a_subscription(arn("q"), id="one"))
    put(topics, a_job(positions=ASKED))
    for _ in range(KILLS):
        async with RouterInMemory(queues, table, log_of(COUNT, 2), topics):
            for _ in range(dice.randrange(120)):
                await asyncio.sleep(0)
    async with RouterInMemory(queues, table, log_of(COUNT, 2), topics), asyncio.timeout(60):
        while state_in(topics) == "running":
            await asyncio.sleep(0.001)
    return Counter(queues.offsets("q")), topics


async def test_nothing_is_sent_never_whoever_is_killed() -> None:
    repeats = 0
    for seed in range(ROUNDS):
        sent, topics = await killed_again_and_again(seed)
        dead = {
            (int(headers["partition"] or b""), int(headers["offset"] or b""))
            for headers in (dict(each.headers) for each in topics.dead)
        }
        assert set(sent) | dead == WANTED
        assert dead == {each for each in WANTED if each[1] % 9 == 0}
        repeats += (more := sent.total() - len(sent))
        assert more <= KILLS * 2 * WINDOW  # of each partition the window that was under way
        told = table_in(topics).standing(a_job(positions=ASKED))
        assert (told.sent + told.dead, told.missing) == (len(WANTED), 0)
    print(f"{ROUNDS * KILLS} kills, {ROUNDS * len(WANTED)} messages, {repeats} of them twice")
    assert repeats  # else nobody was killed while it sent


async def test_the_control_loses_some(monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress that is kept before its messages are sent."""
    window = JobRunner._window

    async def noted_first(
        self: Any, job: Job, part: Any, lane: Lane, progress: Any, rate: Any
    ) -> Any:
        wanted = len(job.positions[str(part.partition)])
        there = min(wanted, progress.next + WINDOW)
        await self._keep(part, _moved(progress, next=there))
        return await window(self, job, part, lane, progress, rate)

    monkeypatch.setattr(JobRunner, "_window", noted_first)
    lost = 0
    for seed in range(10):
        sent, topics = await killed_again_and_again(seed)
        lost += len(WANTED) - len(set(sent)) - len(topics.dead)
    assert lost
