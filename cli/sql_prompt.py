"""The prompt of `events sql`: statements over many lines, a history, completion, a pager.

prompt-toolkit reads the lines; it comes with the extra `local` and is not part of a production image.
"""

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import typer
from rich.console import Console, RenderableType

from cli.answers import complain, fail, unreachable
from cli.clickhouse import DATABASE, Refused
from cli.sql_answer import BrokenOff, ask, write
from cli.statements import is_complete, statements

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import History
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

    from cli.sql_words import Words

PROMPT = "events> "
ENDS = ("exit", "quit", "\\q")
HELP = """A statement ends with ; and may have many lines: Enter runs it, an empty line does so without ;
Tab completes tables, columns, functions and keywords; Up brings back what was typed before.
Ctrl-C leaves a line or stops the query that runs. Ctrl-D, exit or quit ends.
SHOW TABLES, DESCRIBE events and docs/analysis.md tell what there is."""


def prompt(url: str, format_: str) -> None:
    """Read statements and print their answers until Ctrl-D. Exits 1 when ClickHouse is away."""
    try:
        from cli.sql_words import Words
    except ModuleNotFoundError as error:
        fail(
            f"The prompt needs {error.name}: pip install 'events-api[local]'."
            ' Without it: events sql "SELECT ..."'
        )
    try:
        session = _session(Words.of(url))
    except Refused as refused:
        fail(str(refused))
    except httpx.TransportError as error:
        unreachable(url, error)
    typer.echo(f"ClickHouse at {url}, database {DATABASE}. Type help for help, Ctrl-D to end.")
    while True:
        try:
            text = session.prompt(PROMPT).strip()
            if (word := text.rstrip("; ").lower()) in ENDS:
                return
            if word in ("help", "?"):
                typer.echo(HELP)
                continue
            for statement in statements(text):
                if not _run(url, statement, format_):
                    break
        except KeyboardInterrupt:  # also between an answer and the next prompt
            continue
        except EOFError:
            return


def _run(url: str, statement: str, format_: str) -> bool:
    """Run one statement; whether it went well."""
    try:
        if format_:
            write(url, statement, format_)
        else:
            _paged(ask(url, statement, Console().width))
        return True
    except (Refused, BrokenOff) as reason:
        complain(str(reason))
    except httpx.TransportError as error:
        complain(f"Nothing answers at {url} ({type(error).__name__}). See: events status")
    except KeyboardInterrupt:
        complain("Stopped.")
    return False


def _session(words: "Words") -> "PromptSession[str]":
    from prompt_toolkit import PromptSession
    from prompt_toolkit.lexers import PygmentsLexer
    from pygments.lexers.sql import SqlLexer

    from cli.sql_words import SqlCompleter

    return PromptSession(
        history=_history(),
        lexer=PygmentsLexer(SqlLexer),
        completer=SqlCompleter(words),
        multiline=True,
        key_bindings=_keys(),
        prompt_continuation=lambda width, line, wrapped: "... ".rjust(width),
    )


def _keys() -> "KeyBindings":
    """Enter runs what is complete; otherwise it begins a line."""
    from prompt_toolkit.key_binding import KeyBindings

    keys = KeyBindings()

    @keys.add("enter")
    def enter(event: "KeyPressEvent") -> None:
        buffer = event.current_buffer
        document, text = buffer.document, buffer.text
        word = text.strip().rstrip(";").lower()
        is_left_empty = not document.current_line.strip() and document.is_cursor_at_the_end
        if is_complete(text) or is_left_empty or word in (*ENDS, "help", "?"):
            buffer.validate_and_handle()
        else:
            buffer.insert_text("\n")

    return keys


def _history() -> "History":
    """The history in the user's folder of states; of this run alone where that cannot be written."""
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    path = Path(state) / "events" / "sql_history"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        return FileHistory(str(path))
    except OSError as error:
        complain(f"No history is kept: {path}: {error.strerror}")
        return InMemoryHistory()


def _paged(answer: RenderableType) -> None:
    """Print the answer, in a pager where it has more lines than the terminal."""
    console = Console()
    with console.capture() as captured:
        console.print(answer, highlight=False)
    text = captured.get()
    pager = os.environ.get("PAGER") or "less"
    if text.count("\n") < console.height or not shutil.which(pager.split()[0]):
        typer.echo(text, nl=False)
        return
    ours = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the pager's
    try:
        environment = {"LESS": "-RSX"} | os.environ
        subprocess.run(pager.split(), input=text.encode(), env=environment, check=False)
    finally:
        signal.signal(signal.SIGINT, ours)
