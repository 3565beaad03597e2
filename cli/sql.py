"""`events sql`: one statement, those of a pipe, or a prompt for many."""

import sys
from typing import Annotated

import typer

from cli.answers import complain, fail, unreachable
from cli.endpoints import endpoints
from cli.options import HOME, PORT_BASE, HomeOption, PortBaseOption
from cli.terminal import is_shown

INTERRUPTED = 130


def sql(
    query: Annotated[
        str | None,
        typer.Argument(
            metavar="[SQL]", help="One statement. Left out: those of standard input, or a prompt."
        ),
    ] = None,
    format_: Annotated[
        str,
        typer.Option(
            "--format",
            help="ClickHouse's name of the output format. On a terminal a table is drawn, else"
            " tab-separated lines are written.",
        ),
    ] = "",
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Run SQL in ClickHouse; its database is `events`. Without SQL: a prompt.

    On a terminal `SELECT *` has the columns too that ClickHouse computes, such as fault_message.

    \b
    events sql
    events sql "SELECT event_type, count() FROM events GROUP BY event_type"
    events sql "SELECT payload FROM events WHERE tenant = 'acme' LIMIT 1" --format Vertical
    events sql "SELECT * FROM events" --format Parquet > events.parquet
    events sql < report.sql
    """
    from cli.statements import statements

    url = endpoints(home, port_base).clickhouse
    if query is None and sys.stdin.isatty():
        from cli.sql_prompt import prompt

        prompt(url, format_)
        return
    given = statements(sys.stdin.read()) if query in (None, "-") else [str(query)]
    if not given:
        fail("Standard input holds no statement.")
    for statement in given:
        _run(url, statement, format_)


def _run(url: str, statement: str, format_: str) -> None:
    """Run one statement and print its answer. Exits 1 when ClickHouse refuses it."""
    import httpx

    from cli import clickhouse, sql_answer

    try:
        if format_ or not is_shown():
            sql_answer.write(url, statement, format_ or "TabSeparatedWithNames")
        else:
            sql_answer.show(url, statement)
    except clickhouse.Refused as refused:
        fail(str(refused))
    except sql_answer.BrokenOff as error:
        fail(f"The answer broke off: {error}. What was printed is not all of it.")
    except httpx.TransportError as error:
        unreachable(url, error)
    except KeyboardInterrupt:
        complain("Stopped.")
        raise typer.Exit(INTERRUPTED) from None
