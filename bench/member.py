"""`python -m bench.member KAFKA GROUP NAME [POINT]`: a member of a group that may end at a point of its join.

In a group as our processors are, and nothing beside it: its batches are empty. Prints a line of JSON
whenever its partitions change, and before it ends: the system's monotonic clock in seconds, what, which.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.protocol.group import JoinGroupRequest

from contracts.topics import EVENTS
from processors.consume.run import MEMBERSHIP
from service.kafka.coordinator import mend_coordinator

POINTS = ("never", "named", "joining", "stops-joining", "joined", "leading")
WAITED_S = 0.2
"""Until the broker has a request that was sent."""


def say(what: str, partitions: Iterable[TopicPartition] = ()) -> None:
    """One line for whoever watches."""
    line = [time.monotonic(), what, sorted(each.partition for each in partitions)]
    print(json.dumps(line), flush=True)


def killed() -> None:
    """No finally, no goodbye."""
    say("ended")
    os.kill(os.getpid(), signal.SIGKILL)


class Says(ConsumerRebalanceListener):  # type: ignore[misc]  # untyped base
    """Tells of its partitions."""

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """They are nobody's from now on."""
        say("revoked", revoked)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """They are ours."""
        say("assigned", assigned)


def ending(
    point: str, send: Callable[[Any, Any], Awaitable[Any]], asked: asyncio.Event
) -> Callable[[Any, Any], Awaitable[Any]]:
    """`send` of a coordinator, but for a process that ends at the point; the leader once it is `asked`."""

    async def sending(self: Any, request: Any) -> Any:
        if not isinstance(request, JoinGroupRequest) or not self.member_id:
            return await send(self, request)
        loop = asyncio.get_running_loop()
        if point == "named":
            killed()
        elif point == "joining":
            loop.call_later(WAITED_S, killed)
        elif point == "stops-joining":
            loop.call_later(WAITED_S, os.kill, os.getpid(), signal.SIGTERM)
        answer = await send(self, request)
        if point == "joined" or (point == "leading" and asked.is_set()):
            killed()
        return answer

    return sending


async def main() -> None:
    """Be a member until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m bench.member", description=__doc__)
    for name in ("kafka", "group", "name"):
        parser.add_argument(name)
    parser.add_argument("point", choices=POINTS, nargs="?", default="never")
    arguments = parser.parse_args()
    mend_coordinator()
    stopped, asked = asyncio.Event(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, asked.set)
    GroupCoordinator._send_req = ending(arguments.point, GroupCoordinator._send_req, asked)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=arguments.kafka,
        client_id=arguments.name,
        group_id=arguments.group,
        enable_auto_commit=False,
        request_timeout_ms=10_000,
        **MEMBERSHIP,
    )
    consumer.subscribe([EVENTS], listener=Says())
    starting = asyncio.create_task(consumer.start())
    await stopped.wait()
    say("stopping")
    await consumer.stop()
    starting.cancel()
    say("ended")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
