"""The brokers of a cluster and who leads what, as told by whichever broker answers first.

aiokafka's client asks one broker after another, waits for each as long as for any request, and knows
the bootstrap servers at the start only. Here the next broker is asked as soon as one is slow, one that
was slow or away is asked last, and the bootstrap servers when no known broker answers (KIP-899).
"""

import asyncio
import contextlib
import logging
import random
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from aiokafka import TopicPartition
from aiokafka.conn import AIOKafkaConnection, collect_hosts, create_conn
from aiokafka.errors import KafkaConnectionError, KafkaError

from service.connections import KafkaConnection
from service.kafka.first_ids import FirstIds
from service.kafka.metadata import NO_ID, AskMetadata
from service.kafka.outages import Outages

log = logging.getLogger(__name__)

AGE_MAX_S = 10.0
"""New partitions are noticed within this time."""
PAUSE_S = 0.1
SLOW_S = 0.5
"""How long one broker may take before the next is asked beside it."""
NO_LEADER = -1

Address = tuple[str, int]


class Cluster:
    """What is known about `topics`; `close` it at the end.

    After a question that failed it is what it was, and `answers` is false until the next is answered.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        topics: Sequence[str],
        first_ids: FirstIds | None = None,
    ) -> None:
        """`first_ids` remembers what other ones have learned before this one."""
        arguments = connection.client_args()
        hosts = collect_hosts(arguments.pop("bootstrap_servers"))
        self._bootstrap: list[Address] = [(host, port) for host, port, _ in hosts]
        self._timeout_s = connection.request_timeout_s
        self._connections: dict[Address, AIOKafkaConnection] = {}
        self._suspects: set[Address] = set()
        self._outdated = asyncio.Event()
        self._outages = Outages(log)
        self._closed = False
        self.arguments = arguments
        self.topics = topics
        self.answers = True
        self.brokers: dict[int, Address] = {}
        self.leaders: dict[TopicPartition, int] = {}
        self.topic_ids: dict[str, uuid.UUID] = {}
        self.first_ids = FirstIds() if first_ids is None else first_ids

    def partitions(self, topic: str) -> int:
        """How many `topic` has; 0 when it is not known."""
        return sum(partition.topic == topic for partition in self.leaders)

    def outdated(self) -> None:
        """Have everything asked anew, soon."""
        self._outdated.set()

    async def keep(self, learned: Callable[[], None]) -> None:
        """Ask when it is outdated and when it is `AGE_MAX_S` old; `learned` is called after each answer."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(AGE_MAX_S):
                    await self._outdated.wait()
            self._outdated.clear()
            try:
                await self.refresh()
            except (KafkaError, OSError, TimeoutError) as error:
                self.answers = False
                self._outages.failed(["metadata"], error)
                self._outdated.set()
            else:
                self.answers = True
                self._outages.over(["metadata"])
                learned()
            await asyncio.sleep(PAUSE_S)

    async def refresh(self) -> None:
        """Ask once. Raises `KafkaError`, `OSError` or `TimeoutError`."""
        answer = await self.ask(AskMetadata(self.topics))
        self.brokers = {node: (host, port) for node, host, port, *_ in answer.brokers}
        self.leaders |= {
            TopicPartition(topic, number): leader
            for _, topic, _, _, partitions, *_ in answer.topics
            for _, number, leader, *_ in partitions
        }
        ids = {topic: topic_id for _, topic, topic_id, *_ in answer.topics}
        self.topic_ids = {topic: found for topic, found in ids.items() if found != NO_ID}
        self.first_ids.learn(self.topic_ids)
        for address in self._connections.keys() - self._addresses():
            self._connections.pop(address).close()

    async def ask(self, request: Any) -> Any:
        """The first answer to `request`. Raises `KafkaError`, `OSError` or `TimeoutError`."""
        addresses = sorted(self._addresses(), key=self._rank)
        asked: set[asyncio.Task[Any]] = set()
        error: BaseException = KafkaConnectionError("no broker is known")
        try:
            async with asyncio.timeout(self._timeout_s):
                while addresses or asked:
                    if addresses:
                        asking = self._ask(addresses.pop(0), request)
                        asked.add(asyncio.create_task(asking, name="ask a broker"))
                    done, asked = await asyncio.wait(
                        asked,
                        timeout=SLOW_S if addresses else None,
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                    failures = [task.exception() for task in done]
                    for task, failure in zip(done, failures, strict=True):
                        if failure is None:
                            return task.result()
                        error = failure
            raise error
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)

    async def close(self) -> None:
        """Disconnect, now and behind every question that is still under way."""
        self._closed = True
        closing = [connection.close() for connection in self._connections.values()]
        self._connections.clear()
        if closing:
            await asyncio.wait(closing, timeout=self._timeout_s)

    def _addresses(self) -> set[Address]:
        return {*self.brokers.values(), *self._bootstrap}

    def _rank(self, address: Address) -> tuple[bool, bool, bool, float]:
        """The first to ask: has answered, is a known broker, is connected."""
        return (
            address in self._suspects,
            address not in self.brokers.values(),
            address not in self._connections,
            random.random(),  # noqa: S311 - spreads questions, guards nothing
        )

    async def _ask(self, address: Address, request: Any) -> Any:
        self._suspects.add(address)  # until it answers
        connection = self._connections.pop(address, None)
        try:
            if connection is None or not connection.connected():
                connection = await create_conn(*address, **self.arguments)
            answer = await connection.send(request)
        except BaseException:
            if connection is not None:
                connection.close()
            raise
        self._suspects.discard(address)
        if self._closed or address in self._connections:  # another question was answered meanwhile
            connection.close()
        else:
            self._connections[address] = connection
        return answer
