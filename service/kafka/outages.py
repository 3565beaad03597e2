"""Failures that go on, in the log: a line when one begins, one for each new kind, a count at its end."""

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass
class _Outage:
    since_s: float = field(default_factory=time.monotonic)
    failures: int = 0
    kinds: set[str] = field(default_factory=set)


class Outages:
    """What fails now, by name; false when nothing does."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._ongoing: dict[str, _Outage] = {}

    def __bool__(self) -> bool:
        return bool(self._ongoing)

    def failed(self, names: Iterable[str], error: BaseException, by: str = "") -> None:
        """`names` have failed with `error`, and are tried again; `by` tells whose it was."""
        kind, news = type(error).__name__, []
        for name in names:
            outage = self._ongoing.setdefault(name, _Outage())
            outage.failures += 1
            if kind not in outage.kinds:
                outage.kinds.add(kind)
                news.append(name)
        if news:
            self._log.warning("%s: %s%r; trying again", ", ".join(news), by and f"{by}: ", error)

    def over(self, names: Iterable[str]) -> None:
        """`names` work."""
        if ended := {name: self._ongoing.pop(name) for name in names if name in self._ongoing}:
            self._log.info(
                "%s: well again after %.1f s and %d failures",
                ", ".join(ended),
                time.monotonic() - min(outage.since_s for outage in ended.values()),
                sum(outage.failures for outage in ended.values()),
            )
