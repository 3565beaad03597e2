"""Redrives, replays and what they would send, for a person: tables on a terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cli.delivery_tables import table

if TYPE_CHECKING:
    from rich.console import RenderableType

NAMES = {"redrive": "code", "replay": "day"}


def preview_lines(preview: dict[str, Any]) -> "RenderableType":
    """How many of each code or day, then the oldest."""
    from rich.console import Group
    from rich.text import Text

    if not preview["count"]:
        return Text("Nothing to send again.")
    counts = [(f"{each['count']:,}", each["of"] or "-") for each in preview["counts"]]
    samples = [
        (each["at"], each["event_id"], each["event_type"], each["entity_id"], each["message"])
        for each in preview["samples"]
    ]
    parts: list[RenderableType] = [
        table(("events", NAMES[preview["kind"]]), counts),
        "",
        table(("at", "event", "type", "entity", "what the queue said"), samples),
    ]
    if preview["beyond"]:
        parts.append(Text(f"{preview['beyond']:,} more have no room in one job."))
    return Group(*parts)


def jobs_table(jobs: Sequence[dict[str, Any]]) -> "RenderableType":
    """A row for each job."""
    rows = [
        (
            each["id"],
            each["kind"],
            each["state"],
            f"{each['per_cent']}%",
            *(f"{each[name]:,}" for name in ("count", "sent", "dead", "missing")),
            each["created_at"],
            each["created_by"],
        )
        for each in jobs
    ]
    names = ("id", "kind", "state", "done", "events", "sent", "dead", "missing", "made", "by")
    return table(names, rows)


def job_lines(job: dict[str, Any]) -> "RenderableType":
    """One job, what it was asked for, and each of its partitions."""
    from rich.console import Group
    from rich.text import Text

    asked = ", ".join(f"{name} {text}" for name, text in job["asked"].items()) or "everything"
    rate = f"{job['messages_per_s']:,}" if job["messages_per_s"] else "no limit"
    lines = {
        "subscription": job["subscription_id"],
        "asked for": asked,
        "messages per s": rate,
        "updated": job["updated_at"],
        "reason": job["reason"],
    }
    rows = [
        (
            *(
                f"{each[name]:,}"
                for name in ("partition", "count", "done", "sent", "dead", "missing")
            ),
            each["state"],
        )
        for each in job["partitions"]
    ]
    names = ("partition", "events", "done", "sent", "dead", "missing", "state")
    told = [Text(f"{name}: {text}") for name, text in lines.items() if text]
    return Group(jobs_table([job]), "", *told, "", table(names, rows))
