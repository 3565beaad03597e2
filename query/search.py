"""GET /api/v1/events and POST /api/v1/events:search: the tenant's events, newest first, page by page.

GET has the criteria in its query string, POST a filter as subscriptions have them in its body.

A page is answered with the cursor of the next one in its body and as a link (RFC 8288). Pages that
follow one another show every event once, whatever arrives meanwhile: it is newer than they are.
"""

import contextlib
import json
import logging
import time
from collections.abc import Iterator
from typing import Any, TypeVar

from contracts import paths
from contracts.clickhouse.search import Position, Statistics
from contracts.criteria import Criteria, rfc_3339
from contracts.drafts import broken, read_filtered
from contracts.filtering import FilterSearch, Ranged
from contracts.filters import parse
from contracts.problems import Problem, unavailable
from contracts.resending import Redrive, Replay
from contracts.subscriptions import encode_json
from query.criteria import next_query, parse_search, read_pairs
from query.cursor import Rest, decode, encode
from query.pages import Page, Pages
from query.scan import TooBroad, TooSlow
from query.slots import TooManySearches
from service.access.verifier import Verifier
from service.clickhouse import ClickHouseFailed
from service.http.asgi import (
    Receive,
    Scope,
    Send,
    declared_bytes,
    read_body,
    require_json,
    respond,
    single_headers,
)

log = logging.getLogger(__name__)

BODY_BYTES_MAX = 64 * 1024
LINK_BYTES_MAX = 4096
"""Of the header that repeats the query; a longer one is left out, for clients and proxies take few KiB."""
JSON_TYPE = (b"content-type", b"application/json")
DAY_MS = 24 * 60 * 60 * 1000
CLOCK_SKEW_MS = 60_000
"""An edge's clock may be ahead of ours: what it has just received is found all the same."""

Asked = TypeVar("Asked", bound=Ranged | Redrive | Replay)

NARROWER = "Ask for a shorter time with `from` and `to`"


class SearchEvents:
    """Handler of GET /api/v1/events."""

    def __init__(self, verifier: Verifier, pages: Pages, days: float) -> None:
        self._verifier = verifier
        self._pages = pages
        self._days = days

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate, read the criteria, find a page, answer."""
        tenant = await self._verifier.tenant(single_headers(scope))
        pairs = read_pairs(scope["query_string"])
        search = parse_search(pairs)
        if search.cursor is not None:
            rest = decode(search.cursor, tenant, search)
        else:
            rest = rest_of(search.begins_ms, search.to, self._days)
        with refusing():
            page = await self._pages.find(tenant, search, rest, search.limit)
        cursor = encode(page.rest, tenant, search) if page.rest else None
        headers = [JSON_TYPE]
        link = cursor and f'<{paths.EVENTS}?{next_query(pairs, cursor)}>; rel="next"'
        if link and len(link) <= LINK_BYTES_MAX:
            headers.append((b"link", link.encode("ascii")))
        await respond(send, 200, headers, shown_page(page, cursor))


class SearchByFilter:
    """Handler of POST /api/v1/events:search."""

    def __init__(self, verifier: Verifier, pages: Pages, days: float) -> None:
        self._verifier = verifier
        self._pages = pages
        self._days = days

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate, read filter and range, find a page, answer."""
        tenant = await self._verifier.tenant(single_headers(scope))
        search = await read_request(FilterSearch, scope, receive)
        filter_, pattern = parse(search.filter), encode_json(search.filter)
        given: dict[str, Any] = {"from": search.from_, "to": search.to, "q": search.q}
        given |= {"fault_fingerprint": search.fault_fingerprint}
        given |= {"occurred_from": search.occurred_from, "occurred_to": search.occurred_to}
        criteria = Criteria.model_construct(**given)  # read already
        if search.cursor is not None:
            rest = decode(search.cursor, tenant, criteria, pattern)
        else:
            rest = rest_of(search.begins_ms, search.to, self._days)
        with refusing():
            page = await self._pages.find(tenant, criteria, rest, search.limit, filter_)
        cursor = encode(page.rest, tenant, criteria, pattern) if page.rest else None
        await respond(send, 200, (JSON_TYPE,), shown_page(page, cursor))


async def read_request(model: type[Asked], scope: Scope, receive: Receive) -> Asked:
    """The body as `model`. Raises `Problem` 405, as creating a subscription does, 413 or 415."""
    headers = single_headers(scope)
    require_json(headers)
    declared_bytes(headers, BODY_BYTES_MAX)
    asked = read_filtered(model, await read_body(receive, BODY_BYTES_MAX))
    if asked.from_ is not None and asked.to is not None and asked.from_ >= asked.to:
        raise broken([{"pointer": "/from", "detail": "must be earlier than `to`"}])
    return asked


def rest_of(from_ms: int | None, to_ms: int | None, days: float) -> Rest:
    """All of the range; it goes back `days` where it has no beginning."""
    latest_ms = time.time_ns() // 1_000_000 + CLOCK_SKEW_MS
    to_ms = latest_ms if to_ms is None else min(to_ms, latest_ms)
    from_ms = to_ms - round(days * DAY_MS) if from_ms is None else min(from_ms, to_ms)
    return Rest(from_ms, Position(to_ms))


def shown_page(page: Page, cursor: str | None) -> bytes:
    """The JSON of an `EventPage`."""
    received = json.dumps([rfc_3339(each) for each in page.received_ms]).encode()
    reached = rfc_3339(page.rest.position.received_ms) if page.rest else None
    return b'{"events":[%b],"received_at":%b,"next":%b,"reached":%b,"cost":%b}' % (
        b",".join(page.events),
        received,
        json.dumps(cursor).encode(),
        json.dumps(reached).encode(),
        shown_cost(page.took),
    )


def shown_cost(took: Statistics) -> bytes:
    """The JSON of a `Cost`."""
    return b'{"rows_read":%d,"bytes_read":%d,"seconds":%.3f}' % (
        took.rows_read,
        took.bytes_read,
        took.elapsed,
    )


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """What stops a search as a `Problem`: 400 too broad, 503 too slow or not at the moment."""
    try:
        yield
    except TooBroad:
        detail = "the range holds more rows than are read at once"
        error = {"pointer": "/from", "detail": detail}
        raise Problem(400, f"The search is too broad. {NARROWER}.", errors=[error]) from None
    except TooSlow as stopped:
        raise unavailable(
            f"The search took too long; nothing matches from {_shown(stopped.position)} on."
            f" {NARROWER}, or try again."
        ) from None
    except (TooManySearches, ClickHouseFailed) as error:
        log.warning("search failed: %s", error)
        raise unavailable("Events cannot be searched at the moment. Try again.") from None


def _shown(position: Position) -> str:
    """The position's time."""
    return rfc_3339(position.received_ms)
