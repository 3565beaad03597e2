"""Which events an audit of deliveries is about: those that were received in a time."""

import re
import time
from typing import NamedTuple

from pydantic_core import PydanticCustomError

from contracts.criteria import instant_ms
from contracts.topics import DAY_MS
from processors.upkeep.audit import Unprovable

SINCE_DEFAULT = "24h"
UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": DAY_MS}
LASTING = re.compile(r"([0-9]{1,6})([smhd])\Z")


class When(NamedTuple):
    """What an operator said: a duration up to now, or times (RFC 3339); empty where nothing."""

    since: str = ""
    from_: str = ""
    to: str = ""


class Period(NamedTuple):
    """From then on, up to, not with, `to_ms`; None is the log's end. Ms since 1970."""

    from_ms: int
    to_ms: int | None


def period(when: When) -> Period:
    """The period that is meant. Raises `Unprovable`."""
    since, from_, to = when
    if since and from_:
        raise Unprovable("Either --since or --from, not both.")
    to_ms = _instant("--to", to) if to else None
    if from_:
        asked = Period(_instant("--from", from_), to_ms)
    elif (lasting := LASTING.match(since or SINCE_DEFAULT)) is None:
        raise Unprovable("--since is a whole number and s, m, h or d: 24h.")
    else:
        now_ms = time.time_ns() // 1_000_000
        asked = Period(now_ms - int(lasting[1]) * UNITS_MS[lasting[2]], to_ms)
    if asked.to_ms is not None and asked.to_ms <= asked.from_ms:
        raise Unprovable("The time ends before it begins.")
    return asked


def _instant(option: str, text: str) -> int:
    try:
        return instant_ms(text)
    except (PydanticCustomError, ValueError) as error:
        raise Unprovable(f"{option}: {error}.") from error
