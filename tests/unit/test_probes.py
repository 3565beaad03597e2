"""What a processor says of itself before it has heard of Kafka, and when it cannot say it at all."""

import contextlib
import socket
import subprocess
import sys
from typing import Any

from processors.consume.consume import Consume
from processors.consume.loss import Guard
from processors.consume.probes import missing
from processors.consume.time_left import TimeLeft
from processors.materialize.step import Materialize
from service.connections import KafkaConnection
from service.kafka.backlog import Backlog
from tests.fakes import FakeRows

SERVE_ON = """
import asyncio, sys
from service.http.app import serving

async def main():
    async with serving(None, "127.0.0.1", int(sys.argv[1])):
        await asyncio.sleep(30)

asyncio.run(main())
"""


def test_readiness_names_what_is_not_known_yet() -> None:
    nothing: Any = None
    consume = Consume(Materialize(FakeRows()), nothing, 1, Guard("g"))
    retention = TimeLeft(KafkaConnection(), "g", set)
    assert missing(consume, retention, threshold_s=10) == ["kafka", "assignment", "retention"]
    retention.retention_ms = -1
    retention.backlogs[0] = Backlog(0, 1, 0)
    assert missing(consume, retention, threshold_s=10) == ["kafka", "assignment"]
    retention.retention_ms = 1000
    assert missing(consume, retention, threshold_s=10) == ["kafka", "assignment", "retention"]


async def test_the_first_assignment_makes_it_joined_and_a_revocation_ends_that() -> None:
    class Empty:
        async def beginning_offsets(self, partitions: object) -> dict[Any, int]:
            return {}

        end_offsets = beginning_offsets

    nothing: Any = None
    consume = Consume(Materialize(FakeRows()), nothing, 1, Guard("g"))
    consume.consumer_of = Empty
    assert not consume.joined
    await consume.on_partitions_assigned([])  # a spare member: nothing to do is no failure
    assert consume.joined
    await consume.on_partitions_revoked([])
    assert not consume.joined


def test_a_port_that_is_taken_ends_the_process() -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        ended = subprocess.run(
            [sys.executable, "-c", SERVE_ON, str(port)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode == 1, ended.stderr
    assert str(port) in ended.stderr
