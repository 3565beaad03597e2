"""Topics that were made anew while this process ran: their ids (KIP-516) are others than at first."""

import logging
import uuid
from collections.abc import Mapping

log = logging.getLogger(__name__)


class FirstIds:
    """The id that each topic had when it was first asked for, and the topics that have had another since.

    These stay what they are until the process ends: somebody has to say that it is meant.
    """

    def __init__(self) -> None:
        self._ids: dict[str, uuid.UUID] = {}
        self.made_anew: set[str] = set()

    def learn(self, ids: Mapping[str, uuid.UUID]) -> None:
        """The topics have these `ids` now."""
        for topic, now in ids.items():
            first = self._ids.setdefault(topic, now)
            if now != first and topic not in self.made_anew:
                self.made_anew.add(topic)
                log.error(
                    "the topic %s was made anew: it had the id %s and has %s. This process leaves it"
                    " alone until it is restarted, when that is meant (docs/explanation/reliability.md)",
                    *(topic, first, now),
                )

    def refusal(self, topic: str) -> str:
        """Why nothing can be appended to a topic that has no queues."""
        if topic in self.made_anew:
            return f"the topic {topic} was made anew: restart this service when that is meant"
        return "there is no connection to Kafka"
