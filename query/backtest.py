"""POST /api/v1/subscriptions:test: what a filter would have accepted, of events that are there.

Bounded as counts are, and refused as creation refuses it.
"""

from contracts.clickhouse.search import Counts
from contracts.filtering import SAMPLES_MAX, FilterTest
from contracts.filters import parse
from query.pages import Page, Pages
from query.search import JSON_TYPE, read_request, refusing, rest_of, shown_cost
from service.access.verifier import Verifier
from service.http.asgi import Receive, Scope, Send, respond, single_headers


class BackTest:
    """Handler of POST /api/v1/subscriptions:test."""

    def __init__(self, verifier: Verifier, pages: Pages, days: float) -> None:
        self._verifier = verifier
        self._pages = pages
        self._days = days

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate, read filter and range, count, answer."""
        tenant = await self._verifier.tenant(single_headers(scope))
        asked = await read_request(FilterTest, scope, receive)
        rest = rest_of(asked.from_, asked.to, self._days)
        with refusing():
            found = await self._pages.count(tenant, parse(asked.filter), rest, SAMPLES_MAX)
        await respond(send, 200, (JSON_TYPE,), _shown(*found))


def _shown(counts: Counts, newest: Page) -> bytes:
    return b'{"matched":%d,"of":%d,"samples":[%b],"cost":%b}' % (
        counts.matched,
        counts.of,
        b",".join(newest.events),
        shown_cost(newest.took),
    )
