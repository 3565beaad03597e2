"""A client's first connection, which aiokafka leaves open when it is cancelled.

`AIOKafkaClient.bootstrap` asks each server in turn for the cluster and closes the connection when that
fails, but not when whoever waits has given up, as at a deadline; nor does `stop`. A server that takes
connections and says nothing would collect one for each attempt.

Put in place of a method for which aiokafka has no setting; its version is pinned.
"""

from contextvars import ContextVar
from typing import Any

from aiokafka import client
from aiokafka.client import AIOKafkaClient

_bootstrap = AIOKafkaClient.bootstrap
_create_conn = client.create_conn
_last: ContextVar[list[Any]] = ContextVar("last")
"""The connection that a start has opened last. Tasks that it leaves behind have it too: one, not a list."""


def close_when_cancelled() -> None:
    """Have every client of this process close the connection of a start that ends without success."""
    AIOKafkaClient.bootstrap = _bootstrap_or_close
    client.create_conn = _create_and_note


async def _bootstrap_or_close(self: Any) -> None:
    last: list[Any] = []
    before = _last.set(last)
    try:
        await _bootstrap(self)
    except BaseException:  # a cancellation too
        for connection in last:  # those before have been closed: one server is asked at a time
            connection.close()
        raise
    finally:
        _last.reset(before)
        last.clear()


async def _create_and_note(*arguments: Any, **options: Any) -> Any:
    connection = await _create_conn(*arguments, **options)
    _last.get([])[:] = [connection]
    return connection
