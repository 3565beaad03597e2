"""When a redrive or a replay may begin: what it is refused for."""

import time

from contracts.jobs import POSITIONS_MAX, RUNNING_MAX, Job, Jobs, Kind
from contracts.problems import Problem, unavailable
from contracts.subscriptions import Subscription

FOLLOWED_S = 600.0
"""After this a redrive is not waited for any more: the ledger's rows may have been lost, or expired."""


def require_room(table: Jobs, tenant: str, subscription: Subscription, kind: Kind) -> None:
    """Raises `Problem` 409."""
    if not subscription.active:
        raise Problem(409, f"The subscription receives nothing. {_stopped(subscription)}")
    unended = [each for each in table.of(tenant) if not table.standing(each).has_ended]
    if len(unended) >= RUNNING_MAX:
        raise Problem(
            409,
            f"The tenant has {len(unended)} jobs that have not ended; the limit is {RUNNING_MAX}."
            " Wait for one, or cancel one.",
            extra={"size": len(unended), "limit": RUNNING_MAX},
        )
    last = last_redrive(table, tenant, subscription)
    if kind == "redrive" and last in unended and last is not None:
        raise Problem(
            409,
            f"A redrive of this subscription is under way, {last.id}: another one would send the same"
            " events again. Wait for it, or cancel it.",
        )


def _stopped(subscription: Subscription) -> str:
    """Why it receives nothing, and what to do first."""
    if subscription.paused is not None:
        return "It is paused: mend its queue, then enable it."
    if not subscription.enabled and subscription.inactive is None:
        return "It is disabled: enable it first."
    return f"It is inactive: {subscription.inactive}"


def last_redrive(table: Jobs, tenant: str, subscription: Subscription) -> Job | None:
    """The newest of the subscription."""
    of_tenant = (each for each in table.of(tenant) if each.subscription_id == subscription.id)
    return next((each for each in of_tenant if each.kind == "redrive"), None)


def may_be_ahead(table: Jobs, job: Job) -> bool:
    """Whether the ledger may lack what it has done."""
    return table.standing(job).updated_at > (time.time() - FOLLOWED_S) * 1000


def require_followed(table: Jobs, job: Job, told: int) -> None:
    """Raises `Problem` 503 where the ledger has `told` the end of fewer events than the job has done."""
    standing = table.standing(job)
    if told < standing.sent + standing.dead:
        raise unavailable(
            f"The ledger has not followed the redrive {job.id} yet: what that sent would be taken for"
            " dead. Try again."
        )


def too_many(count: int) -> Problem:
    """400 for a replay of more than a job takes."""
    detail = "the range holds more events than one job takes: replay a shorter time, and then the next one"
    return Problem(
        400,
        f"{count:,} events match; one replay takes {POSITIONS_MAX:,}. Ask for shorter times one after"
        " the other; `dry_run` counts by day.",
        errors=[{"pointer": "/to", "detail": detail, "limit": POSITIONS_MAX, "size": count}],
    )
