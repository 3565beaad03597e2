"""`events logs`: what the processes of the local stack wrote, in the order of time."""

import difflib
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from cli.answers import fail, misused
from cli.endpoints import ELSEWHERE
from cli.log_files import Line, LogFile, document_of, last, merged
from cli.options import HOME, PORT_BASE, HomeOption, PortBaseOption
from cli.terminal import is_shown, local_offset, printable

FOLLOW_S = 0.25
INTERRUPTED = 130
COLORS = ("cyan", "magenta", "green", "blue", "yellow")
LEVELS = {"warning": "yellow", "error": "bold red", "critical": "bold red"}


def logs(
    service: Annotated[
        str | None, typer.Argument(metavar="[SERVICE]", help="One of them; all when left out.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what is added; Ctrl-C ends it.")
    ] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Begin so far back.")] = 50,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Show the logs of the local stack, all merged by time or one service's.

    Piped, lines are as they were written; of several services behind their names.

    \b
    events logs
    events logs api -f
    events logs materialize --lines 1000 | grep error
    """
    home = home.resolve()
    names = _names(home)
    if not names:
        fail(f"No logs in {home}. Start the stack: events up --home {home}{ELSEWHERE}")
    if service is not None and service not in names:
        close = difflib.get_close_matches(service, names, n=1)
        meant = f"Did you mean {close[0]}? " if close else ""
        misused(f"No log of {service}. {meant}There are {', '.join(names)}.")
    files: dict[str, LogFile] = {}

    def opened() -> list[LogFile]:
        for name in (service,) if service else _names(home):
            files.setdefault(name, LogFile(_folder(home) / f"{name}.log"))
        return list(files.values())

    try:
        for line in last(opened(), lines):
            _print(line, is_alone=service is not None)
        while follow:
            time.sleep(FOLLOW_S)
            for line in merged([list(file.read()) for file in opened()]):
                _print(line, is_alone=service is not None)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def _folder(home: Path) -> Path:
    return home / "logs"


def _names(home: Path) -> list[str]:
    return sorted(path.stem for path in _folder(home).glob("*.log"))


def _print(line: Line, is_alone: bool) -> None:
    if not is_shown():
        typer.echo(line.text if is_alone else f"{line.service:<11} {line.text}")
        return
    text = Text("" if is_alone else f"{line.service:<11} ", _color(line.service))
    document = document_of(line.text)
    if document:
        level = str(document.get("level", ""))
        text.append(f"{local_offset(line.time_ms)} ", "dim")
        text.append(f"{level:<8}", LEVELS.get(level, "dim"))
        text.append(printable(str(document["message"]), "\n"))
        if exception := document.get("exception"):
            text.append("\n" + printable(str(exception), "\n"), "red")
    else:
        text.append(printable(line.text.expandtabs()))
    Console().print(text, soft_wrap=True)


def _color(service: str) -> str:
    return COLORS[sum(service.encode()) % len(COLORS)]
