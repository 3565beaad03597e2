"""ClickHouse's HTTP protocol over the engine: a request in, its statement run, the answer out."""

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Mapping

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from local.clickhouse.encoding import decoded, encoder_for
from local.clickhouse.engine import Engine
from local.clickhouse.errors import BAD_ARGUMENTS, READONLY, QueryFailed, refused
from local.clickhouse.inserts import Inserts
from local.clickhouse.statement import RESERVED, Statement, insert_of

HEAD_BYTES_MAX = 16 * 1024 * 1024  # of SQL, when the statement comes in the body


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
        if request.method == "GET" and "query" not in request.query_params:
            return await ping(request)
        headers = {
            "X-ClickHouse-Server-Display-Name": "events-local",
            "X-ClickHouse-Query-Id": request.query_params.get("query_id") or str(uuid.uuid4()),
        }
        try:
            with inserts.begun() as maybe:  # before its body is read
                return await _run(engine, inserts, maybe, request, headers)
        except QueryFailed as error:
            headers["X-ClickHouse-Exception-Code"] = str(error.code)
            return PlainTextResponse(error.text + "\n", error.status, headers)
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
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        form = await request.form()
        fields = {name: text for name, text in form.items() if isinstance(text, str)}
        statement, body = _statement({**request.query_params, **fields}, request.headers), _none()
    else:
        encoding = request.headers.get("content-encoding", "")
        body = decoded(request.stream(), encoding)
        statement = _statement(request.query_params, request.headers)
    insert = insert_of(statement)
    if insert is None:
        statement, body = await _with_body(statement, body)
        insert = insert_of(statement)
    if request.method == "GET" and not statement.reads_only:
        raise refused(READONLY, "Cannot execute query in readonly mode", "READONLY")
    if insert is not None:
        rest = statement.sql.encode("utf-8", "surrogateescape")
        offset = len(statement.sql[: insert.data_starts].encode("utf-8", "surrogateescape"))
        async with engine.session(statement.database) as session:
            rows = await session.insert(insert, _joined(rest[offset:], body))
        return Response(headers=headers | {"X-ClickHouse-Summary": _summary(rows)})
    maybe.set()
    if statement.reads_processes:
        await inserts.ended()
    return await _answer(engine, statement, request, headers)


def _statement(parameters: Mapping[str, str], headers: Mapping[str, str]) -> Statement:
    if "session_id" in parameters:
        raise refused(BAD_ARGUMENTS, "This local server keeps no sessions", "BAD_ARGUMENTS")
    default = parameters.get("default_format") or headers.get("x-clickhouse-format")
    return Statement(
        parameters.get("query", ""),
        {name[6:]: text for name, text in parameters.items() if name.startswith("param_")},
        {
            name: text
            for name, text in parameters.items()
            if name not in RESERVED and not name.startswith("param_")
        },
        default or "TabSeparated",
        parameters.get("database") or headers.get("x-clickhouse-database", ""),
    )


async def _with_body(
    statement: Statement, body: AsyncIterator[bytes]
) -> tuple[Statement, AsyncIterator[bytes]]:
    """The statement with the body's text joined; for an INSERT, only as far as it was read."""
    head = statement.sql.encode()
    if head:
        head += b"\n"
    async for part in body:
        head += part
        joined = _replaced(statement, head)
        if insert_of(joined) is not None:
            return joined, body
        if len(head) > HEAD_BYTES_MAX:
            raise refused(62, f"The query is longer than {HEAD_BYTES_MAX} bytes", "SYNTAX_ERROR")
    return _replaced(statement, head), _none()


def _replaced(statement: Statement, sql: bytes) -> Statement:
    return Statement(
        sql.decode("utf-8", "surrogateescape"),  # an INSERT's binary data may follow its text
        statement.parameters,
        statement.settings,
        statement.default_format,
        statement.database,
    )


async def _answer(
    engine: Engine, statement: Statement, request: Request, headers: dict[str, str]
) -> Response:
    headers |= {"X-ClickHouse-Format": statement.format, "X-ClickHouse-Summary": _summary(0)}
    stack = contextlib.AsyncExitStack()
    try:
        session = await stack.enter_async_context(engine.session(statement.database))
        begun, rest = await session.answer(statement)  # an error here still has a status
    except BaseException:
        await stack.aclose()
        raise
    compresses = request.query_params.get("enable_http_compression") == "1"
    encoding = encoder_for(request.headers.get("accept-encoding", "")) if compresses else None
    if encoding:
        headers["Content-Encoding"] = encoding[0]
    encoder = encoding[1] if encoding else None
    media_type = _media_type(statement.format)
    if rest is None:
        await stack.aclose()
        body = b"".join(begun)
        if encoder:
            body = encoder.compress(body) + encoder.flush()
        return Response(body, headers=headers, media_type=media_type)

    async def content() -> AsyncIterator[bytes]:
        async with stack, contextlib.aclosing(rest):
            async for block in _chain(begun, rest):
                piece = encoder.compress(block) if encoder else block
                if piece:
                    yield piece
            if encoder:
                yield encoder.flush()

    return StreamingResponse(content(), headers=headers, media_type=media_type)


async def _chain(begun: list[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    for block in begun:
        yield block
    async for block in rest:
        yield block


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for part in rest:
        yield part


async def _none() -> AsyncIterator[bytes]:
    return
    yield b""


def _media_type(format_: str) -> str:
    lower = format_.lower()
    if lower.startswith("json"):
        return "application/json; charset=UTF-8"
    if lower.startswith(("tabseparated", "tsv")):
        return "text/tab-separated-values; charset=UTF-8"
    if lower.startswith("csv"):
        return "text/csv; charset=UTF-8"
    return "application/octet-stream" if lower in ("native", "parquet") else "text/plain"


def _summary(rows_written: int) -> str:
    counts = {"read_rows": 0, "read_bytes": 0, "written_rows": rows_written, "written_bytes": 0}
    return json.dumps({name: str(count) for name, count in counts.items()})
