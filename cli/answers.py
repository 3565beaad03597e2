"""Answers for the person at the terminal: JSON, the reason of a refusal, and how to go on.

Results go to standard output, everything else to standard error; a failure is exit code 1.
"""

import sys
from typing import TYPE_CHECKING, Any, NoReturn

import typer

if TYPE_CHECKING:
    from httpx import Response

TIMEOUT_S = 30.0
FIELDS_SHOWN = 5


def show_json(body: str) -> None:
    """Print a JSON text: indented and coloured on a terminal, as it came when piped."""
    if sys.stdout.isatty():
        from rich.console import Console

        Console().print_json(body)
    else:
        typer.echo(body)


def why(answer: "Response") -> str:
    """Status and reason of an answer: a problem (RFC 9457), an OAuth 2.0 error or any text."""
    try:
        document: Any = answer.json()
    except ValueError:
        document = None
    return reason(answer.status_code, document) or f"{answer.status_code} {answer.text[:200]}"


def reason(status: int, document: Any, within: str = "") -> str:
    """`status` and what `document` says, "" when it says nothing.

    Fields are named by the JSON pointers of the document, without their beginning `within`.
    """
    if not isinstance(document, dict):
        return ""
    detail = document.get("detail") or document.get("error_description") or document.get("title")
    if not detail:
        return ""
    fields = [
        f"{str(field.get('pointer')).removeprefix(within)} {field.get('detail')}"
        for field in document.get("errors", [])[:FIELDS_SHOWN]
    ]
    return f"{status} {detail} {'; '.join(fields)}".strip()


def unreachable(address: str, error: Exception) -> NoReturn:
    """Exit 1: nobody answers at `address`."""
    fail(
        f"Nothing answers at {address} ({type(error).__name__})."
        " See what runs: events status. Start it: events up"
    )


def fail(message: str) -> NoReturn:
    """Exit 1 with one message."""
    complain(message)
    raise typer.Exit(1)


def misused(message: str) -> NoReturn:
    """Exit 2 with one message: the command cannot have meant what it was given."""
    complain(message)
    raise typer.Exit(2)


def complain(message: str) -> None:
    """One message in red on standard error."""
    typer.secho(message, fg="red", err=True)
