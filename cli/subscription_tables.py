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


def page_of(subscription: dict[str, Any], health: dict[str, Any]) -> "RenderableType":
    """One subscription, a member a line: its settings with what holds where none was chosen, its health."""
    from rich.table import Table
    from rich.text import Text

    lines = {"id": subscription["id"], "state": _state(subscription)}
    if "paused" in subscription or not subscription.get("enabled", True):
        lines["to go on"] = (
            f"events subscriptions enable {subscription['id']} --catch-up, or --skip"
        )
    if "destination" in subscription:  # else it cannot be read
        lines |= {
            "name": subscription["name"],
            "description": subscription.get("description") or "",
            "labels": _labels(subscription),
            "filter": json.dumps(subscription["filter"], ensure_ascii=False),
            "queue": subscription["destination"]["arn"],
        }
        lines |= _delivery_lines(subscription.get("delivery", {}))
        for name, proof in subscription.get("ownership", {}).items():
            lines[f"{name.replace('_', ' ')} is"] = f"{proof['state']} by {proof['by']}"
    lines |= _health_lines(health)
    table = Table.grid(padding=(0, 2))
    for name, text in lines.items():
        table.add_row(Text(name, "dim"), Text(text))
    return table


def _delivery_lines(delivery: dict[str, Any]) -> dict[str, str]:
    def number(name: str, unset: str) -> str:
        return unset if delivery.get(name) is None else f"{delivery[name]:,}"

    return {
        "fairness": delivery.get("fairness", "tenant"),
        "messages per s": number("messages_per_s", "no limit"),
        "tried for s": number("retry_for_s", "the operator's"),
        "longest pause s": number("retry_pause_max_s", "the operator's"),
        "dead letters to": (delivery.get("dead_letter") or {}).get("arn", "no queue"),
    }


def _health_lines(health: dict[str, Any]) -> dict[str, str]:
    """How its queue does, what waits, and what to do about the last error."""
    hour, behind, error = health["last_hour"], health["behind"], health["last_error"]
    since = health["breaker_since"]
    lines = {
        "queue takes": "messages" if health["breaker"] == "closed" else f"nothing, since {since}",
        "last hour": ", ".join(f"{count:,} {state}" for state, count in hour.items()),
        "waiting": f"{health['waiting']:,} that failed",
        "dead": f"{health['dead']:,}",
    }
    if behind["since"]:
        lines["waiting"] += f", {behind['records']:,} records of the log to look at"
    if health["oldest_undelivered"]:
        lines["oldest waits since"] = health["oldest_undelivered"]
    if error:
        lines["last error"] = f"{error['at']} {error['code']}: {error['message']}"
        lines["what to do"] = error["advice"]
    return lines


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
    return f"{unmet['field']} is {found}{size}, not {'/'.join(unmet['operators'])}"


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
