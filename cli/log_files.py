"""The log files of a local stack: lines with their times, merged, and what is added to them.

Each program writes in a form of its own: our services JSON lines in UTC, the servers a local time at
the beginning. A line without a time, as of a stack trace, belongs to the one before it.
"""

import heapq
import json
import re
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

_TIME = re.compile(r"\[?([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}:[0-9]{2})[.,]([0-9]{3})")


class Line(NamedTuple):
    """A line of one service's log; `time_ms` since 1970, 0 where none is known yet."""

    time_ms: int
    service: str
    text: str


class LogFile:
    """One service's log, read on from where it was; begun anew when it was set aside."""

    def __init__(self, path: Path) -> None:
        self.service = path.stem
        self._path = path
        self._inode = self._position = self._time_ms = 0
        self._rest = b""

    def read(self) -> Iterator[Line]:
        """The lines that were added, without one that has no end yet."""
        try:
            file = self._path.open("rb")
        except FileNotFoundError:
            return
        with file:
            inode, size = (stat := self._path.stat()).st_ino, stat.st_size
            if inode != self._inode or size < self._position:
                self._inode, self._position, self._rest = inode, 0, b""
            file.seek(self._position)
            for raw in file:
                self._position += len(raw)
                raw, self._rest = self._rest + raw, b""
                if not raw.endswith(b"\n"):
                    self._rest = raw
                    return
                text = raw.decode(errors="replace").rstrip("\r\n")
                self._time_ms = time_of(text) or self._time_ms
                yield Line(self._time_ms, self.service, text)


def last(files: Iterable[LogFile], count: int) -> list[Line]:
    """The last `count` lines of all files by time; those of one file keep their order."""
    tails = [deque(file.read(), count) for file in files]
    return list(deque(merged(tails), count))


def merged(parts: Iterable[Iterable[Line]]) -> Iterator[Line]:
    """Lines of several files by time."""
    return heapq.merge(*parts, key=lambda line: line.time_ms)


def document_of(text: str) -> dict[str, Any]:
    """A line of our services as `service.logs` writes it; {} for any other."""
    if not text.startswith("{"):
        return {}
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) and "message" in found else {}


def time_of(text: str) -> int:
    """The time that a line names in ms since 1970; 0 when it names none."""
    document = document_of(text)
    found = _TIME.match(str(document.get("time", "")) if document else text)
    if not found:
        return 0
    try:
        time = datetime.fromisoformat(f"{found[1]} {found[2]}.{found[3]}")
    except ValueError:
        return 0
    zoned = time.replace(tzinfo=UTC) if document else time.astimezone()
    return round(zoned.timestamp() * 1000)
