"""Redrives: events that somebody asks for again are read from the log and sent, a few at a time.

A job names its events; the router that has a partition sends those of it, through a lane beside the
subscription's own: they share breaker and lock, so the live stream waits for one wave at the most. What is
done is kept on `deliveries.jobs` after each window, so a job goes on where it was whoever has the partition.
Killed in between, the window is sent again under the job's deduplication ids.
"""

import asyncio
import contextlib
import logging
import time
import weakref
from collections import Counter
from typing import Any, NamedTuple

import msgspec

from contracts.attempts import Origin
from contracts.encoding.recordbatch import encode_headers, new_record
from contracts.jobs import Job, Jobs, Progress, encode, job_key
from contracts.subscriptions import Subscription
from contracts.topics import DELIVERIES_JOBS
from processors.consume.park import keep
from processors.consume.step import Transient
from processors.deliver.dead_letters import DeadLetters
from processors.deliver.deliver import Deliver
from processors.deliver.lane import Key, Lane
from processors.deliver.lanes import AGAIN_S, Lanes
from processors.deliver.ledger import Ledger
from processors.deliver.outcomes import Outcome
from processors.deliver.places import Places
from processors.deliver.plan import Planned, again
from processors.deliver.rate import Rate
from processors.deliver.reader import Reader
from service.kafka.eventlog import EventLog
from service.kafka.follow import JobsFollower, SubscriptionsFollower

log = logging.getLogger(__name__)

LOOK_S = 2.0
AT_ONCE = 40
"""Messages that are sent before the live stream has its turn: one wave."""
TURN_S = 0.25
"""Of a job that is limited, at the least: what it may send in less is sent together."""
WINDOW = 400
"""Events that are done before progress is kept."""


class Part(NamedTuple):
    """A job in one partition."""

    tenant: str
    job_id: str
    partition: int


class JobRunner:
    """Runs the parts of jobs whose partitions are ours."""

    def __init__(
        self,
        jobs: JobsFollower,
        subscriptions: SubscriptionsFollower,
        places: Places,
        lanes: Lanes,
        deliver: Deliver,
        dead: DeadLetters,
        ledger: Ledger,
        reader: Reader,
        topics: EventLog,
        retry_for_s: float,
    ) -> None:
        self._jobs = jobs
        self._subscriptions = subscriptions
        self._places = places
        self._lanes = lanes
        self._deliver = deliver
        self._dead = dead
        self._ledger = ledger
        self._reader = reader
        self._topics = topics
        self._retry_for_s = retry_for_s
        self._running: dict[Part, asyncio.Task[None]] = {}
        self._rates: weakref.WeakValueDictionary[Key, Rate] = weakref.WeakValueDictionary()
        self._changed = asyncio.Event()
        jobs.on_change = self._changed.set

    async def run(self) -> None:
        """Look for parts to run, until cancelled. Raises what is a bug."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                if self._jobs.ready and self._subscriptions.ready and not self._deliver.resting:
                    for job, partition in list(self._table.unfinished()):
                        part = Part(job.tenant, job.id, partition)
                        if partition in self._places.partitions and part not in self._running:
                            self._running[part] = tasks.create_task(self._serve(part))
                self._changed.clear()
                with contextlib.suppress(TimeoutError):  # partitions may have come meanwhile
                    await asyncio.wait_for(self._changed.wait(), LOOK_S)
                for part, task in list(self._running.items()):
                    if task.done():
                        del self._running[part]

    @property
    def _table(self) -> Jobs:
        return self._jobs.table

    async def _serve(self, part: Part) -> None:
        """Run a part until it is done, or not ours, or not to be run any more."""
        generation = self._places.generation
        job = self._table.get(part.tenant, part.job_id)
        if job is None:
            return
        origin: Origin = "manual" if job.kind == "redrive" else "replay"
        lane = self._lanes.of((job.tenant, job.subscription_id)).beside(origin)
        kept = self._table.progress(job).get(part.partition)
        progress = kept or Progress(at=0, state="running")
        rate = self._rates.setdefault((job.tenant, job.id), Rate())  # of all parts together
        while generation == self._places.generation and not self._deliver.resting:
            job = self._table.get(part.tenant, part.job_id)
            if job is None or job.state == "paused" or progress.state != "running":
                return
            await asyncio.sleep(
                max(lane.breaker.wait_s(), lane.rate.wait_s(), rate.wait_s(_worth(job)))
            )
            try:
                doing = asyncio.ensure_future(self._done(job, part, lane, progress, rate))
                self._lanes.beside.add(doing)
                doing.add_done_callback(self._lanes.beside.discard)
                progress = await doing
            except Transient as error:
                log.warning("job %s of %s waits: %s", part.job_id, part.tenant, error)
                await asyncio.sleep(AGAIN_S)

    async def _done(
        self, job: Job, part: Part, lane: Lane, before: Progress, rate: Rate
    ) -> Progress:
        """A window, and its progress kept. Raises `Transient`."""
        generation = self._places.generation
        progress = await self._window(job, part, lane, before, rate)
        if generation == self._places.generation and progress != before:
            await self._keep(part, progress)
        return progress

    async def _window(
        self, job: Job, part: Part, lane: Lane, progress: Progress, rate: Rate
    ) -> Progress:
        """Send some; how far the part is then. Raises `Transient`."""
        now_ms = time.time_ns() // 1_000_000
        subscription = self._subscriptions.table.get(job.tenant, job.subscription_id)
        if job.state == "cancelled" or subscription is None or not subscription.active:
            reason = (
                ""
                if job.state == "cancelled"
                else "its subscription is disabled, paused or deleted"
            )
            return _moved(progress, at=now_ms, state="cancelled", reason=reason)
        positions = job.positions[str(part.partition)]
        if progress.next >= len(positions):
            return _moved(progress, at=now_ms, state="done")
        if not (most := self._allowed(job, rate)):
            return progress
        wanted = positions[progress.next : progress.next + most]
        rate.spend(len(wanted))  # before anybody else asks; where there is no limit it says nothing
        first, end = await self._reader.bounds(part.partition, wanted[-1])
        there = [each for each in wanted if first <= each < end]
        records, reached = await self._reader.single(part.partition, there)
        taken = [each for each in wanted if each < reached or each not in there]
        planned = again(records, subscription, job.id, lane.origin, lane.attempts)
        left = await self._send(lane, planned)
        rate.spend(-sum(not each.tried for each in left))
        if any(each.tried for each in left) and self._overdue(job, subscription, progress):
            async with lane.lock:
                why = "not taken while the job was to run"
                left = await self._dead(lane, subscription, left, why)
        async with lane.lock:  # what is given up, or could not be made, is told too
            await self._ledger.flush(lane)
        waits = min((each.delivery.position[1] for each in left), default=None)
        done = taken if waits is None else [each for each in taken if each < waits]
        outcomes = Counter(lane.settled.get((part.partition, each)) for each in done)
        lane.forget(part.partition, done[-1] + 1 if done else 0)
        return _moved(
            progress,
            at=now_ms if done else progress.at,
            taken_at=now_ms if outcomes["delivered"] else progress.taken_at,
            next=progress.next + len(done),
            sent=progress.sent + outcomes["delivered"],
            dead=progress.dead + outcomes["dead"],
            missing=progress.missing + outcomes[None],
        )

    def _allowed(self, job: Job, rate: Rate) -> int:
        """How many may be read and sent now."""
        if job.messages_per_s is None:
            return WINDOW
        return rate.allowed(job.messages_per_s * self._deliver.share, WINDOW)

    async def _send(self, lane: Lane, planned: Planned) -> list[Outcome]:
        """What is left of what is planned; the live stream has its turn between two waves."""
        subscription = planned.subscription
        async with lane.lock:
            left = await self._dead(lane, subscription, planned.unmade)
        todo = planned.deliveries
        while todo and not left:  # what is left is tried again from there
            at_once = min(len(todo), 1 if lane.breaker.failing else AT_ONCE)
            async with lane.lock:
                left += await self._deliver(lane, subscription, todo[:at_once], apart=True)
            todo = todo[at_once:]
        return left + [Outcome(each, "again", tried=False) for each in todo]

    def _overdue(self, job: Job, subscription: Subscription, progress: Progress) -> bool:
        """Whether the queue has taken nothing for too long; a job that is slow or was paused is not late."""
        owed_s = subscription.delivery.retry_for_s or self._retry_for_s
        since_ms = max(job.created_at, job.resumed_at, progress.taken_at)
        return time.time() - since_ms / 1000 > owed_s

    async def _keep(self, part: Part, progress: Progress) -> None:
        key = job_key(*part)
        record = new_record(key, encode(progress), encode_headers([]), progress.at)
        await keep(self._topics, DELIVERIES_JOBS, [record])


def _worth(job: Job) -> float:
    """How many messages are worth a turn, which reads the log and keeps progress."""
    return min(AT_ONCE, (job.messages_per_s or 0) * TURN_S)


def _moved(progress: Progress, **changes: Any) -> Progress:
    return msgspec.structs.replace(progress, **changes)
