"""In what state a subscription is, in one word and one sentence, as a person would say it."""

from typing import Any, NamedTuple

Document = dict[str, Any]


class State(NamedTuple):
    """`name` is also the class of its badge."""

    name: str
    sentence: str


def state_of(subscription: Document, health: object) -> State:
    """The state, by the subscription itself and, when it was told, by the health of its queue."""
    if "paused" in subscription:
        return State("paused", subscription["inactive"])
    if any(each["state"] == "pending" for each in subscription.get("ownership", {}).values()):
        return State("unconfirmed", "The token that was sent to its queue is waited for.")
    if "inactive" in subscription:
        return State("unreadable", subscription["inactive"])
    if not subscription["enabled"]:
        return State("disabled", "It is sent nothing.")
    if not isinstance(health, dict):
        return State("enabled", "How its queue does is not known at the moment.")
    if health["breaker"] == "open":
        error = health["last_error"]
        return State("failing", error["advice"] if error else "Its queue takes nothing.")
    if health["waiting"]:
        told = "1 event failed and is" if health["waiting"] == 1 else "{:,} events failed and are"
        return State("retrying", f"{told.format(health['waiting'])} tried again.")
    if health["behind"]["since"]:
        records = health["behind"]["records"]
        told = "1 record is" if records == 1 else f"{records:,} records are"
        return State("behind", f"{told} still to be looked at.")
    return State("delivering", "Its queue takes what it is sent.")
