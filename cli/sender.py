"""Sends one event, again while it may help: the edge is away, busy or cannot say what became of it.

Every event carries an Idempotency-Key of its own through all its tries, so it counts once however
often it is sent.
"""

import asyncio
import random
import time
import uuid
from collections.abc import Callable

import httpx

from cli.answers import why

AGAIN = frozenset((429, 502, 503, 504))  # 502 and 504 come from a proxy whose edge is away
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 5.0
RETRY_AFTER_S_MAX = 30.0


class GaveUp(Exception):
    """The last try's reason, when `retry_for_s` have passed."""


class Sender:
    """Posts events over `client`; `retried` is told the reason of every try that is repeated."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        api: str,
        retry_for_s: float,
        retried: Callable[[str], None],
    ) -> None:
        self._client = client
        self._url = f"{api}/api/v1/events"
        self._retry_for_s = retry_for_s
        self._retried = retried

    async def send(self, body: bytes) -> httpx.Response:
        """The answer, 201 or a refusal that no repetition changes. Raises `GaveUp`."""
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        give_up = time.monotonic() + self._retry_for_s
        pause_s = FIRST_PAUSE_S
        while True:
            least_s = 0.0
            try:
                answer = await self._client.post(self._url, content=body, headers=headers)
                if answer.status_code not in AGAIN:
                    return answer
                reason, least_s = why(answer).rstrip("."), _retry_after_s(answer)
            except httpx.TransportError as error:
                reason = f"no answer from {self._url} ({type(error).__name__})"
            wait_s = max(least_s, pause_s * random.uniform(0.5, 1))  # noqa: S311 - spreads load
            if time.monotonic() + wait_s > give_up:
                raise GaveUp(reason)
            self._retried(reason)
            await asyncio.sleep(wait_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def _retry_after_s(answer: httpx.Response) -> float:
    """The header's seconds, within reason; its other form, a date, is not waited for."""
    text = answer.headers.get("Retry-After", "")
    return min(float(text), RETRY_AFTER_S_MAX) if text.isascii() and text.isdigit() else 0.0
