"""Whom a kind of failure concerns: its entities, those with the most failures first."""

from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import Response

from console.api import Refused, Unanswered
from console.html.text import quoted
from console.page import Page
from console.parts import Asked, in_order
from contracts import paths

LIMIT = 200
"""The most that the API counts by name; the others are found by how they begin."""
BESIDE = {"event_source": "source", "operation": "operation"}
"""Conditions of the list of kinds that a count may have been of, and their fields of a search line."""


async def entities(page: Page) -> Response:
    """Of the time range, and of what else the count that leads here was of."""
    fingerprint = page.path("fingerprint")
    given = {name: page.query.get(name, "") for name in BESIDE}
    narrowed = {name: value for name, value in given.items() if value}
    prefix = page.query.get("prefix", "")[:256]
    query: dict[str, Any] = {"field": "entity_id", "fault_fingerprint": fingerprint, "limit": LIMIT}
    query |= narrowed | page.range.absolute
    parts = await page.parts()
    asked = parts.ask(page.api.get(paths.FIELDS, **query, prefix=prefix or None))
    await parts.soon(asked)
    text = page.text("faults/entities.html", fingerprint=fingerprint, given=narrowed, prefix=prefix)
    said = [f"{BESIDE[name]}:{quoted(value)}" for name, value in narrowed.items()]
    line = " ".join((f"fault:{fingerprint}", *said))
    return page.stream(in_order(text, {"found": _found(page, asked, line, prefix)}), parts)


async def _found(page: Page, asked: Asked[Any], line: str, prefix: str) -> AsyncIterator[str]:
    found = await asked
    is_cut = not isinstance(found, Refused | Unanswered) and found["distinct"] > LIMIT
    yield page.text(
        "faults/affected.html", found=found, line=line, prefix=prefix, is_cut=is_cut, limit=LIMIT
    )
