"""Events for people: a table of some, all of one with its payload and fault decoded."""

import base64
import json
import uuid
from typing import TYPE_CHECKING, Any

from cli.terminal import laid_out, local_offset, local_time, printable

if TYPE_CHECKING:
    from rich.console import Group, RenderableType
    from rich.table import Table
    from rich.text import Text

WIDE = 100
"""Characters of a terminal that has room for a whole time in a row."""
COLORS = {"FAULT": "bold red", "WARNING": "yellow", "SYSTEM_EVENT": "cyan", "ENTITY_EVENT": "green"}


def table(events: list[dict[str, Any]], width: int) -> "Table":
    """A row for each event; what is too long is folded, and nothing is left out of an id."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    found = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    found.add_column("posted", no_wrap=width >= WIDE, min_width=14)
    found.add_column("event", overflow="fold", min_width=12)
    found.add_column("entity", overflow="fold", min_width=8)
    found.add_column("id", no_wrap=True, min_width=37)  # 36 and its padding
    for event in events:
        posted_ms = made_at_ms(event["id"])
        posted = "-" if posted_ms is None else local_offset(posted_ms, "seconds")
        about = f"{event['event_source']} {event['event_payload']['operation']}"
        what = Text.assemble(type_of(event), " ", _plain(about))
        found.add_row(posted, what, _plain(event["entity_id"]), _plain(event["id"]))
    return found


def whole(event: dict[str, Any]) -> "Group":
    """All that an event says, a line for each member; then its payload and its fault."""
    from rich.console import Group
    from rich.table import Table

    payload, posted_ms = event["event_payload"], made_at_ms(event["id"])
    lines = Table.grid(padding=(0, 2))
    lines.add_column(style="dim", no_wrap=True)
    lines.add_column(overflow="fold")

    def line(name: str, text: str | None) -> None:
        if text is not None:
            lines.add_row(_plain(name), _plain(text))

    lines.add_row("type", type_of(event))
    line("id", event["id"])
    line("posted", None if posted_ms is None else local_time(posted_ms))
    line("source", event["event_source"])
    line("operation", payload["operation"])
    line("entity", event["entity_id"])
    line("entity name", event.get("entity_name"))
    if payload.get("entity_id") != event["entity_id"]:
        line("payload's entity", payload.get("entity_id"))
    for name, text in payload.get("key_attributes", {}).items():
        line(name, text)
    parts: list[RenderableType] = [lines]
    for name in ("payload", "fault"):
        encoded = payload.get(f"base64_encoded_{name}_json")
        if encoded is not None:
            parts += ["", f"[dim]{name}[/]", decoded(encoded)]
    return Group(*parts)


def type_of(event: dict[str, Any]) -> "Text":
    """The event's type in its colour."""
    from rich.text import Text

    return Text(printable(event["event_type"]), COLORS.get(event["event_type"], ""))


def decoded(encoded: str) -> "Text":
    """What base64 holds: JSON laid out, text, or how many bytes that are neither."""
    from rich.text import Text

    data = base64.b64decode(encoded)
    try:
        return laid_out(data.decode())
    except UnicodeDecodeError:
        return Text(f"{len(data):,} bytes that are no text", "dim")


def made_at_ms(event_id: str) -> int | None:
    """When the edge made the id, ms since 1970; None for one that an Idempotency-Key gave."""
    from contracts import ids

    return ids.made_at_ms(uuid.UUID(event_id))


def show(body: str) -> None:
    """Print one event for a person. Prints what is no event as it came."""
    from rich.console import Console

    try:
        Console().print(whole(json.loads(body)), highlight=False)
    except (ValueError, KeyError, TypeError, AttributeError):
        print(printable(body, "\n"))  # noqa: T201


def _plain(text: str) -> "Text":
    from rich.text import Text

    return Text(printable(text))
