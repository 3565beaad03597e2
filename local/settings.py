"""Settings that a person gave the local stack: `settings.json` in its home, kept from start to start.

They go to every process of the stack, each of which reads what is its own.
"""

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from local.stack import Ports, joined
from local.state import Unreadable
from service.settings import (
    OF_COMMANDS,
    PREFIX,
    BadSettings,
    given,
    is_secret,
    load,
    models,
    unknown,
)

FILE = "settings.json"
OWN = frozenset(
    (
        *joined(Ports()),
        "EVENTS_HTTP__WORKERS",  # the stack's API is one process
        "EVENTS_CLICKHOUSE__DATABASE",  # the commands ask this one
        "EVENTS_SESSION__SECRET",  # it makes one
    )
)
"""What joins the parts of the stack, or has no effect there: not for others to set."""


def kept(home: Path) -> dict[str, str]:
    """The settings of the stack in `home`. Raises `Unreadable`."""
    path = home / FILE
    try:
        found = json.loads(path.read_text())
        return {str(name): str(value) for name, value in found.items()}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (ValueError, AttributeError, OSError) as error:
        raise Unreadable(f"{path} cannot be read ({error}). Delete it and set anew.") from error


def keep(home: Path, settings: Mapping[str, str]) -> None:
    """Replace the settings of the stack in `home`; only its owner may read them."""
    home.mkdir(parents=True, exist_ok=True)
    scratch = home / f"{FILE}.new"
    scratch.touch(mode=0o600)
    scratch.write_text(json.dumps(settings, indent=2))
    scratch.replace(home / FILE)


def changed(
    before: Mapping[str, str], assignments: Iterable[str], removed: Iterable[str]
) -> dict[str, str]:
    """`before` with NAME=VALUE `assignments` and without `removed`. Raises `BadSettings`."""
    after, wrong = dict(before), []
    for name in removed:
        if after.pop(name.upper(), None) is None:
            wrong.append(f"{name}: it is not set, so it cannot be unset.")
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals:
            wrong.append(f"{assignment}: write NAME=VALUE.")
        after[name.upper()] = value
    if wrong:
        raise BadSettings(wrong)
    check(after)
    return after


def check(settings: Mapping[str, str]) -> None:
    """Raises `BadSettings` naming what no service reads, what is the stack's own, what is refused."""
    wrong = list(unknown(settings).values())
    for name in settings:
        if name in OWN:
            wrong.append(f"{name}: the stack sets this itself.")
        elif name in OF_COMMANDS or not name.startswith(PREFIX):
            wrong.append(f"{name}: no service reads this.")
    if not wrong:
        with _environment_of(settings):
            for model in models().values():
                try:
                    load(model)
                except BadSettings as error:
                    wrong += error.lines
    if wrong:
        raise BadSettings(dict.fromkeys(wrong))


def ignored(settings: Mapping[str, str]) -> list[str]:
    """The names of the shell's EVENTS_ variables that the stack does not take."""
    return sorted(given().keys() - OF_COMMANDS - settings.keys())


def shown(settings: Mapping[str, str]) -> dict[str, str]:
    """`settings` as they may be printed: without passwords and other secrets."""
    return {name: "***" if is_secret(name) else text for name, text in settings.items()}


@contextlib.contextmanager
def _environment_of(settings: Mapping[str, str]) -> Iterator[None]:
    """`settings` in place of this process's EVENTS_ variables while the context is open."""
    before = {name: os.environ.pop(name) for name in list(os.environ) if name.upper() in given()}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name in settings:
            del os.environ[name]
        os.environ.update(before)
