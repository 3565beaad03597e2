"""`events up --set`: what the local stack is told beside its defaults, checked before anything starts."""

from pathlib import Path

import typer

from cli.answers import complain, fail

WRONG_USAGE = 2


def wanted(home: Path, assignments: list[str], removed: list[str]) -> dict[str, str]:
    """What the stack in `home` is to be told. Exits 2 with a line for each that cannot be.

    Names the variables of the shell that are not taken.
    """
    from local import settings
    from local.state import Unreadable
    from service.settings import BadSettings

    try:
        found = settings.changed(settings.kept(home), assignments, removed)
    except Unreadable as error:
        fail(str(error))
    except BadSettings as error:
        complain("\n".join([*error.lines, "Nothing was started."]))
        raise typer.Exit(WRONG_USAGE) from None
    if dropped := settings.ignored(found):
        complain(
            f"Not taken from this shell: {', '.join(dropped)}."
            f" For the local stack: events up --set {dropped[0]}=VALUE"
        )
    return found


def kept(home: Path) -> dict[str, str]:
    """What the next start in `home` will be told, without passwords. Exits 1 when it cannot be read."""
    from local import settings
    from local.state import Unreadable

    try:
        return settings.shown(settings.kept(home))
    except Unreadable as error:
        fail(str(error))


def show(settings: dict[str, str]) -> None:
    """A line for each."""
    for name, value in settings.items():
        typer.echo(f"set: {name}={value}")
