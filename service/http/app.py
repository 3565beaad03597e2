"""From handlers by path to a running HTTP server: the same for every service."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple

import uvicorn
from prometheus_client.registry import Collector
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from service.connections import Http
from service.http.asgi import (
    Receive,
    Resource,
    Resources,
    Scope,
    Send,
    not_found,
    respond,
    respond_ready,
)
from service.http.door import Door
from service.http.measures import metrics_of
from service.http.protocol import GuardedHttp
from service.memory import tune

log = logging.getLogger(__name__)

STOP_TIMEOUT_S = 5.0

ALIKE: dict[str, Any] = {
    "http": GuardedHttp,
    "interface": "asgi3",
    "ws": "none",
    "log_config": None,
    "access_log": False,
    "server_header": False,
    "proxy_headers": False,  # nothing here uses the client's address
}
"""What is the same for every server of ours."""


WaitingFor = Callable[[], Awaitable[list[str]]]


class Front(NamedTuple):
    """How a service meets its clients: limits of connections, and what it measures beside requests."""

    http: Http
    collectors: Sequence[Collector]


def asgi_app(
    resources: Resources,
    waiting_for: WaitingFor,
    running: Callable[[], AbstractAsyncContextManager[None]],
    front: Front | None = None,
) -> ASGIApp:
    """The ASGI application of a service.

    Serves `resources`, `/healthz` (200 while the process answers) and `/readyz` (503 naming what
    `waiting_for` returns); `running` is open from before the first request until after the last.
    With a `front` its metrics are on a port of their own.
    """

    async def healthz(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, 200, ((b"content-type", b"text/plain"),), b"ok\n")

    async def readyz(scope: Scope, receive: Receive, send: Send) -> None:
        await respond_ready(send, await waiting_for())

    health: Resources = {"/healthz": {"GET": healthz}, "/readyz": {"GET": readyz}}
    routes = [Route(path, Resource(handlers)) for path, handlers in (resources | health).items()]

    lifespan = lifespan_of(waiting_for, running, front)
    router = Router(routes, default=not_found, redirect_slashes=False, lifespan=lifespan)
    exact = {route.path: route.app for route in routes if "{" not in route.path}

    def app(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        # a path without parameters needs no trying of route by route, nor the calls in between
        return exact.get(scope.get("path", ""), router)(scope, receive, send)

    return app


def lifespan_of(
    waiting_for: WaitingFor,
    running: Callable[[], AbstractAsyncContextManager[None]],
    front: Front | None = None,
) -> Callable[[Any], AbstractAsyncContextManager[dict[str, Door]]]:
    """The lifespan of an application of ours; see `asgi_app`."""

    @contextlib.asynccontextmanager
    async def lifespan(app: object) -> AsyncIterator[dict[str, Door]]:
        async with running():
            tune()  # a worker is a process of its own
            if front is None:
                yield {}
                return
            door = Door(front.http)
            async with _measured(front, door, waiting_for):
                yield {"door": door}

    return lifespan


def serve(app: ASGIApp | str, http: Http) -> None:
    """Serve until SIGTERM or SIGINT; requests under way get 10 s to end.

    `app` is an application, or the import path of a factory that takes nothing: with `http.workers`
    above one each worker makes its own, on the one port; a worker that dies is started again.
    """
    tune()
    uvicorn.run(
        app,
        factory=isinstance(app, str),
        workers=http.workers if isinstance(app, str) else 1,
        host=http.host,
        port=http.port,
        loop="uvloop",
        **ALIKE,
        timeout_graceful_shutdown=10,
    )


@contextlib.asynccontextmanager
async def _measured(front: Front, door: Door, waiting_for: WaitingFor) -> AsyncIterator[None]:
    """`/metrics` of this process for as long as the context is open. Raises `OSError` without a port.

    Of several workers each takes the first port that no other has, also one that replaces another.
    """
    metrics: Resources = {
        "/metrics": {"GET": metrics_of((door.requests, *front.collectors))},
    }
    app = asgi_app(metrics, waiting_for, contextlib.nullcontext)
    host, first = front.http.metrics_host, front.http.metrics_port
    ports = range(first, first + front.http.workers) if first else (0,)
    async with contextlib.AsyncExitStack() as stack:
        for port in ports:
            try:
                await stack.enter_async_context(serving(app, host, port))
            except OSError:
                if port == ports[-1]:
                    raise
            else:
                break
        log.info("metrics are on port %d of %s", port, host)
        yield


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, host: str, port: int) -> AsyncIterator[None]:
    """Serve `app` beside the other work of this loop; signals and lifespan are that work's own.

    Raises `OSError` when the port is taken.
    """
    config = uvicorn.Config(app, lifespan="off", timeout_graceful_shutdown=1, **ALIKE)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family)
    server = _Beside(config)
    task = asyncio.create_task(server.serve([listening]), name="http")
    task.add_done_callback(_say_if_failed)
    try:
        yield
    finally:
        server.should_exit = True
        await asyncio.wait({task}, timeout=STOP_TIMEOUT_S)


def _say_if_failed(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("the HTTP server ended, the work beside it goes on", exc_info=error)


class _Beside(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
