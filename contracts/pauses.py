"""Pauses: the router stops trying a queue that has taken nothing for too long.

A record beside the subscriptions, in the same topic, under `tenant:id:paused`. It holds until the
subscription's own record comes again: whoever changes it, be it by a PATCH that changes nothing, says
that it is to be tried. Compaction keeps the order of the two, so who reads from the start learns the same.
"""

from pydantic import BaseModel, ConfigDict, Field

PAUSED = "paused"


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


def pause_key(tenant: str, subscription_id: str) -> bytes:
    """The key of the record."""
    return f"{tenant}:{subscription_id}:{PAUSED}".encode()
