"""One event: what it says, what changed, what came before and after, and what became of it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.responses import Response

from console.api import Refused, Unanswered, path
from console.html.json_view import json_html
from console.html.text import quoted
from console.line.parse import Line, read
from console.page import PATTERN_CHARACTERS_MAX, Page
from console.pages.entity import Around, around_of
from console.parts import Parts, as_they_come, in_order, present
from console.reading.changes import changes
from console.reading.documents import Document, hex_dump
from console.reading.seen import Seen
from contracts import paths

TEXT_SHOWN = 32 * 1024
"""Characters of a text, or four bytes each of what is none, that are shown unless all are asked for."""

WHOLE_AT_ONCE = asyncio.Semaphore(1)
"""All of a megabyte takes most of a second to write as HTML: one at a time, in a thread."""
WHOLE_S = 15.0
"""For that, and for the wait before."""


class Told:
    """What is asked about one event, all at once."""

    def __init__(self, page: Page, event_id: str, parts: Parts) -> None:
        self.page = page
        self.event_id = event_id
        ask = parts.ask
        self.seen = ask(_seen(page, event_id))
        self.around = ask(self._around())
        self._deliveries = ask(page.api.get(path(paths.EVENT_DELIVERIES, eventId=event_id)))
        self._explained = ask(page.api.get(path(paths.EXPLANATION, eventId=event_id)))

    async def _around(self) -> Around:
        return await around_of(self.page, present(await self.seen))

    def shown(self) -> dict[str, AsyncIterator[str]]:
        """The parts of its templates; those about an event that is not there are empty."""
        became = as_they_come(
            self._part("around", self._surroundings),
            self._part("deliveries", self._became),
            self._part("why", self._why),
        )
        return {
            "heading": self._part("heading", _nothing),
            "title": self._part("title", _nothing),
            "says": self._part("says", self._says),
            "became": became,
            "whole": self._part("whole", _nothing),
        }

    async def _part(
        self, name: str, make: Callable[[Seen], Awaitable[dict[str, Any]]]
    ) -> AsyncIterator[str]:
        seen = await self.seen
        if not isinstance(seen, Refused | Unanswered):
            yield await self._text(f"event/{name}.html", seen=seen, **await make(seen))
        elif name in ("heading", "title"):
            yield self.page.text(f"event/{name}.html", seen=None)
        elif name == "says":
            yield self.page.text("event/missing.html", failure=seen, event_id=self.event_id)

    async def _text(self, template: str, **known: object) -> str:
        """Of a template; the pages of others go on meanwhile."""
        if "all" not in self.page.query:
            return self.page.text(template, **known)
        async with asyncio.timeout(WHOLE_S), WHOLE_AT_ONCE:
            return await asyncio.to_thread(self.page.text, template, **known)

    async def _says(self, seen: Seen) -> dict[str, Any]:
        """When it was received is known from its id, else from what is around it."""
        if seen.received_ms is None and isinstance(around := await self.around, Around):
            seen.received_ms = around.received_ms
        return {
            "query_of": query_of,
            "view": lambda document, name: _view(self.page, document, name),
        }

    async def _surroundings(self, seen: Seen) -> dict[str, Any]:
        around, previous, differ = await self.around, None, None
        if isinstance(around, Around):
            previous = next((each for each in around.before if each.payload.kind != "none"), None)
        if previous is not None:
            differ = changes(previous.payload, seen.payload)
        return {"around": around, "previous": previous, "differ": differ}

    async def _became(self, seen: Seen) -> dict[str, Any]:
        return {"deliveries": await self._deliveries}

    async def _why(self, seen: Seen) -> dict[str, Any]:
        return {"explained": await self._explained}


async def event(page: Page) -> Response:
    """The event that the path names, on a page of its own or as a part for the list beside it."""
    parts = await page.parts()
    told = Told(page, page.path("id"), parts)
    if page.is_part:
        return page.stream(panel(told), parts)
    seen = await parts.soon(told.seen)
    text = page.text("event/page.html", seen=seen, event_id=told.event_id)
    return page.stream(in_order(text, told.shown()), parts)


def panel(told: Told) -> AsyncIterator[str]:
    """The event as it stands beside a list, or why it cannot be shown."""
    text = told.page.text("event/panel.html", event_id=told.event_id)
    return in_order(text, told.shown())


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


async def _nothing(seen: Seen) -> dict[str, Any]:
    return {}


async def _seen(page: Page, event_id: str) -> Seen:
    return Seen(await page.api.get(path(paths.EVENT, eventId=event_id)))


def query_of(name: str, text: str) -> dict[str, str]:
    """The search for an attribute: a line, or a pattern where no line can say it; none for a long one."""
    pattern = {"key_attributes": {name: [text]}}
    line = f"attr.{name}:{quoted(text)}"
    if read(line) == Line(line, pattern, None):
        return {"q": line}
    written = json.dumps(pattern, ensure_ascii=False)
    return {"filter": written} if len(written) <= PATTERN_CHARACTERS_MAX else {}


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
