"""Deliveries for a person: tables on a terminal."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from cli.terminal import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

COLORS = {"delivered": "green", "waiting": "yellow", "failed": "yellow", "dead": "bold red"}
MESSAGE_CHARACTERS_MAX = 120


def deliveries_table(found: Iterable[dict[str, Any]]) -> "RenderableType":
    """A row for each delivery, as its latest attempt left it."""
    rows = [
        (
            each["attempt"]["at"],
            each["state"],
            each["event_id"] or _range(each["range"]),
            each["subscription_id"],
            str(each["attempt"]["number"]),
            _cause(each["attempt"]),
        )
        for each in found
    ]
    return table(("at", "state", "event", "subscription", "attempt", "cause"), rows)


def attempts_table(found: Iterable[dict[str, Any]]) -> "RenderableType":
    """A row for each attempt of an event, one alone where there is none."""
    rows = []
    for each in found:
        who = each["name"] or each["subscription_id"]
        if not each["attempts"]:
            rows.append((who, each["state"], "", "", "", ""))
        for one in each["attempts"]:
            took = f"{one['latency_ms']:,} ms"
            rows.append((who, one["state"], str(one["number"]), one["at"], took, _cause(one)))
    return table(("subscription", "state", "attempt", "at", "took", "cause"), rows)


def causes_and_deliveries(found: Sequence[dict[str, Any]]) -> "RenderableType":
    """How many of each error code, then each."""
    from rich.console import Group

    codes = Counter(each["attempt"]["code"] or "-" for each in found)
    counts = [(f"{count:,}", code) for code, count in codes.most_common()]
    return Group(table(("dead", "code"), counts), "", deliveries_table(found))


def _range(cancelled: dict[str, int]) -> str:
    return "partition {partition}, offsets {offset} to {until}".format(**cancelled)


def _cause(attempt: dict[str, Any]) -> str:
    """Code and message; the bound that was reached; or the id that the queue gave."""
    told = [attempt["code"], attempt["message"][:MESSAGE_CHARACTERS_MAX]]
    if attempt["exhausted"]:
        told.append(f"({attempt['exhausted']} reached)")
    return " ".join(filter(None, told)) or attempt["message_id"]


def table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> "RenderableType":
    """Rows of texts under their names; what comes from outside cannot steer the terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for name in names:
        drawn.add_column(name, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(printable(each), COLORS.get(each, "")) for each in row))
    return drawn
