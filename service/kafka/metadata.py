"""The question who leads what, in the version that tells topics' ids too.

aiokafka asks in versions that do not, so the request is described here:
https://kafka.apache.org/protocol, Metadata version 10 (Kafka 2.8 and later).
"""

import uuid
from collections.abc import Iterable
from io import BytesIO

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    AbstractType,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

API_KEY, API_VERSION = 3, 10
NO_ID = uuid.UUID(int=0)
TEXT, TAGS = CompactString("utf-8"), ("tags", TaggedFields)


class Uuid(AbstractType[uuid.UUID]):  # type: ignore[misc]  # untyped base
    """Sixteen bytes."""

    @classmethod
    def encode(cls, value: uuid.UUID) -> bytes:
        """See `AbstractType`."""
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> uuid.UUID:
        """See `AbstractType`. Raises `ValueError` when there are fewer bytes."""
        return uuid.UUID(bytes=data.read(16))


class Metadata(Response):  # type: ignore[misc]
    """The answer."""

    API_KEY = API_KEY
    API_VERSION = API_VERSION
    SCHEMA = Schema(
        ("throttle_ms", Int32),
        (
            "brokers",
            CompactArray(("id", Int32), ("host", TEXT), ("port", Int32), ("rack", TEXT), TAGS),
        ),
        ("cluster_id", TEXT),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error", Int16),
                ("name", TEXT),
                ("topic_id", Uuid),
                ("internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error", Int16),
                        ("index", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("in_sync", CompactArray(Int32)),
                        ("offline", CompactArray(Int32)),
                        TAGS,
                    ),
                ),
                ("operations", Int32),
                TAGS,
            ),
        ),
        ("cluster_operations", Int32),
        TAGS,
    )


class MetadataOf(RequestStruct):  # type: ignore[misc]
    """The request as it is sent."""

    FLEXIBLE_VERSION = True
    API_KEY = API_KEY
    API_VERSION = API_VERSION
    RESPONSE_TYPE = Metadata
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", Uuid), ("name", TEXT), TAGS)),
        ("create", Boolean),
        ("cluster_operations", Boolean),
        ("topic_operations", Boolean),
        TAGS,
    )


class AskMetadata(Request[MetadataOf]):  # type: ignore[misc]
    """The request as a connection of aiokafka takes it; it makes no topic."""

    API_KEY = API_KEY

    def __init__(self, topics: Iterable[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[MetadataOf]) -> MetadataOf:
        """See `Request`."""
        nameless: dict[int, bytes] = {}
        topics = [(NO_ID, topic, nameless) for topic in self._topics]
        return request_struct_class(topics, False, False, False, nameless)
