"""What nobody waits for ends: a search whose client has gone leaves its slot, and its query, to the next."""

import asyncio
import contextlib
import json
from typing import Any

import httpx

from contracts.clickhouse.search import Position
from contracts.criteria import Criteria
from query.cursor import Rest
from query.pages import Pages
from query.scan import Limits
from query.slots import Slots
from service.http.app import asgi_app, serving
from service.http.asgi import Receive, Scope, Send, read_body, respond
from service.http.wanted import WhileWanted
from tests.builders import NO_ROWS
from tests.processes import free_port

WAIT_S = 20


class ClickHouse:
    """Answers that nothing is found, but the first time not at all."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def select(self, sql: str, parameters: Any, settings: dict[str, Any]) -> bytes:
        assert settings["cancel_http_readonly_queries_on_client_close"]
        assert settings["readonly"] == 2  # ClickHouse minds the other one for such queries alone
        if not self.asked.is_set():
            self.asked.set()
            try:
                await asyncio.sleep(3600)
            finally:
                self.cancelled.set()
        return NO_ROWS


def test_a_search_whose_client_has_gone_is_cancelled_and_leaves_its_slot() -> None:
    async def scene(method: str) -> None:
        clickhouse = ClickHouse()
        pages = Pages(clickhouse.select, "events", Limits(1000, 300, 1), Slots(1, 1, 300))

        async def search(scope: Scope, receive: Receive, send: Send) -> None:
            if method == "POST":
                await read_body(receive, 1000)
            page = await pages.find("acme", Criteria(), Rest(0, Position(1)), 10)
            await respond(send, 200, (), json.dumps(len(page.events)).encode())

        async def nothing() -> list[str]:
            return []

        app = asgi_app({"/search": {method: WhileWanted(search)}}, nothing, contextlib.nullcontext)
        port = free_port()
        url = f"http://127.0.0.1:{port}/search"
        async with (
            asyncio.timeout(WAIT_S),
            serving(app, "127.0.0.1", port),
            httpx.AsyncClient(timeout=WAIT_S) as client,
        ):
            gone = asyncio.create_task(client.request(method, url))
            await clickhouse.asked.wait()
            gone.cancel()
            await clickhouse.cancelled.wait()
            answer = await client.request(method, url)
            assert answer.json() == 0

    for method in ("GET", "POST"):
        asyncio.run(scene(method))
