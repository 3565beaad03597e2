"""How long partitions have no owner when a member of their group ends, or one comes.

`python -m bench.owners`: members are processes (`bench.member`) in a group as materialize, ledger and
route are, on the stack's Kafka. Before each story three have all partitions of `events`. A partition
has no owner from the moment in which its member ends, or gives it up, to that in which another says
that it has it; what a processor's batch in hand adds to that is not measured.
"""

import asyncio
import contextlib
import json
import signal
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from aiokafka.admin import AIOKafkaAdminClient
from rich.console import Console
from rich.table import Table

from bench.servers import servers
from contracts.topics import EVENTS

WITHIN_S = 120.0
POLL_S = 0.1
BEGIN = ("one", "two", "three")
BROKER = 1


@dataclass
class Members:
    """The group's members by name, and who had which partition when."""

    kafka: str
    admin: AIOKafkaAdminClient
    partitions: set[int]
    group: str = field(default_factory=lambda: f"bench.owners.{uuid.uuid4().hex}")
    alive: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)
    owners: dict[int, str] = field(default_factory=dict)
    free_s: dict[int, float] = field(default_factory=dict)
    longest_s: dict[int, float] = field(default_factory=dict)
    readers: list[asyncio.Task[None]] = field(default_factory=list)

    async def start(self, name: str, point: str = "never") -> None:
        """Another member, which ends at the point."""
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.member", self.kafka, self.group, name, point),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        self.alive[name] = child
        self.readers.append(asyncio.create_task(self._read(name, child)))

    async def stop(self, name: str) -> None:
        """SIGTERM, and wait for the end."""
        self.alive[name].terminate()
        await self.ended(name)

    async def kill(self, name: str) -> None:
        """kill -9."""
        self._free(set(self.partitions), name, time.monotonic())
        self.alive[name].kill()
        await self.ended(name)

    async def freeze(self, name: str) -> None:
        """SIGSTOP until the others have all; then it goes on, and learns that it is no member."""
        self._free(set(self.partitions), name, time.monotonic())
        child = self.alive.pop(name)
        child.send_signal(signal.SIGSTOP)
        await self.settled()
        child.send_signal(signal.SIGCONT)
        self.alive[name] = child

    async def ended(self, name: str) -> None:
        """Wait for its end."""
        await asyncio.wait_for(self.alive[name].wait(), WITHIN_S)
        del self.alive[name]

    async def _read(self, name: str, child: asyncio.subprocess.Process) -> None:
        assert child.stdout is not None
        async for line in child.stdout:
            now_s, what, partitions = json.loads(line)
            if what == "assigned":
                for each in partitions:
                    self.owners[each] = name
                    without_s = now_s - self.free_s.pop(each, now_s)
                    self.longest_s[each] = max(self.longest_s.get(each, 0.0), without_s)
            elif what == "revoked":
                self._free(set(partitions), name, now_s)
            elif what == "ended":
                self._free(set(self.partitions), name, now_s)

    def _free(self, partitions: set[int], name: str, now_s: float) -> None:
        for each in partitions:
            if self.owners.get(each) == name:
                del self.owners[each]
                self.free_s[each] = now_s

    async def settled(self) -> None:
        """Wait until the members that are alive have all partitions, and Kafka counts no other."""
        async with asyncio.timeout(WITHIN_S):
            while self.owners.keys() != self.partitions or not await self._counted():
                await asyncio.sleep(POLL_S)

    async def _counted(self) -> bool:
        answers = await self.admin.describe_consumer_groups([self.group], BROKER)
        *_, state, _, _, members = answers[0].groups[0][:6]
        return state == "Stable" and {each[1] for each in members} == set(self.alive)


async def _comes(members: Members) -> None:
    await members.start("four")


async def _stops(members: Members) -> None:
    await members.stop("two")


async def _is_killed(members: Members) -> None:
    await members.kill("two")


async def _is_frozen(members: Members) -> None:
    await members.freeze("two")


async def _is_killed_and_replaced(members: Members) -> None:
    await members.kill("two")
    await members.start("four")


def _joins_and_ends(point: str, then: tuple[str, ...] = ()) -> Callable[[Members], Awaitable[None]]:
    async def story(members: Members) -> None:
        await members.start("four", point)
        await members.ended("four")
        for name in then:
            await members.start(name)

    return story


async def _leader_is_killed(members: Members) -> None:
    members.alive[BEGIN[0]].send_signal(signal.SIGUSR1)  # the first leads
    await members.start("four")  # so that it has to say again who has what
    await members.ended(BEGIN[0])


async def _all_are_replaced(members: Members) -> None:
    for number, old in enumerate(BEGIN):
        await members.start(f"new-{number}")
        await members.settled()
        await members.stop(old)


STORIES: dict[str, Callable[[Members], Awaitable[None]]] = {
    "one comes": _comes,
    "one stops": _stops,
    "one stops while it joins": _joins_and_ends("stops-joining"),
    "all are replaced, one after another": _all_are_replaced,
    "one is killed": _is_killed,
    "one is frozen, and wakes": _is_frozen,
    "one is killed, another starts at once": _is_killed_and_replaced,
    "one is killed while it joins": _joins_and_ends("joining"),
    "one is killed when it has joined": _joins_and_ends("joined"),
    "one is killed with its id, another starts": _joins_and_ends("named", ("five",)),
    "the leader is killed before it has assigned": _leader_is_killed,
}


@contextlib.asynccontextmanager
async def _group(kafka: str, admin: AIOKafkaAdminClient) -> AsyncIterator[Members]:
    topics = await admin.describe_topics([EVENTS])
    members = Members(kafka, admin, {each["partition"] for each in topics[0]["partitions"]})
    try:
        for name in BEGIN:
            await members.start(name, "leading" if name == BEGIN[0] else "never")
            await members.settled()
        yield members
    finally:
        for child in members.alive.values():
            child.kill()
        await asyncio.gather(*members.readers)


async def measure(kafka: str) -> None:
    """Every story in a group of its own."""
    table = Table("event", "no owner, longest", "partitions that had none for 5 s", "settled after")
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    for name, story in STORIES.items():
        async with _group(kafka, admin) as members:
            members.longest_s.clear()
            begun_s = time.monotonic()
            await story(members)
            await members.settled()
            took_s, longest = time.monotonic() - begun_s, members.longest_s.values()
        without = sum(each > 5 for each in longest)
        of = f"{without} of {len(members.partitions)}"
        table.add_row(name, f"{max(longest, default=0.0):.1f} s", of, f"{took_s:.1f} s")
    await admin.close()
    Console().print(table)


if __name__ == "__main__":
    with servers() as (where, *_):
        asyncio.run(measure(where.kafka))
