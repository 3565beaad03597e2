"""The body of a change to a subscription: a draft with a filter that can be read, or every fault.

A patch is a JSON merge patch (RFC 7396): what it leaves of the subscription is judged as a draft is.
"""

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from contracts.encoding.parse import BOM, ERRORS_MAX, Model, parse, read_json
from contracts.filters import Refused
from contracts.filters import parse as parse_filter
from contracts.problems import Problem
from contracts.subscriptions import KEPT_BY_SERVICE, Subscription, SubscriptionDraft, encode_json

POINTER_MAX = 512
"""Characters of a pointer that an answer repeats: names are the client's."""
DEAD_LETTER_ARN = "/delivery/dead_letter/arn"
LEVELS_MAX = 100
"""Of objects in a patch: those of a filter, and more than enough."""


def read_draft(body: bytes) -> SubscriptionDraft:
    """The draft in `body`, with the numbers of its filter as they were written.

    Raises `Problem` 400 (no JSON) or 405 that names what breaks the contract, in the filter too.
    """
    draft = read_filtered(SubscriptionDraft, body)
    _require_dead_letter_that_fits(draft)
    return draft


class _Replacement(SubscriptionDraft):
    """A subscription as it was read: what the service keeps itself may be there, and is not looked at."""

    ownership: Any = None
    inactive: Any = None
    paused: Any = None
    started: Any = None


def read_replacement(body: bytes) -> SubscriptionDraft:
    """The same of a PUT, whose body may be what GET answered. Raises as `read_draft` does."""
    draft = read_filtered(_Replacement, body)
    _require_dead_letter_that_fits(draft)
    return draft


def read_filtered(model: type[Model], body: bytes) -> Model:
    """A model with a member `filter`; faults of both are told at once. Raises as `read_draft` does."""
    errors: list[dict[str, Any]] = []
    found: Model | None = None
    try:
        found = parse(model, body)
    except Problem as problem:
        if problem.status != 405:
            raise
        errors += problem.errors
    document = _exact(body)
    pattern = document.get("filter") if isinstance(document, dict) else None
    if isinstance(pattern, dict):
        try:
            parse_filter(pattern)
        except Refused as refused:
            errors += _within_filter(refused)
    if errors or found is None:
        raise broken(errors)
    return found if pattern is None else found.model_copy(update={"filter": pattern})


def read_patch(body: bytes, subscription: Subscription) -> SubscriptionDraft:
    """The draft that is left when `body` has changed the subscription. Raises as `read_draft` does."""
    read_json(body.removeprefix(BOM))
    patch = _exact(body)
    if not isinstance(patch, dict):
        error = {"pointer": "", "detail": "a merge patch of a subscription is an object"}
        raise broken([error])
    document = subscription.document()
    for name in ("id", *KEPT_BY_SERVICE):
        document.pop(name, None)
    return read_draft(encode_json(merged(document, patch)))


def merged(target: object, patch: Any, level: int = 0) -> Any:
    """`target` with `patch` applied (RFC 7396, section 2). Raises `Problem` 400 where it is too deep."""
    if not isinstance(patch, dict):
        return patch
    if level > LEVELS_MAX:
        raise Problem(400, f"The patch is nested too deeply; the limit is {LEVELS_MAX} objects.")
    found = dict(target) if isinstance(target, Mapping) else {}
    for name, member in patch.items():
        if member is None:
            found.pop(name, None)
        else:
            found[name] = merged(found.get(name), member, level + 1)
    return found


def broken(errors: list[dict[str, Any]]) -> Problem:
    """405 that names these faults."""
    count = len(errors)
    more = f"; the first {ERRORS_MAX} are named." if count > ERRORS_MAX else "."
    detail = f"{count} field{'s' if count > 1 else ''} broke the contract{more}"
    return Problem(405, detail, errors=errors[:ERRORS_MAX], headers={"Allow": "POST"})


def _require_dead_letter_that_fits(draft: SubscriptionDraft) -> None:
    """Raises `Problem` 405. The kind is SQS's rule for its own dead-letter queues (developer guide)."""
    queue, destination = draft.delivery.dead_letter, draft.destination
    if queue is None:
        return
    if queue.arn == destination.arn:
        detail = "must be another queue than the destination"
    elif queue.is_fifo != destination.is_fifo:
        kind = "a FIFO" if destination.is_fifo else "a standard"
        detail = f"must be {kind} queue, as the destination is"
    else:
        return
    raise broken([{"pointer": DEAD_LETTER_ARN, "detail": detail, "size": len(queue.arn)}])


def _exact(body: bytes) -> Any:
    """JSON that was read before, now with every number as it is written. Raises `Problem` 400."""
    try:
        return json.loads(body.removeprefix(BOM), parse_float=Decimal)
    except InvalidOperation:
        detail = "The body is not JSON that can be read: a number's exponent is out of bounds."
        raise Problem(400, detail) from None


def _within_filter(refused: Refused) -> list[dict[str, Any]]:
    return [
        {**each, "pointer": f"/filter{each['pointer'][:POINTER_MAX]}"} for each in refused.errors
    ]
