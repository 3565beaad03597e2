"""Groups of failures and counts for a person: tables with the course of time on a terminal."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cli.delivery_tables import table
from cli.terminal import local_offset

if TYPE_CHECKING:
    from rich.console import RenderableType

BARS = "▁▂▃▄▅▆▇█"
BARS_MAX = 24
MESSAGE_CHARACTERS_MAX = 160


def sparkline(counts: Sequence[int], width: int = BARS_MAX) -> str:
    """One character for each count, or for several in a row where there are more than `width`."""
    each = -(-len(counts) // width) or 1
    sums = [sum(counts[first : first + each]) for first in range(0, len(counts), each)]
    most = max(sums, default=0)
    return "".join(BARS[-(-count * 7 // most)] if count else " " for count in sums)


def faults_table(found: Iterable[Mapping[str, Any]]) -> "RenderableType":
    """A row for each kind."""
    rows = [
        (
            f"{each['count']:,}",
            growth(each["count"], each["before"]),
            sparkline(each["buckets"]),
            f"{each['entities']:,}",
            _local(each["last_seen"]),
            str(each["status"] or "-"),
            each["message"][:MESSAGE_CHARACTERS_MAX] or "-",
            _state(each["state"]),
            each["fingerprint"],
        )
        for each in found
    ]
    names = (
        "count",
        "before",
        "course",
        "entities",
        "last seen",
        "status",
        "message",
        "state",
        "id",
    )
    return table(names, rows)


def fault_shown(detail: Mapping[str, Any]) -> "RenderableType":
    """All that is known of a kind."""
    from rich.console import Group

    fault = detail["fault"]
    operations = [
        (f"{each['count']:,}", f"{each['event_source']} {each['operation']}")
        for each in fault["operations"]
    ]
    entities = [(f"{each['count']:,}", each["entity_id"]) for each in detail["entities"]]
    apart = [
        (
            f"{each['group_share']:.0%}",
            f"{each['rest_share']:.0%}",
            _times(each["lift"]),
            _what(each),
        )
        for each in detail["differences"]
    ]
    parts: list[RenderableType] = [faults_table([fault]), ""]
    parts += [
        table(("failures", "of"), operations),
        "",
        table(("failures", "entity"), entities),
        "",
    ]
    if apart:
        compared = detail["compared"]
        told = f"has it, of {compared['group']:,} of this kind and {compared['rest']:,} others"
        parts += [table(("here", "elsewhere", "more often", told), apart), ""]
    parts.append(f"The latest: events get {fault['sample_id']}")
    return Group(*parts)


def counts_table(found: Mapping[str, Any]) -> "RenderableType":
    """A row for each value, with its course."""
    rows = [
        (f"{each['count']:,}", sparkline(each["buckets"], 60), str(each["value"] or "-"))
        for each in found["series"]
    ]
    return table(("count", f"by {found['interval']}", "value"), rows)


def growth(count: int, before: int) -> str:
    """How `count` compares to the time before it."""
    if not before:
        return "new"
    change = count / before - 1
    return f"{change:+.0%}" if abs(change) < 10 else f"x{count / before:.0f}"


def _state(state: Mapping[str, Any]) -> str:
    """What holds, and what it had been before it opened again."""
    if state["state"] != state["said"]:
        return f"{state['state']}, was {state['said']}"
    return "" if state["state"] == "open" else str(state["state"])


def _what(difference: Mapping[str, Any]) -> str:
    field, value = difference["field"], difference["value"]
    return f"{field}.{value}" if field in ("key_attributes", "payload") else f"{field} = {value}"


def _times(lift: float) -> str:
    return f"{lift:,.1f} times" if lift < 100 else f"{lift:,.0f} times"


def _local(time: str) -> str:
    return local_offset(int(datetime.fromisoformat(time).timestamp() * 1000), "seconds")
