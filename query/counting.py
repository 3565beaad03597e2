"""Ranges of time that are counted: which one is meant, and what stops the counting as a `Problem`."""

import contextlib
import logging
import time
from collections.abc import Iterator

from contracts.intervals import BUCKETS_MAX, Asked, Span, span
from contracts.problems import Problem, unavailable
from query.scan import TooBroad, TooSlow
from query.slots import TooManySearches
from service.clickhouse import ClickHouseFailed

log = logging.getLogger(__name__)

DAY_MS = 24 * 60 * 60 * 1000


def span_of(from_ms: int | None, to_ms: int | None, days: float, interval: Asked = "auto") -> Span:
    """The range until now at the latest; it goes back `days` where it has no beginning.

    Raises `Problem` 400 for one of too many intervals. One that has not begun is a millisecond long.
    """
    now_ms = time.time_ns() // 1_000_000
    end_ms = now_ms if to_ms is None else min(to_ms, now_ms)
    begin_ms = end_ms - round(days * DAY_MS) if from_ms is None else min(from_ms, now_ms - 1)
    found = span(begin_ms, max(end_ms, begin_ms + 1), interval)
    if found.size > BUCKETS_MAX:
        error = {
            "pointer": "/interval" if interval != "auto" else "/from",
            "detail": f"the range has more {found.interval}s than are counted at once",
            "limit": BUCKETS_MAX,
            "size": found.size,
        }
        raise Problem(400, "The range has too many intervals.", errors=[error])
    return found


@contextlib.contextmanager
def counting() -> Iterator[None]:
    """What stops a count as a `Problem`: 400 too broad, 503 too slow or not at the moment."""
    try:
        yield
    except TooBroad:
        detail = "the range holds more events than are counted at once"
        error = {"pointer": "/from", "detail": detail}
        raise Problem(
            400,
            "That is too much to count. Ask for a shorter time with `from` and `to`.",
            errors=[error],
        ) from None
    except TooSlow:
        raise unavailable(
            "Counting took too long. Ask for a shorter time with `from` and `to`, or try again."
        ) from None
    except (TooManySearches, ClickHouseFailed) as error:
        log.warning("counting failed: %s", error)
        raise unavailable("Events cannot be counted at the moment. Try again.") from None
