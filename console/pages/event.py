"""One event: what it says, what changed, what came before and after, and what became of it."""

import asyncio
import json
from typing import Any, NamedTuple

from starlette.responses import Response

from console.api import Refused, Unanswered, gather, path
from console.html.json_view import json_html
from console.html.text import quoted
from console.line.parse import read
from console.page import PATTERN_CHARACTERS_MAX, Page
from console.reading.changes import changes
from console.reading.documents import Document, hex_dump
from console.reading.seen import Seen
from console.reading.seen import seen as seen_in
from contracts import paths
from contracts.criteria import rfc_3339

AROUND = 8
NEWEST = 100
"""Events of the entity that are shown before this one, and after."""
AFTER_MS = 24 * 3_600_000
BEFORE_MS = 30 * AFTER_MS
TEXT_SHOWN = 32 * 1024
"""Characters of a text, or four bytes each of what is none, that are shown unless all are asked for."""


class Around(NamedTuple):
    """What the entity went through: events before and after the one that was received then."""

    received_ms: int | None
    before: list[Seen]
    after: list[Seen]


async def event(page: Page) -> Response:
    """The event that the path names, on a page of its own or as a part for the list beside it."""
    event_id = page.path("id")
    if page.is_part:
        return page.html(await panel(page, event_id))
    seen = await _seen(page, event_id)
    return page.render("event.html", **await _told(page, seen))


async def panel(page: Page, event_id: str) -> str:
    """The event as it stands beside a list, or why it cannot be shown."""
    try:
        seen = await _seen(page, event_id)
        return page.text("event_panel.html", **await _told(page, seen))
    except (Refused, Unanswered) as failure:
        return page.text("event_missing.html", failure=failure, event_id=event_id)


async def download(page: Page) -> Response:
    """The payload or the fault as it came, or the whole, never shown by the browser itself."""
    part = page.path("part")
    if part not in ("payload", "fault", "representation"):
        raise Refused(404, {"title": "Not found", "detail": f"An event has no {part[:20]}."})
    seen = await _seen(page, page.path("id"))
    if part == "representation":
        return page.file(seen.representation.encode(), f"{seen.id}.json")
    document: Document = getattr(seen, part)
    name = f"{seen.id}-{part}.{'json' if document.kind == 'json' else 'bin'}"
    return page.file(document.data, name)


async def _seen(page: Page, event_id: str) -> Seen:
    return Seen(await page.api.get(path(paths.EVENT, eventId=event_id)))


async def _told(page: Page, seen: Seen) -> dict[str, Any]:
    """All that the templates show."""
    around, explained, deliveries = await gather(
        _around(page, seen),
        page.api.get(path(paths.EXPLANATION, eventId=seen.id)),
        page.api.get(path(paths.EVENT_DELIVERIES, eventId=seen.id)),
    )
    previous = differ = None
    if isinstance(around, Around):
        seen.received_ms = around.received_ms
        previous = next((each for each in around.before if each.payload.kind != "none"), None)
    if previous is not None:
        differ = changes(previous.payload, seen.payload)
    return {
        "seen": seen,
        "around": around,
        "previous": previous,
        "differ": differ,
        "explained": explained,
        "deliveries": deliveries,
        "query_of": query_of,
        "view": lambda document, name: _view(page, document, name),
        "failed": lambda answer: isinstance(answer, Refused | Unanswered),
    }


def query_of(name: str, text: str) -> dict[str, str]:
    """The search for an attribute: a line, or a pattern where no line can say it; none for a long one."""
    pattern = {"key_attributes": {name: [text]}}
    line = f"attr.{name}:{quoted(text)}"
    if read(line)[1:] == (pattern, None, ()):
        return {"q": line}
    written = json.dumps(pattern, ensure_ascii=False)
    return {"filter": written} if len(written) <= PATTERN_CHARACTERS_MAX else {}


async def _around(page: Page, event: Seen) -> Around:
    """The entity's events before it, and within a day after, all newest first."""
    if event.received_ms is None:  # its id holds no time: it is among the newest, or not found
        newest = await entity_events(page, event, page.now_ms - BEFORE_MS, page.now_ms, NEWEST)
        at = next((n for n, each in enumerate(newest) if each.id == event.id), None)
        if at is None:
            return Around(None, newest[:AROUND], [])
        after = newest[max(at - AROUND, 0) : at]
        return Around(newest[at].received_ms, newest[at + 1 : at + 1 + AROUND], after)
    here = event.received_ms
    before, after = await asyncio.gather(
        entity_events(page, event, here - BEFORE_MS, here + 1, AROUND + 1),
        entity_events(page, event, here + 1, here + AFTER_MS, AROUND),
    )
    return Around(here, [each for each in before if each.id != event.id][:AROUND], after)


async def entity_events(page: Page, seen: Seen, from_ms: int, to_ms: int, limit: int) -> list[Seen]:
    """Events of the same entity in that time, newest first."""
    found = await page.api.get(
        paths.EVENTS,
        entity_id=seen.entity,
        event_source=seen.source,
        from_=rfc_3339(from_ms),
        to=rfc_3339(to_ms),
        limit=limit,
    )
    return seen_in(found)


def _view(page: Page, document: Document, name: str) -> dict[str, Any]:
    """A document as the template shows it: `whole` when nothing is left out."""
    everything = page.query.get("all") == name
    if document.kind == "json":
        shown, whole = json_html(document.value, everything)
        return {"kind": "json", "html": shown, "whole": whole, "all": everything}
    if document.kind == "bytes":
        part = document.data if everything else document.data[: TEXT_SHOWN // 16]
        return {
            "kind": "bytes",
            "text": hex_dump(part),
            "whole": len(part) == len(document.data),
            "all": everything,
        }
    part_of = document.text if everything else document.text[:TEXT_SHOWN]
    return {
        "kind": "text",
        "text": part_of,
        "whole": len(part_of) == len(document.text),
        "all": everything,
    }
