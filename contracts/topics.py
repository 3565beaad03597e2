"""The Kafka topics: names, keys, retention and consumer groups. Created by `python -m processors setup`."""

from typing import NamedTuple

from pydantic import BaseModel, Field

EVENTS = "events"
SUBSCRIPTIONS = "subscriptions"
REJECTED = "events.rejected"
DELIVERIES = "deliveries"
DELIVERIES_RETRY = "deliveries.retry"
DELIVERIES_DEAD = "deliveries.dead"
DELIVERIES_JOBS = "deliveries.jobs"

MATERIALIZE_GROUP = "events.materialize"
ROUTE_GROUP = "events.route"
LEDGER_GROUP = "events.ledger"

RECORD_BYTES_MAX = 2 * 1024 * 1024
"""An event of EVENT_BYTES_MAX with its headers and batch overhead fits with room to spare."""

DAY_MS = 24 * 60 * 60 * 1000


class Topic(NamedTuple):
    """A topic as it is created: every setting is stated, none left to the broker's defaults."""

    name: str
    partitions: int
    replication: int
    config: dict[str, str]


class TopicSettings(BaseModel, frozen=True):
    """How the topics are created."""

    partitions: int = Field(6, ge=1, le=1000, description="Partitions of `events`.")
    replication: int = Field(1, ge=1, le=7, description="Replicas of each topic; 3 in production.")
    min_insync_replicas: int = Field(
        1, ge=1, le=7, description="Replicas that must have a record before it counts; 2 of 3."
    )
    retention_days: int = Field(
        30, ge=1, description="How long `events` can be replayed; longer than any outage."
    )


def topics(settings: TopicSettings) -> list[Topic]:
    """All topics of the system."""
    common = {
        "min.insync.replicas": str(settings.min_insync_replicas),
        "max.message.bytes": str(RECORD_BYTES_MAX),
        "unclean.leader.election.enable": "false",
        "compression.type": "producer",  # batches stay as they came
    }
    kept = common | {
        "cleanup.policy": "delete",
        "retention.ms": str(settings.retention_days * DAY_MS),
    }
    compacted = common | {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.1"}
    return [
        Topic(EVENTS, settings.partitions, settings.replication, kept),
        # one partition: changes of a subscription keep their order and a reader has one end to reach
        Topic(SUBSCRIPTIONS, 1, settings.replication, compacted),
        Topic(REJECTED, 1, settings.replication, kept),
        # as many as `events`: an entity's attempts stay in order, its events and they move together
        Topic(DELIVERIES, settings.partitions, settings.replication, kept),
        # one again: which subscriptions are behind, and from where
        Topic(DELIVERIES_RETRY, 1, settings.replication, compacted),
        Topic(DELIVERIES_DEAD, 1, settings.replication, kept),
        Topic(DELIVERIES_JOBS, 1, settings.replication, compacted),
    ]
