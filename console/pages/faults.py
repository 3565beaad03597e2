"""What fails, by kind: the groups of failures of the time range, and one of them."""

import re
from collections.abc import AsyncIterator
from typing import Any, get_args

from starlette.responses import Response

from console.api import Refused, Unanswered, gather, path
from console.html.course import bars_of, fewer, starts_of, width_of
from console.html.text import quoted
from console.page import Page
from console.pages.entity import NEWEST, entity_events
from console.parts import Asked, in_order, present
from console.reading.seen import Seen
from contracts import paths
from contracts.criteria import instant_ms
from contracts.events import EventSource, Operation
from contracts.faults import Order

ORDERS: dict[Order, str] = {
    "count": "Most failures",
    "last_seen": "Latest",
    "first_seen": "Newest kind",
    "entities": "Most entities",
}
LIMIT = 50
CRITERIA = ("q", "status", "event_source", "operation")


async def groups(page: Page) -> Response:
    """A page of groups."""
    given = {name: page.query.get(name, "") for name in CRITERIA}
    order = page.query.get("order") if page.query.get("order") in ORDERS else "count"
    parts = await page.parts()
    asked = parts.ask(
        page.api.get(
            paths.FAULTS,
            **page.range.absolute,
            **{name: value or None for name, value in given.items()},
            order=order,
            limit=LIMIT,
            cursor=page.query.get("cursor") or None,
        )
    )
    await parts.soon(asked)
    text = page.text(
        "faults/groups.html",
        given=given,
        order=order,
        orders=ORDERS,
        sources=get_args(EventSource),
        operations=get_args(Operation),
    )
    return page.stream(in_order(text, {"found": _groups(page, given, asked)}), parts)


async def _groups(page: Page, given: dict[str, str], asked: Asked[Any]) -> AsyncIterator[str]:
    found = await asked
    cursor = None if isinstance(found, Refused | Unanswered) else found["next"]
    following = page.here(**page.range.absolute, cursor=cursor) if cursor else None
    yield page.text(
        "faults/found.html",
        found=found,
        given=given,
        next=following,
        fewer=fewer,
        is_narrowed=any(given.values()),
    )


async def group(page: Page) -> Response:
    """One of them: its course, whom it concerns, what sets it apart, the latest events."""
    return await _shown(page)


async def say(page: Page) -> Response:
    """Say what is done about it: an event of the log, so that everybody sees it."""
    fields = await page.form()
    body: dict[str, Any] = {"state": fields.get("state", ""), "note": fields.get("note", "")}
    if body["state"] == "quiet":
        count = fields.get("until_count", "")
        body["until_count"] = int(count) if re.fullmatch("[0-9]{1,12}", count) else None
    try:
        await page.api.send("PUT", path(paths.FAULT_STATE, fingerprint=_name(page)), body)
    except Refused as refused:
        return await _shown(page, refused)
    return page.see(f"/faults/{_name(page)}")


async def _shown(page: Page, refused: Refused | None = None) -> Response:
    parts, status = await page.parts(), refused.status if refused else 200
    asked = parts.ask(
        page.api.get(path(paths.FAULT, fingerprint=_name(page)), **page.range.absolute)
    )
    latest = parts.ask(_newest(page, asked))
    try:
        found = await parts.soon(asked)
    except Refused as error:
        if error.status != 404:
            raise
        found, status = None, 404
    text = page.text("faults/group.html", fault=found and found["fault"])
    shown = {
        "one": _one(page, asked, refused, is_named=found is not None),
        "latest": _latest(page, asked, latest),
        "state": _state(page, asked),
    }
    return page.stream(in_order(text, shown), parts, status)


async def _one(
    page: Page, asked: Asked[Any], refused: Refused | None, *, is_named: bool
) -> AsyncIterator[str]:
    """How much, when, whom and where, what sets it apart, and what it says unless the heading did."""
    found = await asked
    if isinstance(found, Refused | Unanswered):
        yield page.text("faults/none.html", missing=found)
        return
    fault = found["fault"]
    from_ms, to_ms = instant_ms(found["from"]), instant_ms(found["to"])
    yield page.text(
        "faults/one.html",
        found=found,
        fault=fault,
        is_named=is_named,
        course=bars_of(
            starts_of(from_ms, to_ms, found["interval"]),
            to_ms,
            {"FAULT": fault["buckets"]},
            lambda from_, to: page.here(from_=from_, to=to, range=None),
        ),
        width=width_of(found["interval"]),
        refused=refused,
        line_of=line_of,
        about=lambda line="": f"fault:{fault['fingerprint']} {line}".rstrip(),
    )


async def _newest(page: Page, asked: Asked[Any]) -> list[Seen]:
    found = present(await asked)
    from_ms, to_ms = instant_ms(found["from"]), instant_ms(found["to"])
    events = await gather(*(received(page, each, from_ms, to_ms) for each in found["events"]))
    return [each for each in events if isinstance(each, Seen)]


async def _latest(page: Page, asked: Asked[Any], latest: Asked[list[Seen]]) -> AsyncIterator[str]:
    if not page.is_missing(await asked):
        yield page.text("faults/latest.html", latest=await latest)


async def _state(page: Page, asked: Asked[Any]) -> AsyncIterator[str]:
    found = await asked
    if not isinstance(found, Refused | Unanswered):
        yield page.text("faults/state.html", fault=found["fault"])


async def received(page: Page, event_id: str, from_ms: int, to_ms: int) -> Seen:
    """The event; when it was received a search says, where its id does not."""
    event = Seen(await page.api.get(path(paths.EVENT, eventId=event_id)))
    if event.received_ms is None:
        same = await entity_events(page, event, from_ms, to_ms, NEWEST)
        return next((each for each in same if each.id == event_id), event)
    return event


def line_of(field: str, value: str) -> str:
    """The search line of a difference."""
    names = {
        "event_source": "source",
        "operation": "operation",
        "entity_id": "entity",
        "entity_name": "name",
    }
    head, _, rest = field.partition(".")
    if head in ("key_attributes", "payload") and rest:
        return f"{'attr' if head == 'key_attributes' else 'payload'}.{rest}:{quoted(value)}"
    return f"{names[field]}:{quoted(value)}" if field in names else ""


def _name(page: Page) -> str:
    return page.path("fingerprint")
