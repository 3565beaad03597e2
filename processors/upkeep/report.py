"""An audit's account as it is printed: lines for people, a document for programs."""

from collections.abc import Iterator
from datetime import UTC, datetime

from processors.upkeep.account import Account

LINES_MAX = 20
"""Places of a kind that are named; all are counted."""


def lines(account: Account) -> Iterator[str]:
    """What is wrong with its position, then the sums."""
    for kind, positions in account.wrong.items():
        for partition, offset, detail in positions[:LINES_MAX]:
            yield f"{kind}  partition {partition} offset {offset}: {detail}"
        if account.counts[kind] > LINES_MAX:
            yield f"{kind}  {account.counts[kind] - LINES_MAX:,} more"
    reached = "the log's end" if account.to_end else "what the materializer has committed"
    sums = ", ".join(f"{count:,} {name}" for name, count in account.counts.items() if count)
    verdict = "Proven" if account.proven else "NOT as it should be"
    yield f"{verdict}: {account.offsets:,} offsets up to {reached}: {sums or 'none'}."
    yield f"Log {account.topic_id}, at {utc(account.at_s)}:"
    for each in account.ranges:
        digest = account.digests.get(each.partition, 0)
        yield f"  partition {each.partition}: {each.first}-{each.end}, digest {digest:016x}"
    for number, rows in account.others.items():
        yield f"  and {rows:,} rows of log {number}, which Kafka does not have any more"


def document(account: Account) -> dict[str, object]:
    """The same as JSON has it; of each kind that is wrong up to `account.SHOWN_MAX` places."""
    return {
        "proven": account.proven,
        "topic_id": str(account.topic_id),
        "at": utc(account.at_s),
        "up_to": "end" if account.to_end else "committed",
        "offsets": account.offsets,
        "counts": account.counts,
        **{kind: [each._asdict() for each in found] for kind, found in account.wrong.items()},
        "ranges": [
            each._asdict() | {"digest": f"{account.digests.get(each.partition, 0):016x}"}
            for each in account.ranges
        ],
        "other_logs": account.others,
    }


def utc(at_s: float) -> str:
    """A time in s since 1970 as it is printed."""
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="seconds")
