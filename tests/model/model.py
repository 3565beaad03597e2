"""What GET must answer, from the log alone. The machine compares this with what the processors made of it."""

from collections.abc import Sequence
from typing import NamedTuple

from contracts.erasures import WINDOW_MS


class Posted(NamedTuple):
    """A record of an event: its place, when the edge received it by its clock, in ms since 1970."""

    log: int
    partition: int
    offset: int
    received_ms: int


class Erased(NamedTuple):
    """A tombstone; not `final` is one of the first release, which are all in log 0."""

    partition: int
    offset: int
    erased_ms: int
    final: bool


def may_show(
    records: Sequence[Posted], tombstones: Sequence[Erased], now_ms: int, kept_ms: int
) -> set[Posted | None]:
    """The records of which one is shown, None for nothing; all are of one (tenant, id), as the log has them.

    One element is what must be shown. More are there when one of them has expired, which is shown until a
    merge, or when its repeats are in several places: partitions were added, the topic was made anew.
    """
    if any(each.final for each in tombstones):
        return {None}
    records = [each for each in records if not any(_covers(t, each) for t in tombstones)]
    expired = {each for each in records if now_ms >= each.received_ms + kept_ms}
    firsts: set[Posted] = set()
    for each in records:  # the first counts, unless it had expired when the repeat was received
        lasting = {first for first in firsts if each.received_ms < first.received_ms + kept_ms}
        if lasting != firsts or not firsts or lasting & expired:
            lasting |= {each}  # read late, after a merge, a repeat of what has expired looks new
        firsts = lasting
    if (
        len({each[:2] for each in records}) > 1
    ):  # any of those that came when all before had expired
        begun = [
            each.received_ms
            for each in records
            if all(
                each.received_ms >= other.received_ms + kept_ms
                for other in records
                if other.received_ms < each.received_ms
            )
        ]
        firsts = {each for each in records if each.received_ms >= max(begun, default=0)}
    return {*firsts, None} if firsts & expired or not firsts else {*firsts}


def _covers(tombstone: Erased, each: Posted) -> bool:
    before = (0, tombstone.partition) == each[:2] and each.offset < tombstone.offset
    return before or each.received_ms <= tombstone.erased_ms + WINDOW_MS
