"""How current what the API shows is: how far view and delivery are behind the log, as the API tells it.

The log is shared, so a lag is that of all tenants together: a tenant waits behind the records of
others, and its own could be told apart by reading them alone. The sum names nobody, and `behind` of a
subscription's health is such a sum too. Whoever asks again and again could still take it for how much
the others post, so it is told as an order of magnitude with one digit, which is all that a person needs
of a number that moves; `events_lag_records` has it exactly, for operators.
"""

from pydantic import BaseModel, Field

from contracts.intervals import Time


class LagShown(BaseModel):
    """How far one of the two that read the log is."""

    records_behind: int = Field(
        description="Records that it has not handled, of all tenants, rounded up to one digit."
    )
    seconds_behind: float | None = Field(
        description="How long the oldest of them waits; 0 when there is none,"
        " null when it has left Kafka."
    )
    seconds_until_loss: float | None = Field(
        description="Until it may leave Kafka, whose retention is over then; null when there is none,"
        " or all is kept for ever."
    )


class Status(BaseModel):
    """How far view and delivery are behind what was accepted."""

    measured_at: Time
    view: LagShown = Field(description="What searches, counts and SQL show.")
    delivery: LagShown = Field(
        description="What is sent to subscriptions. One whose queue fails is served apart:"
        " its own health tells how far it is."
    )


def rounded_up(count: int) -> int:
    """To one significant digit: 4 is 4, 41 is 50, 1,234 is 2,000."""
    unit: int = 10 ** (len(str(count)) - 1)
    return -(-count // unit) * unit
