"""One subscription as a page: how it is and what to do first, then what it does, then how it is set."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType

Lines = dict[str, str]


def page_of(
    subscription: dict[str, Any], health: dict[str, Any], now: datetime | None = None
) -> "RenderableType":
    """A member a line, with what holds where none was chosen; what a client wrote is never markup."""
    from rich.table import Table
    from rich.text import Text

    now = now or datetime.now(UTC)
    table = Table.grid(padding=(0, 2))
    for part in (
        _standing(subscription, health, now),
        _deliveries(subscription, health, now),
        _identity(subscription),
        _settings(subscription),
    ):
        for name, text in part.items():
            table.add_row(Text(name, "dim"), Text(text))
        table.add_row()
    return table


def _standing(subscription: dict[str, Any], health: dict[str, Any], now: datetime) -> Lines:
    """How it is, what failed last, and what to do."""
    error = health["last_error"]
    lines = {"state": _state(subscription, health, now)}
    if error:
        said = ": ".join(filter(None, (error["code"], error["message"])))
        lines["last error"] = f"{_when(error['at'], now)}: {said}"
    if advice := "\n".join(_advice(subscription, health)):
        lines["what to do"] = advice
    return lines


def _state(subscription: dict[str, Any], health: dict[str, Any], now: datetime) -> str:
    if paused := subscription.get("paused"):
        return f"paused since {_when(paused['at'], now)}: nothing was taken since {paused['since']}"
    if "inactive" in subscription:
        return f"inactive: {subscription['inactive']}"
    if not subscription["enabled"]:
        return "disabled: nothing is sent, and it keeps its position"
    if health["breaker"] != "closed":
        return f"failing: its queue takes nothing, since {_when(health['breaker_since'], now)}"
    return "well: its queue takes messages"


def _advice(subscription: dict[str, Any], health: dict[str, Any]) -> list[str]:
    id_, error = subscription["id"], health["last_error"]
    stopped = "paused" in subscription or not subscription.get("enabled", True)
    found = []
    if error and (health["breaker"] != "closed" or "paused" in subscription):
        found.append(error["advice"])
    if stopped:
        found.append(f"events subscriptions enable {id_} --catch-up, or --skip")
    elif health["breaker"] != "closed":
        found.append(f"events subscriptions check {id_}")
    if health["dead"]:
        found.append(f"events deliveries redrive --subscription {id_} --dry-run")
    return found


def _deliveries(subscription: dict[str, Any], health: dict[str, Any], now: datetime) -> Lines:
    """What it did in the last hour, what waits, and since when."""
    hour, behind = health["last_hour"], health["behind"]
    waiting = f"{health['waiting']:,} that failed" if health["waiting"] else "nothing"
    if behind["since"]:
        waiting = f"at most {behind['records']:,} events, as of the last look"
    lines = {
        "last hour": ", ".join(f"{count:,} {state}" for state, count in hour.items()),
        "waiting": waiting,
    }
    if health["oldest_undelivered"]:
        lines["oldest waits since"] = _when(health["oldest_undelivered"], now)
    if health["dead"]:
        lines["dead"] = f"{health['dead']:,}, given up"
    if started := subscription.get("started"):
        lines["went on"] = f"{_when(started['at'], now)}, {started['missed'].replace('_', ' ')}"
    return lines


def _identity(subscription: dict[str, Any]) -> Lines:
    if "destination" not in subscription:  # it cannot be read
        return {"id": subscription["id"]}
    labels = subscription.get("labels", {})
    given = {
        "name": subscription["name"],
        "id": subscription["id"],
        "description": subscription.get("description") or "",
        "labels": ", ".join(f"{name}={text}" for name, text in labels.items()),
        "filter": json.dumps(subscription["filter"], ensure_ascii=False),
        "queue": subscription["destination"]["arn"],
    }
    for name, proof in subscription.get("ownership", {}).items():
        given[f"{name.replace('_', ' ')} is"] = f"{proof['state']} by {proof['by']}"
    return {name: text for name, text in given.items() if text}


def _settings(subscription: dict[str, Any]) -> Lines:
    if "destination" not in subscription:
        return {}
    delivery: Mapping[str, Any] = subscription.get("delivery", {})

    def number(name: str, unset: str) -> str:
        return unset if delivery.get(name) is None else f"{delivery[name]:,}"

    return {
        "fairness": delivery.get("fairness", "tenant"),
        "messages per s": number("messages_per_s", "no limit"),
        "tried for s": number("retry_for_s", "the operator's"),
        "longest pause s": number("retry_pause_max_s", "the operator's"),
        "dead letters to": (delivery.get("dead_letter") or {}).get("arn", "no queue"),
    }


def _when(at: str, now: datetime) -> str:
    """A time, and how long ago that is."""
    seconds = max(0, round((now - datetime.fromisoformat(at)).total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{at} ({seconds // size} {unit} ago)"
    return f"{at} ({seconds} s ago)"
