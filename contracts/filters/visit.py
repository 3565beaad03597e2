"""What lies under a key of the index, and how it is asked: entries that are verified, or a node."""

import logging
from typing import Any, NamedTuple, Protocol

from contracts.filters.checks import holds
from contracts.filters.view import View

log = logging.getLogger(__name__)


class Failure(NamedTuple):
    """A subscription whose filter could not be evaluated for an event. It should be impossible."""

    subscription_id: str
    cause: Exception


Found = list[str | Failure]
Entries = tuple[Any, ...]
"""Of each plan in turn the barred bits, checks, id, and the plan, which matching never touches.

Flat, for what an event costs in a large index is objects fetched from memory.
"""


class Collector(Protocol):
    """A node."""

    def collect(self, view: View, bits: int, found: Found, /) -> None:
        """Add to `found` what accepts the event."""


def visit(child: Entries | Collector, view: View, bits: int, found: Found) -> None:
    """Add to `found` what of `child` accepts the event, whose closed fields have `bits`."""
    if type(child) is not tuple:
        child.collect(view, bits, found)  # type: ignore[union-attr]
        return
    each = iter(child)
    for barred, checks, subscription_id, _ in zip(each, each, each, each, strict=False):
        if barred & bits:
            continue
        try:
            if not checks or holds(checks, view):
                found.append(subscription_id)
        except Exception as cause:
            log.exception("the filter of subscription %s fails", subscription_id)
            found.append(Failure(subscription_id, cause))
