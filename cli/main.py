"""The `events` command's table of contents."""

import typer

from cli import audit, erase, migrate, post, read, rebuild, settings, stack

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Post events, find them, query them, prove them, and run the whole system on one machine.",
    pretty_exceptions_enable=False,
)

STACK = (
    stack.up,
    stack.status,
    stack.down,
    stack.reset,
    stack.install,
    migrate.migrate,
    settings.settings,
)
EVENTS = (post.post, read.get, read.find, erase.erase, read.sql, read.tail, read.token)
VIEW = (audit.audit, rebuild.rebuild)

for command in (*STACK, *EVENTS, *VIEW):
    app.command()(command)
