"""ClickHouse's HTTP protocol over the engine: a request in, its statement run, the answer out."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from local.clickhouse.answer import answer
from local.clickhouse.blocks import Blocks
from local.clickhouse.engine import Engine
from local.clickhouse.errors import READONLY, QueryFailed, refused
from local.clickhouse.inserts import Inserts
from local.clickhouse.request import Query, read
from local.clickhouse.statement import Insert, insert_of


def create_app(engine: Engine) -> Starlette:
    """The ASGI application; it closes the engine when it stops."""
    inserts = Inserts()

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        engine.close()

    async def ping(request: Request) -> Response:
        return PlainTextResponse("Ok.\n")

    async def root(request: Request) -> Response:
        if request.method in ("GET", "HEAD") and "query" not in request.query_params:
            return await ping(request)
        headers = {
            "X-ClickHouse-Server-Display-Name": "events-local",
            "X-ClickHouse-Query-Id": request.query_params.get("query_id") or str(uuid.uuid4()),
            "X-ClickHouse-Timezone": engine.timezone,
        }
        try:
            with inserts.begun() as maybe:  # before its body is read
                return await _run(engine, inserts, maybe, request, headers)
        except QueryFailed as error:
            headers["X-ClickHouse-Exception-Code"] = str(error.code)
            text = f"{error.text}\n".encode()
            if request.query_params.get("compress") == "1":
                text = Blocks().compress(text)
            return Response(text, error.status, headers, "text/plain; charset=UTF-8")
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it; the insert was cancelled

    routes = [
        Route("/ping", ping),
        Route("/replicas_status", ping),
        Route("/", root, methods=["GET", "POST"]),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


async def _run(
    engine: Engine,
    inserts: Inserts,
    maybe: asyncio.Event,
    request: Request,
    headers: dict[str, str],
) -> Response:
    """Read the statement, decide how to run it, run it; `maybe` is set when it is no insert."""
    query = await read(request)
    if request.method != "POST" and not query.statement.reads_only:
        raise refused(READONLY, "Cannot execute query in readonly mode", "READONLY")
    if insert := insert_of(query.statement):
        async with engine.held(query.session, query.database) as held:
            await held.connection.insert(insert, _data(query, insert))
            headers["X-ClickHouse-Summary"] = held.connection.figures.header()
        return Response(headers=headers)
    maybe.set()
    if query.statement.reads_processes:
        await inserts.ended()
    return await answer(engine, query, request, headers)


async def _data(query: Query, insert: Insert) -> AsyncIterator[bytes]:
    """What lies behind the INSERT's text, in the statement and then in the body."""
    if first := query.statement.sql[insert.data_starts :]:
        yield first.encode("utf-8", "surrogateescape")
    async for part in query.body:
        yield part
