"""What an event costs Kafka: bytes in its log and on its connections, and CPU."""

from pathlib import Path
from typing import NamedTuple

import psutil

from bench.servers import cpu_s
from contracts.topics import EVENTS


class Look(NamedTuple):
    """The broker at one moment: since it began, and what its log of events holds."""

    cpu_s: float
    received_bytes: int
    log_bytes: int

    def since(self, before: "Look", events: int) -> "PerEvent":
        """What each of `events` has taken since `before`."""
        cpu_s, received, log = (
            (now - then) / events for now, then in zip(self, before, strict=True)
        )
        return PerEvent(cpu_s * 1e6, received, log)


class PerEvent(NamedTuple):
    """CPU microseconds of the broker, bytes that it received, bytes that its log grew."""

    us: float
    wire_bytes: float
    log_bytes: float


def look(broker: psutil.Process, home: Path) -> Look:
    """The process `broker` of the servers in `home`; Linux counts what a process reads."""
    segments = (home / "kafka" / "data").glob(f"{EVENTS}-[0-9]*/*.log")
    return Look(
        cpu_s(broker), received_bytes(broker), sum(each.stat().st_size for each in segments)
    )


def received_bytes(process: psutil.Process) -> int:
    """Bytes that the process has read, from its connections nearly all."""
    return int(process.io_counters().read_chars)
