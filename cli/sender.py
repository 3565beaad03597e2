"""Sends one request, again while it may help: the API is away, busy or cannot say what became of it.

The request carries the same Idempotency-Key through all its tries, so its events count once however
often it is sent.
"""

import random
import threading
import time
from collections.abc import Callable, Generator, Mapping

import httpx

from cli.answers import TIMEOUT_S, why
from cli.endpoints import Endpoints

AGAIN = frozenset((429, 502, 503, 504))  # 502 and 504 come from a proxy whose edge is away
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 5.0
RETRY_AFTER_S_MAX = 30.0


class GaveUp(Exception):
    """The last try's reason, when `retry_for_s` have passed or the command was interrupted."""


class Sender:
    """Posts as `tenant`, from any thread; `retried` is told the reason of every try that is repeated."""

    def __init__(
        self, where: Endpoints, tenant: str, retry_for_s: float, retried: Callable[[str], None]
    ) -> None:
        self._api = where.api
        self._retry_for_s = retry_for_s
        self._retried = retried
        self._stopped = threading.Event()
        self._client = httpx.Client(
            auth=TenantToken(where, tenant), headers={"X-TWC-Tenant": tenant}, timeout=TIMEOUT_S
        )

    def __enter__(self) -> "Sender":
        return self

    def __exit__(self, *error: object) -> None:
        self._client.close()

    def stop(self) -> None:
        """Repeat nothing any more: every `send` ends with what it is waiting for."""
        self._stopped.set()

    def send(
        self,
        path: str,
        headers: Mapping[str, str],
        body: Callable[[], bytes],
        take: Callable[[httpx.Response], str],
    ) -> httpx.Response:
        """The first answer for which `take` names no reason to send `body()` again. Raises `GaveUp`."""
        url = f"{self._api}{path}"
        give_up = time.monotonic() + self._retry_for_s
        pause_s = FIRST_PAUSE_S
        while True:
            least_s = 0.0
            try:
                answer = self._client.post(url, content=body(), headers=headers)
                reason = take(answer).rstrip(".")
                if not reason:
                    return answer
                least_s = _retry_after_s(answer)
            except httpx.TransportError as error:
                reason = f"no answer from {url} ({type(error).__name__})"
            wait_s = max(least_s, pause_s * random.uniform(0.5, 1))  # noqa: S311 - spreads load
            if time.monotonic() + wait_s > give_up:
                raise GaveUp(reason)
            self._retried(reason)
            if self._stopped.wait(wait_s):
                raise GaveUp(f"interrupted after {reason}")
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


class TenantToken(httpx.Auth):
    """The tenant's access token on every request; a new one when the API takes it no longer (401)."""

    requires_response_body = True

    def __init__(self, where: Endpoints, tenant: str) -> None:
        self._token = where.token(tenant)
        self._renewal = where.token_request(tenant)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send `request`, after a 401 once more; when the issuer refuses, its answer is the last."""
        sent = self._token
        request.headers["Authorization"] = f"Bearer {sent}"
        answer = yield request
        if answer.status_code != httpx.codes.UNAUTHORIZED:
            return
        if self._token == sent:  # no other thread has renewed it meanwhile
            granted = yield self._renewal
            if granted.status_code != httpx.codes.OK:
                return
            self._token = str(granted.json()["access_token"])
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


def busy(answer: httpx.Response) -> str:
    """Why a request may fare better later, "" when the answer is final."""
    return why(answer) if answer.status_code in AGAIN else ""


def _retry_after_s(answer: httpx.Response) -> float:
    """The header's seconds, within reason; its other form, a date, is not waited for."""
    text = answer.headers.get("Retry-After", "")
    return min(float(text), RETRY_AFTER_S_MAX) if text.isascii() and text.isdigit() else 0.0
