"""The `events` command's table of contents."""

import typer

from cli import stack

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Post events, find them, query them, and run the whole system on one machine.",
    pretty_exceptions_enable=False,
)

for command in (stack.install, stack.up, stack.down, stack.status, stack.reset):
    app.command()(command)
