"""The subscriptions as a request needs them: all that the topic held when it came."""

from contracts.problems import unavailable
from service.kafka.follow import SubscriptionsFollower

CATCH_UP_TIMEOUT_S = 5.0


async def caught_up(follower: SubscriptionsFollower) -> None:
    """On return the table is at the topic's end of now. Raises `Problem` 503 when Kafka does not tell it."""
    if not await follower.catch_up(CATCH_UP_TIMEOUT_S):
        raise unavailable("The subscriptions cannot be read from Kafka. Try again.")
