"""A request taken apart: its parameters, its statement, and the bytes behind that."""

import dataclasses
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from starlette.requests import Request

from local.clickhouse import external, sessions
from local.clickhouse.blocks import uncompressed
from local.clickhouse.encoding import decoded
from local.clickhouse.errors import BAD_ARGUMENTS, refused
from local.clickhouse.statement import RESERVED, Statement, insert_of
from local.clickhouse.user import user_of

HEAD_BYTES_MAX = 16 * 1024 * 1024  # of SQL, when the statement comes in the body


@dataclass(frozen=True)
class Query:
    """What is asked: a statement, where it runs, what it brings, how its answer is written."""

    statement: Statement
    session: sessions.Asked | None
    database: str
    body: AsyncIterator[bytes]
    tables: list[external.Table] = field(default_factory=list)
    compress: bool = False
    protocol_version: int = 0


async def read(request: Request) -> Query:
    """The query; of an INSERT's body as much as its text needs. Raises `QueryFailed`."""
    parameters: dict[str, str] = dict(request.query_params)
    session = sessions.asked(user_of(parameters, request.headers), parameters)
    tables: list[external.Table] = []
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        form = await request.form()
        parameters |= {name: text for name, text in form.items() if isinstance(text, str)}
        tables, body = external.tables(form, parameters), _none()
    else:
        body = decoded(request.stream(), request.headers.get("content-encoding", ""))
        if parameters.get("decompress") == "1":
            body = uncompressed(body)
    ours = {f"{table.name}{suffix}" for table in tables for suffix in external.SUFFIXES}
    statement = _statement(parameters, request.headers, ours)
    if insert_of(statement) is None:
        statement, body = await _with_body(statement, body)
    return Query(
        statement,
        session,
        parameters.get("database") or request.headers.get("x-clickhouse-database", ""),
        body,
        tables,
        parameters.get("compress") == "1",
        _version(parameters.get("client_protocol_version") or "0"),
    )


def _version(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        message = f"client_protocol_version is '{text}', not a number"
        raise refused(BAD_ARGUMENTS, message, "BAD_ARGUMENTS")
    return int(text)


def _statement(
    parameters: Mapping[str, str], headers: Mapping[str, str], ours: set[str]
) -> Statement:
    default = parameters.get("default_format") or headers.get("x-clickhouse-format")
    return Statement(
        parameters.get("query", ""),
        {name[6:]: text for name, text in parameters.items() if name.startswith("param_")},
        {
            name: text
            for name, text in parameters.items()
            if name not in RESERVED and name not in ours and not name.startswith("param_")
        },
        default or "TabSeparated",
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
    # an INSERT's binary data may follow its text
    return dataclasses.replace(statement, sql=sql.decode("utf-8", "surrogateescape"))


async def _none() -> AsyncIterator[bytes]:
    return
    yield b""
