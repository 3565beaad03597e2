"""docs/reference/topics.md, from the topics as setup creates them and from the AsyncAPI document."""

from typing import Any

from contracts.documents.asyncapi import asyncapi
from contracts.topics import (
    DAY_MS,
    DELIVERIES,
    DELIVERIES_JOBS,
    DELIVERIES_RETRY,
    Topic,
    TopicSettings,
    topics,
)
from docs.make.markdown import GENERATED, code, table

TEXT = """# Topics

{generated}`python -m processors setup` creates these topics; it changes none that exists. The AsyncAPI document,
[contracts/asyncapi.json](../../contracts/asyncapi.json), has schemas of every key, header and value. How to read `events`:
[consume Kafka](../how-to/consume-kafka.md).

{topics}
Days and partitions of `events` are the defaults of `EVENTS_TOPICS__RETENTION_DAYS` and `EVENTS_TOPICS__PARTITIONS`. Every topic has
`EVENTS_TOPICS__REPLICATION` replicas, of which `EVENTS_TOPICS__MIN_INSYNC_REPLICAS` must have a record, and these settings:

{common}"""
OF_OURS = {
    DELIVERIES: ("What became of each delivery, one record an attempt.", "tenant:entity id"),
    DELIVERIES_JOBS: (
        "Compacted: redrives and replays, and how far each is in each partition.",
        "tenant:job, tenant:job:partition",
    ),
    DELIVERIES_RETRY: (
        "Compacted: from where a subscription lacks events, while its queue fails.",
        "tenant:subscription:partition",
    ),
}
"""What nobody outside reads, so that the AsyncAPI document leaves it out: what it holds, its key."""


def page() -> str:
    """The page."""
    document, all_topics = asyncapi(), topics(TopicSettings())
    told = {each["address"]: each for each in document["channels"].values()}
    common = set.intersection(*(set(each.config.items()) for each in all_topics))
    return TEXT.format(
        generated=GENERATED,
        topics=table(
            ("topic", "what it holds", "key", "partitions", "kept"),
            [_row(each, document, told) for each in all_topics],
        ),
        common=table(("setting", "value"), [(code(n), code(v)) for n, v in sorted(common)]),
    )


def _row(topic: Topic, document: dict[str, Any], told: dict[str, Any]) -> tuple[str, ...]:
    days = topic.config.get("retention.ms")
    kept = f"{int(days) // DAY_MS} days" if days else "the latest record of each key"
    what, key = OF_OURS.get(topic.name) or _told(document, told[topic.name])
    return code(topic.name), what, key, str(topic.partitions), kept


def _told(document: dict[str, Any], channel: dict[str, Any]) -> tuple[str, str]:
    message = document["components"]["messages"][next(iter(channel["messages"]))]
    return channel["description"], message["bindings"]["kafka"]["key"]["description"]
