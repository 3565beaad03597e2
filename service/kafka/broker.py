"""A connection to one broker that carries Produce requests and nothing else.

aiokafka connects (TLS, SASL, versions); then the transport is read here. Its own way of sending
takes a task, a timer and several wakings for each request, ten times what the request itself costs.
"""

import asyncio
import struct
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Self

from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import (
    CorrelationIdError,
    IncompatibleBrokerVersion,
    KafkaConnectionError,
    KafkaError,
    RequestTimedOutError,
)

from service.kafka.deadline import Deadline
from service.kafka.produce import (
    API_KEY,
    LENGTH,
    VERSION,
    Acks,
    Batches,
    decode_acks,
    encode_produce,
)

CLIENT = "events-api"


class BrokerConnection(asyncio.Protocol):
    """Requests in, answers out, in the same order; made by `open`. A broken one stays broken."""

    @classmethod
    async def open(cls, host: str, port: int, arguments: Mapping[str, Any]) -> Self:
        """Connect, with the `arguments` of aiokafka's connection.

        Raises `KafkaError`, `OSError` or `TimeoutError`.
        """
        timeout_s = arguments["request_timeout_ms"] / 1000
        opened = AIOKafkaConnection(host, port, client_id=CLIENT, **arguments)
        async with asyncio.timeout(timeout_s):  # for all that it asks of the broker together
            _, writer = await opened.connect()
        connection = cls(opened, writer.transport, timeout_s)
        lowest, highest = opened._versions[API_KEY]
        if not lowest <= VERSION <= highest:
            connection.close()
            raise IncompatibleBrokerVersion(
                f"the broker takes Produce {lowest} to {highest}, not {VERSION}: Kafka 2.1 or later"
            )
        return connection

    def __init__(
        self, opened: AIOKafkaConnection, transport: asyncio.Transport, timeout_s: float
    ) -> None:
        """Read the `transport` of what aiokafka `opened`; `timeout_s`: how long an answer may take."""
        transport.set_protocol(self)
        self._opened = opened
        self._transport = transport
        self._client = CLIENT.encode()
        self._loop = asyncio.get_running_loop()
        self._deadline = Deadline(timeout_s, self._time_out)
        self._correlation_id = 0
        self._unanswered: deque[tuple[int, asyncio.Future[Acks], Batches]] = deque()
        self._unread = b""
        self.closed: asyncio.Future[None] = self._loop.create_future()

    @property
    def usable(self) -> bool:
        """Whether a request can be sent."""
        return not self._transport.is_closing()

    @property
    def silent_s(self) -> float:
        """How long the broker has owed an answer and given none."""
        return self._deadline.running_s

    def unanswered(self) -> Iterator[tuple[str, int]]:
        """Topic and partition of each batch without an answer."""
        for _, _, batches in self._unanswered:
            for topic, partitions in batches.items():
                for partition, _ in partitions:
                    yield topic, partition

    def produce(self, batches: Batches, timeout_ms: int) -> asyncio.Future[Acks]:
        """Send `batches` at once; the broker has `timeout_ms` for its replicas.

        The future raises `KafkaError`: whether the broker has the batches is unknown then.
        """
        self._correlation_id = (self._correlation_id + 1) & 0x7FFFFFFF
        answer: asyncio.Future[Acks] = self._loop.create_future()
        if not self._unanswered:
            self._deadline.start()
        self._unanswered.append((self._correlation_id, answer, batches))
        self._transport.write(
            encode_produce(self._correlation_id, self._client, batches, timeout_ms)
        )
        return answer

    def data_received(self, data: bytes) -> None:
        """See `asyncio`. What cannot be read ends the connection."""
        if self._unread:
            data = self._unread + data
        at = 0
        try:
            while len(data) - at >= LENGTH.size:
                (length,) = LENGTH.unpack_from(data, at)
                end = at + LENGTH.size + length
                if len(data) < end:
                    break
                self._answered(*decode_acks(data[at + LENGTH.size : end]))
                at = end
        except (struct.error, UnicodeDecodeError) as error:
            self.close(KafkaConnectionError(f"the broker's answer cannot be read: {error}"))
        except CorrelationIdError as error:
            self.close(error)
        else:
            self._unread = data[at:]

    def _answered(self, correlation_id: int, acks: Acks) -> None:
        if not self._unanswered or self._unanswered[0][0] != correlation_id:
            raise CorrelationIdError(f"an answer to the request {correlation_id} was not expected")
        _, future, _ = self._unanswered.popleft()
        if self._unanswered:
            self._deadline.start()
        else:
            self._deadline.stop()
        if not future.done():
            future.set_result(acks)

    def _time_out(self) -> None:
        self.close(RequestTimedOutError("the broker did not answer in time"))

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio`."""
        self.close(KafkaConnectionError(f"the connection was lost: {exc!r}"))
        self.closed.set_result(None)

    def close(self, reason: KafkaError | None = None) -> None:
        """Disconnect; requests without an answer fail for `reason`. `closed` is done at the end."""
        self._opened.close()
        self._transport.abort()  # a broker that hangs would never take what is still to be written
        self._deadline.stop()
        while self._unanswered:
            _, future, _ = self._unanswered.popleft()
            if not future.done():
                future.set_exception(reason or KafkaConnectionError("the connection was closed"))
