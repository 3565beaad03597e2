"""Jobs: deliveries that somebody asks for again. Kept on the compacted topic `deliveries.jobs`.

A job names its events by their places on `events`, so it is exact: what was counted is what is sent. Two
kinds of records, so that two writers never meet: the job under `tenant:job`, written by the API; its
progress under `tenant:job:partition`, written by the router that has the partition.
"""

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

import msgspec

POSITIONS_MAX = 100_000
"""Of one job: its record stays far below the largest that Kafka takes."""

RUNNING_MAX = 5
"""Jobs of a tenant that have not ended."""
ENDED_KEPT = 100
"""Of a tenant; older ones are deleted when another one is made."""

Kind = Literal["redrive", "replay"]
Wish = Literal["running", "paused", "cancelled"]
Reached = Literal["running", "done", "cancelled"]
JobState = Literal["running", "paused", "cancelled", "done"]


class UnreadableJob(Exception):
    """A record on `deliveries.jobs` that cannot be applied; the message says why."""


class Job(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is asked for.

    `positions`: offsets by partition of `events`, ascending; `counts`: how many those were, which
    stays when an ended job forgets them; `beyond`: what one job has no room for. `created_at` and
    `resumed_at`: ms since 1970. `state` is what is wished for; `messages_per_s` None is as fast as the
    queue takes them.
    """

    id: str
    tenant: str
    subscription_id: str
    kind: Kind
    state: Wish
    created_at: int
    created_by: str
    positions: dict[str, list[int]]
    messages_per_s: int | None = None
    asked: dict[str, str] = {}
    counts: dict[str, int] = {}
    beyond: int = 0
    resumed_at: int = 0

    @property
    def sizes(self) -> dict[int, int]:
        """How many events it names, or named, by partition."""
        named = self.counts or {each: len(offsets) for each, offsets in self.positions.items()}
        return {int(each): count for each, count in named.items()}

    @property
    def count(self) -> int:
        """How many events it names, or named."""
        return sum(self.sizes.values())


class Progress(msgspec.Struct, kw_only=True, omit_defaults=True):
    """How far it is in one partition: `next` is the index of the position to go on at.

    `taken_at`: when the queue took something of it last. Times in ms since 1970.
    """

    at: int
    state: Reached
    next: int = 0
    sent: int = 0
    dead: int = 0
    missing: int = 0
    reason: str = ""
    taken_at: int = 0


class Standing(NamedTuple):
    """How far a job is as a whole; `per_cent` of its events are done, `updated_at` in ms since 1970.

    `parts_ended`: no router has anything to do with it any more.
    """

    state: JobState
    parts_ended: bool
    sent: int
    dead: int
    missing: int
    per_cent: int
    updated_at: int
    reason: str

    @property
    def has_ended(self) -> bool:
        """Whether nothing of it is to be sent any more."""
        return self.state in ("done", "cancelled")


def standing(job: Job, progress: Mapping[int, Progress]) -> Standing:
    """How far a job is, all partitions together; those that nobody has begun have done nothing yet.

    It is done when each has come to its end, and cancelled as soon as that is wished for: a router may be
    a few messages behind the wish. One that has ended cannot be paused.
    """
    sizes = job.sizes
    parts = [progress[each] for each in sizes if each in progress]
    ended = [each.state for each in parts if each.state != "running"]
    state: JobState = job.state
    parts_ended = len(ended) == len(sizes)
    if parts_ended:
        state = "cancelled" if "cancelled" in ended else "done"
    handled = sum(each.next for each in parts)
    return Standing(
        state,
        parts_ended,
        sent=sum(each.sent for each in parts),
        dead=sum(each.dead for each in parts),
        missing=sum(each.missing for each in parts),
        per_cent=100 if state == "done" else handled * 100 // max(1, job.count),
        updated_at=max(job.created_at, *(each.at for each in parts), 0),
        reason=next((each.reason for each in parts if each.reason), ""),
    )


def without_positions(job: Job) -> Job:
    """The same, small: for one that has ended."""
    counts = {str(each): count for each, count in job.sizes.items()}
    return msgspec.structs.replace(job, positions={}, counts=counts)


Key = tuple[str, str]
"""Tenant and job."""

encode = msgspec.json.Encoder().encode
_job = msgspec.json.Decoder(Job).decode
_progress = msgspec.json.Decoder(Progress).decode


def job_key(tenant: str, job_id: str, partition: int | None = None) -> bytes:
    """The key of a job's record, or of its progress in a partition."""
    return f"{tenant}:{job_id}{'' if partition is None else f':{partition}'}".encode()


class Jobs:
    """All jobs of all tenants, as the records applied so far leave them."""

    def __init__(self) -> None:
        self._jobs: dict[Key, Job] = {}
        self._progress: dict[Key, dict[int, Progress]] = {}

    def apply(self, key: bytes | None, value: bytes | None) -> None:
        """Take one record of the topic, in its order. Raises `UnreadableJob`."""
        tenant, _, rest = (key or b"").decode("utf-8", "replace").partition(":")
        job_id, _, partition = rest.partition(":")
        name = tenant, job_id
        try:
            if not tenant or not job_id:
                raise ValueError("the key is not tenant:job")
            if not partition and value is None:
                self._jobs.pop(name, None)
                self._progress.pop(name, None)
            elif not partition:
                self._jobs[name] = _job(value or b"")
            elif value is None:
                self._progress.get(name, {}).pop(int(partition), None)
            else:
                self._progress.setdefault(name, {})[int(partition)] = _progress(value)
        except (ValueError, msgspec.MsgspecError) as error:
            raise UnreadableJob(str(error)) from error

    def get(self, tenant: str, job_id: str) -> Job | None:
        """One job, or None."""
        return self._jobs.get((tenant, job_id))

    def of(self, tenant: str) -> list[Job]:
        """The tenant's jobs, the newest first."""
        found = [job for (owner, _), job in self._jobs.items() if owner == tenant]
        return sorted(found, key=lambda job: (job.created_at, job.id), reverse=True)

    def standing(self, job: Job) -> Standing:
        """How far a job is as a whole."""
        return standing(job, self._progress.get((job.tenant, job.id), {}))

    def progress(self, job: Job) -> dict[int, Progress]:
        """How far a job is, by partition; partitions that nobody has begun are left out."""
        return dict(self._progress.get((job.tenant, job.id), {}))

    def unfinished(self) -> Iterator[tuple[Job, int]]:
        """Jobs that are to run, with each partition in which they have not come to their end."""
        for name, job in self._jobs.items():
            reached = self._progress.get(name, {})
            for partition in map(int, job.positions):
                done = reached.get(partition)
                if job.state != "paused" and (done is None or done.state == "running"):
                    yield job, partition
