"""An account of deliveries as it is printed: lines for people, a document for programs."""

from collections.abc import Iterator

from processors.upkeep.deliveries.account import ENDED, NOTED, UNJUDGED, WAITS, WRONG, Account
from processors.upkeep.report import LINES_MAX, utc

SAID = {
    "behind": "waiting for their queue",
    "unrouted": "waiting to be routed",
    "changed": "whose subscription was changed since",
    "gone": "of subscriptions that are gone",
    "erased": "of erased events",
    "duplicates": "delivered once more",
    "repeats": "repeats under an Idempotency-Key",
    "unreadable": "records that are no events",
}


def lines(account: Account) -> Iterator[str]:
    """The deliveries that are wrong, then the sums."""
    for kind, found in account.wrong.items():
        for each in found[:LINES_MAX]:
            yield (
                f"{kind}  tenant {each.tenant} subscription {each.subscription_id} event"
                f" {each.event_id} at {each.partition}:{each.offset}: {each.detail}"
            )
        if account.counts[kind] > LINES_MAX:
            yield f"{kind}  {account.counts[kind] - LINES_MAX:,} more"
    verdict = "Proven" if account.proven else "NOT as it should be"
    sums = _sums(account, *ENDED, *WAITS, *WRONG) or "none"
    yield f"{verdict}: {account.judged:,} deliveries of {account.offsets:,} offsets: {sums}."
    if unjudged := _sums(account, *UNJUDGED):
        yield f"Not judged: {unjudged}."
    if noted := _sums(account, *NOTED):
        yield f"Beside them: {noted}."
    yield f"Log {account.topic_id}, from {utc(account.period.from_ms / 1000)}, at {utc(account.at_s)}:"
    for part in account.ranges:
        yield f"  partition {part.partition}: {part.first}-{part.end}"


def document(account: Account) -> dict[str, object]:
    """The same as JSON has it; of each kind that is wrong up to `account.SHOWN_MAX` deliveries."""
    to_ms = account.period.to_ms
    return {
        "proven": account.proven,
        "topic_id": str(account.topic_id),
        "at": utc(account.at_s),
        "from": utc(account.period.from_ms / 1000),
        "to": None if to_ms is None else utc(to_ms / 1000),
        "offsets": account.offsets,
        "deliveries": account.judged,
        "counts": account.counts,
        **{kind: [each._asdict() for each in found] for kind, found in account.wrong.items()},
        "ranges": [each._asdict() for each in account.ranges],
    }


def _sums(account: Account, *kinds: str) -> str:
    return ", ".join(
        f"{account.counts[kind]:,} {SAID.get(kind, kind)}" for kind in kinds if account.counts[kind]
    )
