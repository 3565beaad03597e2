"""GET /api/v1/events: the tenant's events that meet the criteria, newest first, page by page.

A page is answered with the cursor of the next one in its body and as a link (RFC 8288). Pages that
follow one another show every event once, whatever arrives meanwhile: it is newer than they are.
"""

import json
import logging
import time
from datetime import UTC, datetime

from contracts.clickhouse.search import Position
from contracts.criteria import Search
from contracts.problems import Problem, unavailable
from query.criteria import next_query, parse_search, read_pairs
from query.cursor import Rest, decode, encode
from query.pages import Pages, TooManySearches
from query.scan import TooBroad, TooSlow
from service.access.verifier import Verifier
from service.clickhouse import ClickHouseFailed
from service.http.asgi import Receive, Scope, Send, respond, single_headers

log = logging.getLogger(__name__)

PATH = "/api/v1/events"
JSON_TYPE = (b"content-type", b"application/json")
DAY_MS = 24 * 60 * 60 * 1000
CLOCK_SKEW_MS = 60_000
"""An edge's clock may be ahead of ours: what it has just received is found all the same."""

NARROWER = "Ask for a shorter time with `from` and `to`"


class SearchEvents:
    """Handler of GET /api/v1/events."""

    def __init__(self, verifier: Verifier, pages: Pages, days: float) -> None:
        self._verifier = verifier
        self._pages = pages
        self._range_ms = round(days * DAY_MS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate, read the criteria, find a page, answer."""
        tenant = await self._verifier.tenant(single_headers(scope))
        pairs = read_pairs(scope["query_string"])
        search = parse_search(pairs)
        rest = self._rest(search, tenant)
        try:
            page = await self._pages.find(tenant, search, rest, search.limit)
        except TooBroad as stopped:
            raise _too_broad(stopped) from None
        except TooSlow as stopped:
            raise unavailable(
                f"The search took too long; nothing matches from {_shown(stopped.position)} on."
                f" {NARROWER}, or try again."
            ) from None
        except (TooManySearches, ClickHouseFailed) as error:
            log.warning("search failed: %s", error)
            raise unavailable("Events cannot be searched at the moment. Try again.") from None
        cursor = encode(page.rest, tenant, search) if page.rest else None
        headers = [JSON_TYPE]
        if cursor:
            link = f'<{PATH}?{next_query(pairs, cursor)}>; rel="next"'
            headers.append((b"link", link.encode("ascii")))
        body = b'{"events":[%b],"next":%b}' % (b",".join(page.events), json.dumps(cursor).encode())
        await respond(send, 200, headers, body)

    def _rest(self, search: Search, tenant: str) -> Rest:
        """What is to be searched: all of the range, or what the cursor left of it."""
        if search.cursor is not None:
            return decode(search.cursor, tenant, search)
        now_ms = time.time_ns() // 1_000_000
        to_ms = now_ms + CLOCK_SKEW_MS
        if search.to is not None:
            to_ms = min(search.to, to_ms)
        from_ms = to_ms - self._range_ms if search.from_ is None else search.from_
        return Rest(from_ms, Position(to_ms))


def _too_broad(stopped: TooBroad) -> Problem:
    """400 that says how far the search came, so that it can be continued."""
    detail = (
        "the range holds more events than one search may read before it finds one;"
        f" nothing matches from {_shown(stopped.position)} on"
    )
    return Problem(
        400,
        f"The search is too broad. {NARROWER}.",
        errors=[{"pointer": "/from", "detail": detail}],
    )


def _shown(position: Position) -> str:
    """The position's time as RFC 3339."""
    time_ = datetime.fromtimestamp(position.received_ms / 1000, UTC)
    return time_.isoformat(timespec="milliseconds").replace("+00:00", "Z")
