"""Pauses: the router stops trying a queue that has taken nothing for too long. And going on after one.

A record beside the subscriptions, in the same topic, under `tenant:id:paused`. It holds until the
subscription's own record comes again: whoever changes it, be it by a PATCH that changes nothing, says
that it is to be tried. Compaction keeps the order of the two, so who reads from the start learns the same.
"""

from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

PAUSED = "paused"

Missed = Literal["skip", "catch_up"]
"""What becomes of what was not delivered before, or was received while nothing was sent."""


class Pause(BaseModel):
    """Since when nothing is sent, and why. Times are RFC 3339 in UTC."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    at: str = Field(description="When it was paused.")
    since: str = Field(description="Nothing was taken since then.")
    missed_from: str = Field(
        description="When the oldest event that waited then had been received: a replay from here on"
        " sends all that was not sent."
    )
    code: str = Field(description="The queue's last error code.")
    reason: str = Field(description="What the queue said last.")

    def inactive(self) -> str:
        """Why nothing is delivered, and what to do."""
        said = ": ".join(filter(None, (self.code, self.reason)))
        return (
            f"paused: its queue has taken nothing since {self.since} ({said})."
            " Mend the queue, then enable it."
        )


class Start(BaseModel):
    """How a subscription that was disabled or paused goes on."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    at: str = Field(
        description="When that was said, RFC 3339 in UTC; each start has a time of its own."
    )
    missed: Missed = Field(
        description="catch_up: what waited, and what was received meanwhile, is delivered; skip: it is"
        " cancelled."
    )


def new_start(missed: Missed) -> Start:
    """One of now."""
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    return Start(at=now.replace("+00:00", "Z"), missed=missed)


def pause_key(tenant: str, subscription_id: str) -> bytes:
    """The key of the record."""
    return f"{tenant}:{subscription_id}:{PAUSED}".encode()
