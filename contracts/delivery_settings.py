"""How a subscription's events are delivered: for whom a queue is fair, how fast, how long, what then.

Members that a client leaves out have the values here; where those are None, the operator's settings of
the service `route` hold. Lengths are whole seconds.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from contracts.deliveries import Fairness
from contracts.destinations import SqsDestination

MESSAGES_PER_S_MAX = 10_000
RETRY_FOR_S = (60, 604_800)  # a minute to a week
RETRY_PAUSE_S_MAX = 3_600

MessagesPerS = Annotated[int, Field(ge=1, le=MESSAGES_PER_S_MAX)]
RetryForS = Annotated[int, Field(ge=RETRY_FOR_S[0], le=RETRY_FOR_S[1])]
RetryPauseS = Annotated[int, Field(ge=1, le=RETRY_PAUSE_S_MAX)]

FAIRNESS = (
    "Whose messages a standard queue holds back when they crowd out others (Amazon SQS fair queues):"
    " the tenant's when left out. A FIFO queue has one message group for each entity whatever it says."
)
MESSAGES_PER_S = (
    "Most messages a second, shared among the `route` processes by their partitions; no limit when left"
    " out or null."
)
RETRY_FOR = (
    "How long an event that the queue does not take is tried again before it is given up; the"
    " operator's when left out or null."
)
RETRY_PAUSE = "The longest pause between two tries; the operator's when left out or null."
DEAD_LETTER = (
    "A queue that gets what is given up; none when left out or null. Another than the destination, and"
    " of its kind: FIFO for FIFO, standard for standard, as SQS asks of its own dead-letter queues."
)


class DeliverySettings(BaseModel):
    """The member `delivery` of a subscription."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    fairness: Fairness = Field("tenant", description=FAIRNESS)
    messages_per_s: MessagesPerS | None = Field(None, description=MESSAGES_PER_S)
    retry_for_s: RetryForS | None = Field(None, description=RETRY_FOR)
    retry_pause_max_s: RetryPauseS | None = Field(None, description=RETRY_PAUSE)
    dead_letter: SqsDestination | None = Field(None, description=DEAD_LETTER)

    def written_out(self) -> "DeliverySettings":
        """The same, with every default shown."""
        return DeliverySettings(**dict(self))


class DeliverySettingsPatch(BaseModel):
    """The member `delivery` of a PATCH: null takes a member back to its default. For the documents."""

    fairness: Fairness | None = None
    messages_per_s: MessagesPerS | None = None
    retry_for_s: RetryForS | None = None
    retry_pause_max_s: RetryPauseS | None = None
    dead_letter: SqsDestination | None = None
