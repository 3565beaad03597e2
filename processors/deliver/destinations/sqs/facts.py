"""Facts about queues: where a queue is called and how large its messages may be.

Asked with botocore in a thread, kept for some minutes, and asked anew when the queue is said to be gone.
"""

import asyncio
import contextlib
import functools
import logging
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointProviderError,
    InvalidRegionError,
    NoCredentialsError,
    UnknownRegionError,
)
from botocore.utils import get_environ_proxies

from contracts.deliveries import SQS_BATCH_BYTES_MAX
from contracts.destinations import SqsDestination
from processors.deliver.destinations.sqs.codes import Refusal, canonical, meaning
from service.aws.roles import DENIED, Role, Roles, says

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

log = logging.getLogger(__name__)

KEPT_S = 300.0
AGAIN_S = 30.0
"""When they could not be learnt anew."""
ASK_TIMEOUT_S = 20.0
"""Its deadlines are of one read each, and threads are few."""
BYTES_OF_OLD = 262_144
"""The most that a message, and a batch, had before August 2025: what holds where we may not ask."""
Asked = tuple[str, Role | None]
"""A queue by its ARN, and as whom: what one tenant's role is told is no other's."""
NOWHERE = (InvalidRegionError, UnknownRegionError, EndpointProviderError)
"""There is no endpoint for the queue's region."""


class Facts(NamedTuple):
    """`endpoint` is called through `proxy`, if any; `bytes_max` is MaximumMessageSize."""

    endpoint: str
    proxy: str | None
    url: str
    bytes_max: int

    @property
    def batch_bytes_max(self) -> int:
        """Of messages together: never more than held for this queue at any time."""
        return max(self.bytes_max, BYTES_OF_OLD)


class Unavailable(Exception):
    """A queue of which nothing can be learnt; `refusal` says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.code}: {refusal.message}")
        self.refusal = refusal


class QueueFacts:
    """Learns and keeps. `threads` run the calls."""

    def __init__(self, threads: Executor, roles: Roles) -> None:
        self._roles = roles
        self._threads = threads
        self._lock = threading.Lock()
        self._clients: dict[str, SQSClient] = {}
        self._known: dict[Asked, tuple[float, Facts]] = {}
        self._asking: dict[Asked, asyncio.Future[Facts]] = {}

    async def of(self, destination: SqsDestination, role: Role | None = None) -> Facts:
        """What is known, or learnt now, as the `role` where there is one. Raises `Unavailable`.

        What is known for long is learnt anew meanwhile: nobody waits for what is seldom another.
        """
        until_s, facts = self._known.get((destination.arn, role), (0.0, None))
        if facts is None:
            return await self._ask(destination, role)
        if time.monotonic() >= until_s:
            self._asked(destination, role)
        return facts

    def forget(self, destination: SqsDestination, role: Role | None = None) -> None:
        """The queue is said to be gone: it may have been made anew."""
        self._known.pop((destination.arn, role), None)

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            client.close()

    async def _ask(self, destination: SqsDestination, role: Role | None) -> Facts:
        try:
            async with asyncio.timeout(ASK_TIMEOUT_S):
                return await asyncio.shield(self._asked(destination, role))
        except TimeoutError as error:
            refusal = Refusal("again", "NoAnswer", f"nothing is known within {ASK_TIMEOUT_S:g} s")
            raise Unavailable(refusal) from error

    def _asked(self, destination: SqsDestination, role: Role | None) -> "asyncio.Future[Facts]":
        """One look for all who ask at once."""
        asked = destination.arn, role
        asking = self._asking.get(asked)
        if asking is None:
            running = asyncio.get_running_loop()
            asking = running.run_in_executor(self._threads, self._learn, destination, role)
            self._asking[asked] = asking
            asking.add_done_callback(functools.partial(self._answered, asked))
        return asking

    def _answered(self, asked: Asked, asking: "asyncio.Future[Facts]") -> None:
        del self._asking[asked]
        if asking.cancelled():
            return
        error = asking.exception()
        known = self._known.get(asked)
        if error is None:
            # those that were learnt together do not end together
            kept_s = KEPT_S * random.uniform(0.5, 1)  # noqa: S311
            self._known[asked] = time.monotonic() + kept_s, asking.result()
        elif isinstance(error, Unavailable) and error.refusal.verdict != "again":
            self._known.pop(asked, None)
        elif known is not None:  # old, and better than nothing
            self._known[asked] = time.monotonic() + AGAIN_S, known[1]

    def _learn(self, destination: SqsDestination, role: Role | None) -> Facts:
        try:
            with self._client(destination.region, role) as client:
                found = client.get_queue_url(
                    QueueName=destination.queue, QueueOwnerAWSAccountId=destination.account
                )
                url, endpoint = found["QueueUrl"], client.meta.endpoint_url
                bytes_max = _bytes_max(client, url)
        except ClientError as error:
            raise Unavailable(refusal_in(error)) from error
        except NOWHERE as error:
            raise Unavailable(Refusal("not_now", "NoEndpoint", str(error))) from error
        except ValueError as error:  # of the settings, not of the queue
            raise Unavailable(Refusal("not_now", "InvalidEndpoint", str(error))) from error
        except NoCredentialsError as error:
            raise Unavailable(Refusal("not_now", "NoCredentials", str(error))) from error
        except BotoCoreError as error:
            raise Unavailable(Refusal("again", "NoAnswer", str(error))) from error
        proxy = get_environ_proxies(endpoint).get(urlsplit(endpoint).scheme)
        if proxy and "://" not in proxy:  # as botocore reads it
            proxy = f"http://{proxy}"
        return Facts(endpoint.rstrip("/") + "/", proxy, url, bytes_max)

    @contextlib.contextmanager
    def _client(self, region: str, role: Role | None) -> Iterator["SQSClient"]:
        """Ours is kept; one of a role is for this once, since its credentials end."""
        if role is not None:
            try:
                client = self._roles.sqs(region, role)
            except ClientError as error:
                raise Unavailable(role_refusal(error)) from error
            with contextlib.closing(client):
                yield client
            return
        with self._lock:
            if region not in self._clients:
                self._clients[region] = self._roles.sqs(region, None)
            client = self._clients[region]
        yield client


def _bytes_max(client: "SQSClient", url: str) -> int:
    try:
        answer = client.get_queue_attributes(QueueUrl=url, AttributeNames=["MaximumMessageSize"])
    except ClientError as error:
        if refusal_in(error).code not in ("AccessDenied", "AccessDeniedException"):
            raise
        log.warning(
            "%s: sqs:GetQueueAttributes is not allowed, so larger events go as claim checks", url
        )
        return BYTES_OF_OLD
    told = answer.get("Attributes", {}).get("MaximumMessageSize")
    return min(int(told), SQS_BATCH_BYTES_MAX) if told else BYTES_OF_OLD


def role_refusal(error: ClientError) -> Refusal:
    """What STS says of a role, by its code alone: its sentence names who we are."""
    code = says(error)
    verdict = refusal_in(error).verdict
    return Refusal(verdict, "RoleDenied" if code in DENIED else code, f"AssumeRole: {code}")


def refusal_in(error: ClientError) -> Refusal:
    """What botocore's error says of the queue."""
    told = error.response.get("Error", {})
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400))
    code = canonical(str(told.get("Code", ""))) or f"HTTP {status}"
    verdict = meaning(status, code)  # no message is to blame for it
    return Refusal("again" if verdict == "again" else "not_now", code, str(told.get("Message", "")))
