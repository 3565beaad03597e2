"""External data: tables that a request brings in its multipart form, for its own query alone.

https://clickhouse.com/docs/engines/table-engines/special/external-data: a file `name`, with
`name_structure` (or `name_types`) and `name_format` in the URL.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from starlette.datastructures import FormData, UploadFile

from local.clickhouse.connection import Connection
from local.clickhouse.errors import BAD_ARGUMENTS, refused
from local.clickhouse.native import split
from local.clickhouse.statement import Insert, Statement

READ_BYTES = 1024 * 1024
SUFFIXES = ("_structure", "_types", "_format")


@dataclass(frozen=True)
class Table:
    """A table to be: its columns as in CREATE TABLE, its data in `format`."""

    name: str
    columns: str
    format: str
    file: UploadFile

    async def data(self) -> AsyncIterator[bytes]:
        """The file's bytes."""
        while part := await self.file.read(READ_BYTES):
            yield part


def tables(form: FormData, parameters: Mapping[str, str]) -> list[Table]:
    """Those of the form. Raises `QueryFailed` (36) for one without a structure."""
    files = {name: file for name, file in form.items() if isinstance(file, UploadFile)}
    return [_table(name, file, parameters) for name, file in files.items()]


def _table(name: str, file: UploadFile, parameters: Mapping[str, str]) -> Table:
    columns = parameters.get(f"{name}_structure")
    if columns is None:
        types = parameters.get(f"{name}_types")
        if types is None:
            text = f"Neither structure nor types have been provided for external table {name}"
            raise refused(BAD_ARGUMENTS, text, "BAD_ARGUMENTS")
        columns = ", ".join(f"_{n} {type_}" for n, type_ in enumerate(split(types), 1))
    return Table(name, columns, parameters.get(f"{name}_format", "TabSeparated"), file)


@contextlib.asynccontextmanager
async def there(connection: Connection, tables: list[Table]) -> AsyncIterator[None]:
    """The tables are on the connection while the context is open."""
    async with contextlib.AsyncExitStack() as stack:
        for table in tables:
            name = f"`{table.name}`"
            await connection.query(Statement(f"CREATE TEMPORARY TABLE {name} ({table.columns})"))
            stack.push_async_callback(
                connection.query, Statement(f"DROP TEMPORARY TABLE IF EXISTS {name}")
            )
            insert = Insert(f"INSERT INTO {name}", "", table.format, 0)
            await connection.insert(insert, table.data())
        if tables:
            connection.figures.begin()
        yield
