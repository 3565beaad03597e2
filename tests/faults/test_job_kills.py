"""kill -9 of routers at random instants of redrives and replays: nothing is sent never, repeats are counted.

`TESTS_FAULTS_KILLS` says how many, `TESTS_FAULTS_SEED` repeats a run's choices. The events were routed
before, so whatever comes is a job's. Queues are slow, fail entries or lose answers meanwhile.
"""

import asyncio
import contextlib
import os
import random
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiokafka import AIOKafkaProducer

from contracts.encoding.wire import decode_event
from contracts.jobs import Job, Kind, Standing, encode, job_key
from contracts.topics import DELIVERIES_JOBS, EVENTS
from processors.consume.replay import Log
from service.connections import KafkaConnection
from service.kafka.follow import JobsFollower
from tests.faults.deliveries import ALL, POLL_S, Owed, Subscriber
from tests.faults.routing import ROUTER, PlayRouting, Routing
from tests.faults.servers import kills, seed
from tests.faults.test_delivery_kills import heal, throttle_some

KILLS, CONTROL_KILLS = 4, 12
EVENTS_PER_JOB = 2_000
DONE_S = 120.0
PROGRESS_S = 10.0
KINDS: tuple[Kind, ...] = ("redrive", "replay")


@dataclass
class Sent:
    """What a job asked for and what came of it; `wanted` are ids of events."""

    job: Job
    queue: str
    wanted: set[str]
    came: Counter[str] = field(default_factory=Counter)

    @property
    def never(self) -> set[str]:
        """What was not sent at all."""
        return self.wanted - self.came.keys()

    @property
    def twice(self) -> int:
        """How often something was sent beyond the first time."""
        return sum(self.came.values()) - len(self.came)


class Resending:
    """Jobs over events that were routed before; `sent` are all jobs that were made."""

    def __init__(self, story: Routing, kafka: KafkaConnection, jobs: JobsFollower) -> None:
        self.sent: list[Sent] = []
        self._story = story
        self._kafka = kafka
        self._jobs = jobs
        self._positions: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        self._ids: dict[str, list[str]] = defaultdict(list)
        self._looked = Counter[str]()

    async def post(self, count: int) -> None:
        """Events that no router delivers by itself; where they are, by subscription."""
        before = await self._story.group.ends()
        await self._story.deliveries.append(count)
        ends = await self._story.group.ends()
        await self._story.group.commit(ends)
        async with Log.connected(self._kafka) as log:
            for place, end in ends.items():
                async for batch in log.read(EVENTS, place.partition, before[place], end, 1000):
                    for record in batch:
                        self._note(decode_event(record.value).id, record.partition, record.offset)

    def _note(self, event_id: str, partition: int, offset: int) -> None:
        for each in self._subscribers:
            if Owed(each.id, event_id) in self._story.deliveries.owed:
                self._positions[each.id][str(partition)].append(offset)
                self._ids[each.id].append(event_id)

    @property
    def _subscribers(self) -> list[Subscriber]:
        return [each for each in self._story.deliveries.subscribers if each.rule is ALL]

    async def ask(self, kind: Kind, subscriber: Subscriber) -> None:
        """Make a job for all of them."""
        job = Job(
            id=str(uuid.uuid4()),
            tenant=subscriber.tenant,
            subscription_id=subscriber.id,
            kind=kind,
            state="running",
            created_at=time.time_ns() // 1_000_000,
            created_by="somebody",
            positions=dict(self._positions[subscriber.id]),
        )
        async with AIOKafkaProducer(**self._kafka.client_args(), max_request_size=1 << 20) as out:
            await out.send_and_wait(DELIVERIES_JOBS, encode(job), job_key(job.tenant, job.id))
        self.sent.append(Sent(job, subscriber.queue, {*self._ids[subscriber.id]}))

    async def ensure(self, chance: random.Random) -> None:
        """See that a job is under way."""
        if not self.sent or (await self.standing(self.sent[-1])).has_ended:
            await self.ask(KINDS[len(self.sent) % 2], chance.choice(self._subscribers))

    async def standing(self, sent: Sent) -> Standing:
        """How far a job is, as Kafka has it."""
        assert await self._jobs.catch_up(DONE_S)
        job = self._jobs.table.get(sent.job.tenant, sent.job.id)
        assert job is not None
        return self._jobs.table.standing(job)

    async def instant(self, chance: random.Random) -> str:
        """Return some time after a queue took something more, or a router began; where that was."""
        if chance.random() < 0.1:
            await asyncio.sleep(chance.uniform(0, 0.6))
            return "from its start on"
        sqs, job = self._story.deliveries.sqs, self.sent[-1].job
        taken = sqs.queues[self.sent[-1].queue].taken
        before = len(taken)
        async with asyncio.timeout(DONE_S):
            while len(taken) == before and not self._jobs.table.standing(job).has_ended:
                await asyncio.sleep(0.001)
        await asyncio.sleep(chance.uniform(0, 0.2))
        return "during a call" if sqs.under_way else "between calls"

    async def done(self) -> None:
        """Return when every job has come to its end."""
        async with asyncio.timeout(DONE_S):
            for each in self.sent:
                while not (await self.standing(each)).has_ended:
                    await asyncio.sleep(POLL_S)
        self.look()

    def look(self) -> None:
        """Count what the queues took."""
        by_id = {each.job.id: each for each in self.sent}
        for queue in self._story.deliveries.live.values():
            for entry in queue.taken[self._looked[queue.name] :]:
                told = {
                    name: each["StringValue"] for name, each in entry["MessageAttributes"].items()
                }
                sent = by_id[told["replay_id"]]  # nobody sends anything else
                assert queue.name == sent.queue
                sent.came[told["event_id"]] += 1
            self._looked[queue.name] = len(queue.taken)


@contextlib.asynccontextmanager
async def resending(story: Routing, count: int) -> AsyncIterator[Resending]:
    """Events that were routed, and nobody's jobs yet."""
    kafka = KafkaConnection(bootstrap_servers=story.servers.ports.url("kafka"))
    jobs = JobsFollower(kafka)
    await jobs.start()
    try:
        made = Resending(story, kafka, jobs)
        await made.post(count)
        async with asyncio.timeout(DONE_S):
            while not jobs.ready:
                await asyncio.sleep(POLL_S)
        yield made
    finally:
        await jobs.stop()


async def kill_routers(
    story: Routing, made: Resending, total: int, entry: str = ROUTER, *, throttled: bool = True
) -> None:
    """`total` kills while a job is under way, each followed by a new router; the last lives."""
    seed_, hits, told_s = seed(), Counter[str](), time.monotonic()
    chance, began_s = random.Random(seed_), told_s
    print(f"\njobs: {total} kills, TESTS_FAULTS_SEED={seed_}", flush=True)
    for number in range(1, total + 1):
        await made.ensure(chance)
        if throttled:
            throttle_some(story, chance)
            for queue in story.deliveries.live.values():
                queue.faults.refuse = ""  # else there is nothing to be killed at
        process = story.start(entry)
        hits[await made.instant(chance)] += 1
        await story.kill(process)
        now_s = time.monotonic()
        if now_s - told_s > PROGRESS_S or number == total:
            told_s = now_s
            print(
                f"{number} in {now_s - began_s:.0f} s, {len(made.sent)} jobs, {dict(hits)}",
                flush=True,
            )
    heal(story)
    story.start(entry)
    await made.done()


def told(made: Resending, what: str) -> tuple[int, int]:
    """Sent never, and twice, of all jobs together."""
    wanted = sum(len(each.wanted) for each in made.sent)
    never, twice = (
        sum(len(each.never) for each in made.sent),
        sum(each.twice for each in made.sent),
    )
    print(
        f"{what}: {len(made.sent)} jobs, {wanted} messages, never {never}, twice {twice}",
        flush=True,
    )
    return never, twice


def test_jobs_whose_routers_are_killed_send_everything(play_routing: PlayRouting) -> None:
    async def story(story: Routing) -> None:
        total = kills() if os.environ.get("TESTS_FAULTS_KILLS") else KILLS
        async with resending(story, EVENTS_PER_JOB) as made:
            await kill_routers(story, made, total)
            never, _ = told(made, "jobs")
            assert not never
            for each in made.sent:
                standing = await made.standing(each)
                assert standing.state == "done"
                assert (standing.sent, standing.dead, standing.missing) == (each.job.count, 0, 0)
                assert each.came.keys() == each.wanted  # and nothing else

    play_routing(story)


@pytest.mark.long
def test_without_their_protection_kills_of_jobs_are_found_out(play_routing: PlayRouting) -> None:
    """The control: progress is kept before its messages are sent, and the same check sees what is lost."""

    async def control(story: Routing) -> None:
        async with resending(story, EVENTS_PER_JOB) as made:
            for queue in story.deliveries.live.values():
                queue.faults.slow_s = 0.2
            entry = "tests.faults.unprotected:route_notes_jobs_first"
            await kill_routers(story, made, CONTROL_KILLS, entry, throttled=False)
            never, _ = told(made, "control")
            assert never

    play_routing(control)
