"""How current what is shown and delivered is, as a person would say it."""

from typing import Any, NamedTuple

from console.html.times import duration

LATE_S = 60.0
"""From then on it stands out; a busy view is a second behind all day."""
LOSS_NEAR_S = 3 * 24 * 3600.0
"""A long weekend to act in, as EVENTS_LOSS_THRESHOLD_S has it by default."""


class Currency(NamedTuple):
    """`of` what, `told` in a word or two, what more there is to say, and its colour: amber, red or none."""

    of: str
    told: str
    more: str = ""
    colour: str = ""


def currency(status: dict[str, Any] | None) -> list[Currency]:
    """Of view and delivery, by the API's status; None when that was not answered."""
    parts = {"What is shown": "view", "What is delivered": "delivery"}
    return [_told(of, status and status[name]) for of, name in parts.items()]


def _told(of: str, behind: dict[str, Any] | None) -> Currency:
    if behind is None:
        return Currency(of, "not known")
    if not behind["records_behind"]:
        return Currency(of, "up to date")
    waits_s, left_s = behind["seconds_behind"], behind["seconds_until_loss"]
    more = f"up to {behind['records_behind']:,} events of all tenants"
    if left_s is not None:
        more += f"; Kafka keeps them {duration(left_s)} more" if left_s else "; the oldest are lost"
    colour = "amber" if waits_s is None or waits_s >= LATE_S else ""
    if left_s is not None and left_s < LOSS_NEAR_S:
        colour = "red"
    told = "behind" if waits_s is None else f"{duration(waits_s)} behind"
    return Currency(of, told, more, colour)
