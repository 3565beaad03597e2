"""The id of a topic (KIP-516): a topic that was deleted and made anew has another one.

aiokafka asks for metadata in versions that do not tell it, so the request is described here:
https://kafka.apache.org/protocol, Metadata version 10 (Kafka 2.8 and later).
"""

import asyncio
import uuid
from io import BytesIO

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import NoError, for_code
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

from contracts.connections import KafkaConnection

API_KEY, API_VERSION = 3, 10
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
    """The request as aiokafka's client takes it."""

    API_KEY = API_KEY

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def build(self, request_struct_class: type[MetadataOf]) -> MetadataOf:
        """See `Request`."""
        nameless: dict[int, bytes] = {}
        topics = [(uuid.UUID(int=0), self._topic, nameless)]
        return request_struct_class(topics, False, False, False, nameless)


async def topic_id(client: AIOKafkaClient, topic: str) -> uuid.UUID:
    """The id that `topic` has now. Raises `KafkaError`, also when there is no such topic."""
    answer = await client.send(client.get_random_node(), AskMetadata(topic))
    [(error, _, found, *_)] = answer.topics
    if (error_class := for_code(error)) is not NoError:
        raise error_class(f"asking for the id of the topic {topic}")
    return uuid.UUID(bytes=found.bytes)


class TopicId:
    """Asks for the id of one topic, over a connection of its own that nothing long is under way on."""

    def __init__(self, connection: KafkaConnection, topic: str) -> None:
        self._client = AIOKafkaClient(**connection.client_args())
        self._timeout_s = connection.request_timeout_s
        self._topic = topic
        self._connected = False

    async def now(self) -> uuid.UUID:
        """The id that the topic has now. Raises `KafkaError`, `OSError` or `TimeoutError`."""
        async with asyncio.timeout(self._timeout_s):
            if not self._connected:
                await self._client.bootstrap()
                self._connected = True
            return await topic_id(self._client, self._topic)

    async def close(self) -> None:
        """Disconnect."""
        await self._client.close()
