"""A connection to each broker that leads something, and the queues that wait while theirs is made.

No queue is held up by a broker that has lost it: whenever it is learned who leads what, those that wait
for another are given back, and a connection to a broker that is silent or has moved is closed, so
that its batches are sent again.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from aiokafka.errors import KafkaConnectionError

from service.kafka.broker import BrokerConnection
from service.kafka.cluster import NO_LEADER, Address, Cluster
from service.kafka.partition import PartitionQueue

SILENT_S = 1.0
"""A broker that has not answered for so long may have lost what it led."""


class _Opening(NamedTuple):
    """A connection that is being made, and who waits for it."""

    task: asyncio.Task[BrokerConnection]
    address: Address
    queues: list[PartitionQueue]


class Links:
    """Connections by broker. `due` gets the queues that can be sent, `failed` those that cannot yet."""

    def __init__(
        self,
        cluster: Cluster,
        due: Callable[..., None],
        failed: Callable[[list[PartitionQueue], BaseException, int], None],
    ) -> None:
        self._cluster = cluster
        self._give_back = due
        self._failed = failed
        self._addresses: dict[int, Address] = {}  # of the connections
        self._opening: dict[int, _Opening] = {}
        self._closed = False
        self.connections: dict[int, BrokerConnection] = {}

    @property
    def slow(self) -> bool:
        """Whether a broker is silent, or is being connected to."""
        silent = any(each.silent_s > SILENT_S for each in self.connections.values())
        return silent or bool(self._opening)

    def open(self, node: int, address: Address, queues: list[PartitionQueue]) -> None:
        """Give `queues` back when there is a connection to `node`."""
        if node in self._opening:
            self._opening[node].queues.extend(queues)
            return
        opening = BrokerConnection.open(*address, self._cluster.arguments)
        task = asyncio.create_task(opening, name=f"connect to broker {node}")
        self._opening[node] = _Opening(task, address, queues)
        task.add_done_callback(partial(self._opened, node))

    def _opened(self, node: int, task: asyncio.Task[BrokerConnection]) -> None:
        _, address, queues = self._opening.pop(node)
        if task.cancelled():
            self._give_back(*queues)
        elif (error := task.exception()) is not None:
            self._failed(queues, error, node)
        elif self._closed:
            task.result().close()
        else:
            self.connections[node], self._addresses[node] = task.result(), address
            self._give_back(*queues)

    def learned(self) -> None:
        """The cluster has told who leads what."""
        leader_of, brokers = self._cluster.leaders.get, self._cluster.brokers
        for node, connection in list(self.connections.items()):
            lost = connection.silent_s > SILENT_S and any(
                leader_of(partition, NO_LEADER) not in (node, NO_LEADER)
                for partition in connection.unanswered()
            )
            if lost or brokers.get(node) != self._addresses[node]:
                del self.connections[node]
                connection.close(KafkaConnectionError("it has moved, or does not lead any longer"))
        for node, opening in list(self._opening.items()):
            elsewhere = [queue for queue in opening.queues if leader_of(queue.partition) != node]
            opening.queues[:] = [queue for queue in opening.queues if queue not in elsewhere]
            if elsewhere:
                self._give_back(*elsewhere)
            if not opening.queues or brokers.get(node) != opening.address:
                opening.task.cancel()

    async def close(self) -> None:
        """Disconnect; what has no answer fails."""
        self._closed = True
        closing: list[asyncio.Future[Any]] = [each.task for each in self._opening.values()]
        for task in closing:
            task.cancel()
        for connection in self.connections.values():
            connection.close()
            closing.append(connection.closed)
        if closing:
            await asyncio.wait(closing)
