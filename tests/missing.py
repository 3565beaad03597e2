"""Whether what was accepted can be read, each event as its POST answered it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from tests.stack import Stack


def missing(stack: Stack, tenant: str, accepted: dict[str, bytes]) -> Iterator[str]:
    """Ids whose GET does not answer what their POST answered; eight are asked for at once."""
    with stack.client(tenant) as client, ThreadPoolExecutor(8) as threads:
        answers = threads.map(client.get, (f"/api/v1/events/{each}" for each in accepted))
        for (event_id, body), answer in zip(accepted.items(), answers, strict=True):
            if answer.content != body:
                yield event_id
