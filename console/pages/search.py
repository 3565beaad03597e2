"""The search: a line, the newest events that it asks for, one of them opened beside the list.

The page is sent as it comes about: the opened event, rows when the API has answered them, how far it has
looked while it looks on, and the end. Who goes away ends the search.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from markupsafe import Markup
from starlette.responses import Response

from console.api import Refused, Unanswered
from console.html import amounts
from console.html.times import Range
from console.line import export, fields
from console.line.criteria import criteria
from console.line.given import given
from console.line.parse import Line
from console.live.question import BEHIND_MAX_MS
from console.page import Page
from console.pages.counted import timeline
from console.pages.event import Told, panel
from console.parts import SOON_S, Asked, Parts, in_order, present
from console.reading.seen import seen
from contracts import paths
from contracts.criteria import instant_ms, rfc_3339

SHOWN = 50
"""Events of a page."""
BESIDE_S = 5.0
"""So long rows wait, at most, for what is told of the event that is open beside them."""


class Search(NamedTuple):
    """What a URL of the search asks for."""

    line: Line
    period: Range
    cursor: str | None

    @property
    def goes_on(self) -> bool:
        """Whether its list ends now, so that live can go on with it."""
        return self.period.relative is not None and not self.cursor

    def body(self, limit: int = SHOWN) -> dict[str, Any]:
        """The request to the API."""
        line = self.line
        return {"filter": line.pattern, **line.beside, **self.period.absolute, "limit": limit}


class Read(NamedTuple):
    """What ClickHouse has read for the answers until now."""

    rows: int
    bytes: int

    def more(self, found: dict[str, Any]) -> "Read":
        """With one answer more; an API of another release may not tell."""
        cost = found.get("cost") or {"rows_read": 0, "bytes_read": 0}
        return Read(self.rows + cost["rows_read"], self.bytes + cost["bytes_read"])

    @property
    def told(self) -> str:
        """As a person says it."""
        return amounts.taken(*self)


def asked_of(page: Page) -> Search:
    """What the page's URL asks for."""
    return Search(given(page.query), page.range, page.query.get("cursor"))


async def search(page: Page) -> Response:
    """The search page, as it comes about."""
    asked, parts = asked_of(page), await page.parts()
    opened = page.query.get("event")
    counted = parts.ask(timeline(page, asked.line))
    first = parts.ask(_first(page, asked, parts))
    bars = Bars(page, counted)
    shown = {
        "early": bars.early(),
        "event": panel(Told(page, opened, parts.within(BESIDE_S))) if opened else _empty(),
        "rows": _found(page, asked, opened, first),
        "late": bars.late(),
    }
    return page.stream(in_order(around(page, asked, opened), shown), parts)


async def _first(page: Page, asked: Search, parts: Parts) -> tuple[int, Any]:
    """The first page of the list, and until when it has all: as far as the view was before.

    Live begins there, whenever it is switched on.
    """
    now_ms = asked.period.to_ms
    until_ms: int = now_ms - BEHIND_MAX_MS  # unless it is told in time: as far as live reaches back
    if asked.goes_on:
        told = parts.ask(page.site.tails.visible_until_ms(page.api, now_ms))
        await asyncio.wait([told], timeout=SOON_S)
        if told.done() and isinstance(visible_ms := told.result(), int):
            until_ms = visible_ms
    body = asked.body() | {"cursor": asked.cursor}
    return until_ms, await page.api.post(paths.SEARCH, body)


def around(page: Page, asked: Search, opened: str | None) -> str:
    """What of the page is known before anything was found."""
    line, tenant = asked.line, page.session.tenant
    return page.text(
        "search.html",
        line=line,
        opened=opened,
        goes_on=asked.goes_on,
        since=asked.period.to_ms - BEHIND_MAX_MS,
        completions=json.dumps(fields.completions()),
        pattern=json.dumps(line.pattern, indent=2, ensure_ascii=False),
        is_counted=criteria(line) is not None,
        beside=page.query.get("filter"),
        subscribe=page.link("/subscriptions/new", filter=json.dumps(line.pattern)),
        curl=export.as_curl(page.api.url, tenant, asked.body()),
        sql=export.sql_or_why(tenant, line.pattern, line.beside, asked.period, SHOWN),
    )


async def _empty() -> AsyncIterator[str]:
    """No event is open beside the list."""
    yield ""


class Bars:
    """What is found over time: before the rows, which may be long in coming, unless the bars are."""

    def __init__(self, page: Page, counted: Asked[Markup | None]) -> None:
        self._page = page
        self._counted = counted
        self._is_late = True

    async def early(self) -> AsyncIterator[str]:
        """When they are there soon."""
        await asyncio.wait([self._counted], timeout=SOON_S)
        self._is_late = not self._counted.done()
        if not self._is_late:
            yield await self._text()

    async def late(self) -> AsyncIterator[str]:
        """When they were not."""
        if self._is_late:
            yield await self._text()

    async def _text(self) -> str:
        bars = await self._counted
        return "" if bars is None else self._page.text("search_bars.html", bars=bars)


async def _found(
    page: Page, asked: Search, opened: str | None, first: Asked[tuple[int, Any]]
) -> AsyncIterator[str]:
    """Rows, then the row that says how the search ended. `first` is the first page of them."""
    body, cursor, shown, read = asked.body(), asked.cursor, 0, Read(0, 0)
    give_up_s = time.monotonic() + page.site.settings.search_s
    while shown < SHOWN:
        try:
            if shown == 0 and cursor == asked.cursor:
                until_ms, found = present(await first)
                yield f'<template data-until="{until_ms}"></template>'
            else:
                more = {"limit": SHOWN - shown, "cursor": cursor}
                found = await page.api.post(paths.SEARCH, body | more)
        except (Refused, Unanswered) as failure:
            ended = {"shown": shown, "read": read.told, "next": None, "late": False}
            yield page.text("search_end.html", **ended, failure=failure)
            return
        events = [each.row for each in seen(found)]
        shown, cursor, read = shown + len(events), found["next"], read.more(found)
        if events:
            yield page.text("rows.html", events=events, opened=opened)
        if cursor is None:
            break
        if time.monotonic() > give_up_s:
            break
        if shown < SHOWN:
            progress = _progress(page, asked, shown, found)
            yield page.text("search_progress.html", **progress, read=read.told)
    late = cursor is not None and shown < SHOWN
    older = page.here(**_absolute(asked.period), cursor=cursor, event=None) if cursor else None
    ended = {"shown": shown, "read": read.told, "next": older, "late": late}
    yield page.text("search_end.html", **ended, failure=None)


def _progress(page: Page, asked: Search, shown: int, found: dict[str, Any]) -> dict[str, Any]:
    """How far a search has come, and where it can be gone on with."""
    period, reached_ms = asked.period, instant_ms(found["reached"])
    share = (period.to_ms - reached_ms) / (period.to_ms - period.from_ms)
    on = page.here(**_absolute(period), cursor=found["next"], event=None)
    return {"shown": shown, "reached": reached_ms, "share": min(max(share, 0.0), 1.0), "on": on}


def _absolute(period: Range) -> dict[str, str]:
    """The range as the next page needs it: a cursor belongs to one."""
    return {"from_": rfc_3339(period.from_ms), "to": rfc_3339(period.to_ms)}
