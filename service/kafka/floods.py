"""Thins out what a client library repeats while a server is away: thousands of equal lines a minute."""

import logging
import math
import time

EVERY_S = 30.0
KINDS_MAX = 1_000


class Floods(logging.Filter):
    """Of the libraries' records of one kind, the first, then one each `EVERY_S` with a count.

    A kind is a logger, a level and a text before its arguments are filled in.
    """

    def __init__(self, *libraries: str) -> None:
        super().__init__()
        self._libraries = libraries
        self._seen: dict[tuple[str, int, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is to be written; the count of those that were not is added to it."""
        if record.name.partition(".")[0] not in self._libraries:
            return True
        kind, now_s = (record.name, record.levelno, str(record.msg)), time.monotonic()
        at_s, held = self._seen.get(kind, (-math.inf, 0))
        if now_s - at_s < EVERY_S:
            self._seen[kind] = (at_s, held + 1)
            return False
        if len(self._seen) >= KINDS_MAX:
            self._seen.clear()
        self._seen[kind] = (now_s, 0)
        if held:
            record.msg = f"{record.msg} ({held} more like this before)"
        return True
