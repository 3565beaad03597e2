"""Subscriptions for a person: tables on a terminal, JSON everywhere else."""

import json
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from cli.answers import show_json

if TYPE_CHECKING:
    from rich.console import RenderableType

FILTER_CHARACTERS_MAX = 200


def show(document: Any, as_json: bool, drawn: Callable[[], "RenderableType | None"]) -> None:
    """Print `document` as it is drawn, on a terminal; as JSON otherwise, or when nothing is drawn."""
    picture = drawn() if sys.stdout.isatty() and not as_json else None
    if picture is None:
        show_json(json.dumps(document, ensure_ascii=False))
        return
    from rich.console import Console

    Console().print(picture)


def table_of(subscriptions: Sequence[dict[str, Any]]) -> "RenderableType":
    """One row for each; what a client wrote is shown as it is, never as markup."""
    rows = [
        (
            each["id"],
            each.get("name", ""),
            _state(each),
            _short(each.get("filter", {})),
            each.get("destination", {}).get("arn", ""),
            _labels(each),
        )
        for each in subscriptions
    ]
    return _table(("id", "name", "state", "filter", "queue", "labels"), rows)


def changes_table(changes: Sequence[dict[str, Any]]) -> "RenderableType":
    """Who changed what and when."""
    rows = [
        (each["at"], each["by"], each["action"], _short(each["before"]), _short(each["after"]))
        for each in changes
    ]
    return _table(("at", "by", "action", "before", "after"), rows)


def test_lines(answer: dict[str, Any]) -> "RenderableType":
    """The counts, what they cost, and the newest events."""
    from rich.console import Group
    from rich.text import Text

    cost = answer["cost"]
    rows = [
        (each["id"], each["event_type"], each["event_source"], each["entity_id"])
        for each in answer["samples"]
    ]
    return Group(
        Text(f"{answer['matched']:,} of {answer['of']:,} events match"),
        Text(
            f"{cost['rows_read']:,} rows, {cost['bytes_read']:,} bytes, {cost['seconds']} s", "dim"
        ),
        _table(("newest", "type", "source", "entity"), rows),
    )


def explained_table(answer: dict[str, Any]) -> "RenderableType":
    """One row for each subscription, those that match first."""
    from rich.console import Group
    from rich.text import Text

    told = sorted(answer["subscriptions"], key=lambda each: not each["matches"])
    rows = [
        (each["id"], each["name"] or "", "yes" if each["matches"] else "no", _reason(each))
        for each in told
    ]
    return Group(
        Text(answer["detail"]), _table(("id", "name", "matches", "what did not hold"), rows)
    )


def _reason(told: dict[str, Any]) -> str:
    if told["inactive"]:
        return str(told["inactive"])
    if told["matches"]:
        return "" if told["enabled"] else "disabled: it receives nothing all the same"
    return "\nor ".join(
        ", ".join(_clause(each) for each in alternative) for alternative in told["unmet"]
    )


def _clause(unmet: dict[str, Any]) -> str:
    found = json.dumps(unmet["value"], ensure_ascii=False) if unmet["present"] else "missing"
    size = f" ({unmet['size']} characters)" if unmet["size"] is not None else ""
    others = f" and {unmet['others']} others" if unmet["others"] else ""
    wanted = ", ".join(json.dumps(each, ensure_ascii=False) for each in unmet["wanted"])
    more = unmet["wanted_of"] - len(unmet["wanted"])
    wanted += f", {more} more" if more else ""
    if unmet["apart"]:
        return f"{unmet['field']} is {found} in another element of an array"
    return f"{unmet['field']} is {found}{size}{others}, not {wanted}"


def _state(subscription: dict[str, Any]) -> str:
    if "inactive" in subscription:
        return f"inactive: {subscription['inactive']}"
    return "enabled" if subscription["enabled"] else "disabled"


def _labels(subscription: dict[str, Any]) -> str:
    return ", ".join(f"{name}={text}" for name, text in subscription.get("labels", {}).items())


def _short(document: Any) -> str:
    text = json.dumps(document, ensure_ascii=False)
    return text if len(text) <= FILTER_CHARACTERS_MAX else f"{text[:FILTER_CHARACTERS_MAX]}..."


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> "RenderableType":
    from rich.table import Table
    from rich.text import Text

    table = Table(*names)
    for row in rows:
        table.add_row(*map(Text, row))
    return table
