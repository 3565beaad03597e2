"""ClickHouse's answer: passed on to a program as it comes, or laid out for a person.

A person sees a table where it fits the terminal, else a line for each value; of many rows the first.
"""

import json
import sys
import time
from typing import NamedTuple

import httpx
from rich import box
from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from cli.clickhouse import answered
from cli.terminal import laid_out, printable

ROWS_MAX = 1_000
FORMAT = "JSONCompactStringsEachRowWithNamesAndTypes"
SETTINGS = {
    "asterisk_include_materialized_columns": "1",
    "asterisk_include_alias_columns": "1",
    "limit": str(ROWS_MAX + 1),
    "wait_end_of_query": "1",  # an error is a status, never text after the first rows
}
NUMBERS = ("Int", "UInt", "Float", "Decimal", "Nullable(Int", "Nullable(UInt", "Nullable(Float")
NULL = "ᴺᵁᴸᴸ"


class BrokenOff(Exception):
    """The answer ended before its end; some of it has been printed."""


class Rows(NamedTuple):
    """Names and types of columns, and texts by row."""

    names: list[str]
    types: list[str]
    values: list[list[str]]


def write(url: str, sql: str, format_: str) -> None:
    """The answer in `format_` on standard output, with nothing changed. Raises as `answered`, `BrokenOff`."""
    with answered(url, sql, format_) as answer:
        try:
            for part in answer.iter_bytes():
                sys.stdout.buffer.write(part)
        except httpx.TransportError as error:
            raise BrokenOff(error) from None
    sys.stdout.flush()


def show(url: str, sql: str) -> None:
    """Print the answer for a person. Raises as `answered`."""
    Console().print(ask(url, sql, Console().width), highlight=False)


def ask(url: str, sql: str, width: int) -> RenderableType:
    """The answer laid out for a terminal of `width`, with how many rows it has. Raises as `answered`."""
    began = time.monotonic()
    with answered(url, sql, FORMAT, SETTINGS) as answer:
        text = answer.read().decode(errors="replace")
        format_ = answer.headers.get("X-ClickHouse-Format", FORMAT)
    seconds = f"{time.monotonic() - began:.2f} s"
    if format_ != FORMAT:  # the statement has a FORMAT of its own
        return Text(printable(text.rstrip("\n"), "\n\t"))
    rows = _rows(text)
    if not rows.names:
        return Text(f"Done in {seconds}", "dim")
    shown = Rows(rows.names, rows.types, rows.values[:ROWS_MAX])
    count = f"{len(shown.values):,} row{'' if len(shown.values) == 1 else 's'} in {seconds}"
    if len(rows.values) > ROWS_MAX:
        count = f"The first {count}. For all of them: --format, or into a pipe"
    return Group(_laid_out(shown, width), Text(count, "dim"))


def _rows(text: str) -> Rows:
    lines = [json.loads(line) for line in text.splitlines() if line]
    return Rows(lines[0], lines[1], lines[2:]) if lines else Rows([], [], [])


def _laid_out(rows: Rows, width: int) -> RenderableType:
    table = _table(rows)
    measured = Measurement.get(Console(width=100_000), Console(width=100_000).options, table)
    return table if measured.maximum <= width or not rows.values else _vertical(rows)


def _table(rows: Rows) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, type_ in zip(rows.names, rows.types, strict=True):
        is_number = type_.startswith(NUMBERS)
        table.add_column(Text(printable(name)), justify="right" if is_number else "left")
    for values in rows.values:
        table.add_row(*map(_cell, values))
    return table


def _vertical(rows: Rows) -> RenderableType:
    parts: list[RenderableType] = []
    for number, values in enumerate(rows.values, 1):
        lines = Table.grid(padding=(0, 2))
        lines.add_column(style="dim", no_wrap=True)
        lines.add_column(overflow="fold")
        for name, value in zip(rows.names, values, strict=True):
            lines.add_row(Text(printable(name)), _cell(value, is_wide=True))
        parts += [Rule(f"row {number}", align="left", style="dim"), lines]
    return Group(*parts)


def _cell(value: str, is_wide: bool = False) -> Text:
    if value == NULL:
        return Text("NULL", "dim")
    return laid_out(value) if is_wide else Text(printable(value, "\n"))
