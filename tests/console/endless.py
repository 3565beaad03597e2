"""A console before an API of the test's own, whose search looks through an empty past without end."""

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

from console.app import create_app
from console.settings import Console, ConsoleSettings
from contracts import paths
from contracts.criteria import instant_ms, rfc_3339
from contracts.problems import Problem
from service.connections import Http
from service.http.app import asgi_app, serving
from service.http.asgi import Receive, Scope, Send, read_body, respond
from service.http.wanted import WhileWanted
from tests.builders import an_event
from tests.processes import free_port

JSON_TYPE = (b"content-type", b"application/json")
STEP_MS = 60_000
ID = "01a21916-9edd-72db-a79f-6315f0fbf002"


class Somebody:
    """Who looks."""

    user, tenant, tenants, csrf = "me", "acme", ("acme",), "token"

    async def access_token(self) -> str:
        """Nobody reads it."""
        return "token"


@dataclass
class EndlessApi:
    """Finds one event, then nothing, step by step; after `holds_after` questions it does not answer."""

    holds_after: int = 10**9
    asked: int = 0
    holding: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    counts: threading.Event = field(default_factory=threading.Event)

    async def search(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a page of the search, or none until whoever asked has gone."""
        body = json.loads(await read_body(receive, 100_000))
        self.asked += 1
        if self.asked > self.holds_after:
            self.holding.set()
            try:
                await asyncio.sleep(3600)
            finally:
                self.ended.set()
        reached = int(body.get("cursor") or instant_ms(body["to"])) - STEP_MS
        events = [] if body.get("cursor") else [an_event(id=ID)]
        page: dict[str, Any] = {
            "events": events,
            "received_at": [rfc_3339(reached + 1)] * len(events),
            "next": str(reached),
            "reached": rfc_3339(reached),
            "cost": {"rows_read": 500_000, "bytes_read": 2_000_000, "seconds": 0.05},
        }
        await asyncio.sleep(0.05)
        await respond(send, 200, (JSON_TYPE,), json.dumps(page).encode())

    async def faults(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refused, but not before the test says so."""
        while not self.counts.is_set():
            await asyncio.sleep(0.02)
        raise Problem(503, "Failures cannot be counted at the moment.")

    async def event(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The one event, and no counts."""
        if scope["path"].endswith("counts"):
            raise Problem(503, "It counts nothing.")
        await respond(send, 200, (JSON_TYPE,), json.dumps(an_event(id=ID)).encode())


@contextlib.asynccontextmanager
async def _running(api: EndlessApi, port: int, tails: int) -> AsyncIterator[None]:
    resources: Any = {
        paths.SEARCH: {"POST": WhileWanted(api.search)},
        paths.EVENT: {"GET": api.event},
        paths.FAULTS: {"GET": WhileWanted(api.faults)},
    }

    async def signed_in(request: object) -> Somebody:
        return Somebody()

    async def nothing() -> list[str]:
        return []

    api_port = free_port()
    http = Http(port=port, metrics_port=0)
    addresses = {"api_url": f"http://127.0.0.1:{api_port}", "url": f"http://127.0.0.1:{port}"}
    where = Console(**addresses, tails_of_tenant_max=tails)
    app: Any = create_app(ConsoleSettings(http=http, console=where), signed_in)
    async with (
        serving(asgi_app(resources, nothing, contextlib.nullcontext), "127.0.0.1", api_port),
        app.router.lifespan_context(app),
        serving(app, "127.0.0.1", port),
    ):
        yield


@contextlib.contextmanager
def console_of(api: EndlessApi, tails: int = 10) -> Iterator[str]:
    """The URL of a console that asks this API and has so many tails; both in a thread of their own."""
    port, ready, loops = free_port(), threading.Event(), []

    async def run() -> None:
        stop = asyncio.Event()
        loops.append((asyncio.get_running_loop(), stop))
        async with _running(api, port, tails):
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    try:
        assert ready.wait(30)
        yield f"http://127.0.0.1:{port}"
    finally:
        loop, stop = loops[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
