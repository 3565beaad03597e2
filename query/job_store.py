"""Jobs on the log, and back in the table: made, and changed by people. Progress is the router's to write."""

import contextlib
import time
from collections.abc import AsyncIterator, Iterator

from contracts.encoding.recordbatch import encode_headers, new_record
from contracts.jobs import ENDED_KEPT, Job, Jobs, encode, job_key, without_positions
from contracts.problems import unavailable
from contracts.topics import DELIVERIES_JOBS
from service.kafka.eventlog import EventLog
from service.kafka.follow import JobsFollower
from service.kafka.partition import Unaccepted, Unacknowledged
from service.kafka.turns import FOLLOW_TIMEOUT_S, Turns

NO_HEADERS = encode_headers([])


class JobStore:
    """Writes jobs, and returns when the table has followed."""

    def __init__(self, log: EventLog, follower: JobsFollower) -> None:
        self._log = log
        self._follower = follower
        self._turns = Turns(follower, "jobs")

    @property
    def table(self) -> Jobs:
        """All jobs, as they were a moment ago; in `changing` as they are."""
        return self._follower.table

    async def current(self) -> Jobs:
        """All jobs. Raises `Problem` 503."""
        if not await self._follower.catch_up(FOLLOW_TIMEOUT_S):
            raise unavailable("The jobs cannot be read from Kafka. Try again.")
        return self.table

    @contextlib.asynccontextmanager
    async def changing(self, tenant: str) -> AsyncIterator[None]:
        """The tenant's turn. Raises `Problem` 503."""
        async with self._turns.of(tenant):
            yield

    async def put(self, job: Job) -> None:
        """Store a job, new or changed. Raises `Problem` 503."""
        now_ms = time.time_ns() // 1_000_000
        written = [*tidied(self.table, job.tenant), (job_key(job.tenant, job.id), encode(job))]
        records = [new_record(key, value, NO_HEADERS, now_ms) for key, value in written]
        try:
            offset = await self._log.append_together(DELIVERIES_JOBS, records)
        except (Unaccepted, Unacknowledged) as error:
            raise unavailable(f"The job is not confirmed: {error}. Try again.") from None
        if not await self._follower.wait_for(offset, FOLLOW_TIMEOUT_S):
            raise unavailable("The job is stored and not visible yet.", id=job.id)


def tidied(table: Jobs, tenant: str) -> Iterator[tuple[bytes, bytes | None]]:
    """Records that make ended jobs of a tenant small, and take away all but the newest of them."""
    ended = [each for each in table.of(tenant) if table.standing(each).has_ended]
    for number, job in enumerate(ended):
        if number >= ENDED_KEPT:
            for partition in table.progress(job):
                yield job_key(tenant, job.id, partition), None
            yield job_key(tenant, job.id), None
        elif job.positions and table.standing(job).parts_ended:
            yield job_key(tenant, job.id), encode(without_positions(job))
