"""`python -m processors audit|rebuild|accept-log|migrate`: the upkeep of the view, from the image.

The servers are those of EVENTS_KAFKA__... and EVENTS_CLICKHOUSE__..., as `setup` reads them.
"""

import argparse
import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from processors.consume.replay import Progress
from processors.settings import SetupSettings
from processors.upkeep.commands import accept_log, audit, rebuild
from processors.upkeep.deliveries.command import (
    DELIVERIES_HELP,
    FROM_HELP,
    NEEDS_DELIVERIES,
    SINCE_HELP,
    TO_HELP,
    audit_deliveries,
)
from processors.upkeep.deliveries.period import When
from processors.upkeep.migrating import migrate
from processors.upkeep.operator import NOT_DONE, Operator
from service.settings import load, settings_text

LINE_S = 10.0
"""How often a line says how far it is: logs keep lines, no bar."""


def add(commands: Any) -> None:
    """Give the parser's `commands` those of the upkeep; each sets `run`, which gives the exit code."""
    command = _command(
        commands,
        "audit",
        "prove that ClickHouse says what the log says, or what became of every delivery",
        _audit,
    )
    command.add_argument(
        "--to-end", action="store_true", help="up to the log's end, not only what is committed"
    )
    command.add_argument(
        "--deliveries",
        action="store_true",
        help=DELIVERIES_HELP,
    )
    command.add_argument("--since", default="", help=SINCE_HELP)
    command.add_argument("--from", dest="from_", default="", help=FROM_HELP)
    command.add_argument("--to", default="", help=TO_HELP)
    command.add_argument("--json", action="store_true", help="for programs")
    command = _command(
        commands,
        "rebuild",
        "replay the log into a fresh table and swap it in",
        lambda asked: rebuild(OPERATOR, yes=asked.yes, keep_old=asked.keep_old, as_json=asked.json),
    )
    command.add_argument("--yes", action="store_true", help="do not ask")
    command.add_argument(
        "--keep-old", action="store_true", help="rename the old table, not drop it"
    )
    command.add_argument("--json", action="store_true", help="print the audit for programs")
    command = _command(
        commands,
        "accept-log",
        "say what the topic events is that was made anew",
        lambda asked: accept_log(OPERATOR, asked.kind),
    )
    command.add_argument(
        "kind", choices=("new", "copy"), help="new: it begins anew; copy: restored from a copy"
    )
    command = _command(
        commands,
        "migrate",
        "bring the ClickHouse database to this release's schema",
        lambda asked: migrate(OPERATOR, print_access=asked.print_access),
    )
    command.add_argument(
        "--print-access", action="store_true", help="print the SQL of a read-only user; run nothing"
    )


def _audit(asked: argparse.Namespace) -> int:
    if asked.deliveries:
        when = When(asked.since, asked.from_, asked.to)
        return audit_deliveries(OPERATOR, when, to_end=asked.to_end, as_json=asked.json)
    if asked.since or asked.from_ or asked.to:
        OPERATOR.complain(NEEDS_DELIVERIES)
        return NOT_DONE
    return audit(OPERATOR, to_end=asked.to_end, as_json=asked.json)


def _command(
    commands: Any, name: str, about: str, run: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=about,
        description=about,
        epilog=settings_text(SetupSettings),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def _complain(message: str) -> None:
    sys.stderr.write(f"{message}\n")


def _ask(question: str) -> None:
    """Exits 1 unless somebody says yes."""
    with contextlib.suppress(EOFError):
        if input(f"{question} [y/N]: ").strip().lower() in ("y", "yes"):
            return
    sys.exit("Aborted.")


@contextlib.contextmanager
def _lines() -> Iterator[Progress]:
    due_s = time.monotonic() + LINE_S

    def progress(doing: str, done: int, total: int) -> None:
        nonlocal due_s
        if time.monotonic() >= due_s:
            due_s = time.monotonic() + LINE_S
            _complain(f"{doing}: {done:,} of {total:,} offsets")

    yield progress


OPERATOR = Operator(lambda: load(SetupSettings), _complain, _ask, _lines)
