"""The `events` command's table of contents."""

import typer

app = typer.Typer(no_args_is_help=True)
