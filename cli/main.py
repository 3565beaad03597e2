"""The `events` command's table of contents."""

import errno
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cli import (
    accept_log,
    audit,
    counts,
    deliveries,
    erase,
    faults,
    find,
    jobs,
    logs,
    migrate,
    post,
    read,
    rebuild,
    settings,
    sql,
    stack,
    subscriptions,
)
from cli.answers import fail
from local import disk


class Commands(TyperGroup):
    """Says in one line what the system refused: a folder that cannot be written, a full disk."""

    def invoke(self, ctx: Any) -> Any:
        """Run the subcommand. Exits 1 where it raises `OSError`."""
        try:
            return super().invoke(ctx)
        except OSError as error:
            if error.errno == errno.EPIPE:  # the reader of our output has gone, which is its right
                raise
            place = f"{error.filename}: " if error.filename else ""
            what = "the disk is full" if disk.is_cause(error) else error.strerror or error
            fail(f"{place}{what}.")


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    help="Post events, find them, query them, prove them, and run the whole system on one machine.",
    pretty_exceptions_enable=False,
)


def show_version(is_asked: bool) -> None:
    """Print the version that pyproject.toml names, as the installed package has it."""
    if is_asked:
        from importlib.metadata import version

        typer.echo(f"events {version('events-api')}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Options of no subcommand; the help is that of `app`."""


STACK = (
    stack.up,
    stack.status,
    stack.down,
    logs.logs,
    stack.reset,
    stack.install,
    migrate.migrate,
    settings.settings,
)
EVENTS = (
    post.post,
    find.get,
    find.find,
    counts.counts,
    erase.erase,
    sql.sql,
    read.tail,
    read.token,
)
VIEW = (audit.audit, rebuild.rebuild, accept_log.accept_log)

for command in (*STACK, *EVENTS, *VIEW):
    app.command()(command)

app.add_typer(subscriptions.app)
app.add_typer(faults.app)
app.add_typer(deliveries.app)
app.add_typer(jobs.app)
