"""Credentials of AWS's standard chain, and Signature Version 4 of a request: one function signs.

Each minute a thread asks botocore whether the credentials are still the ones to use: it renews those of a
role before they end. The clock is that of the server once that says that ours is wrong.
"""

import asyncio
import datetime
import email.utils
import hashlib
import hmac
import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor
from functools import lru_cache
from typing import NamedTuple, Protocol

from botocore.auth import EMPTY_SHA256_HASH, SIGV4_TIMESTAMP, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from botocore.session import get_session

log = logging.getLogger(__name__)

LOOK_EVERY_S = 60.0
LOOK_TIMEOUT_S = 20.0
SKEW_MIN_S = 60.0
"""Less is no reason of a refusal: AWS forgives five minutes."""
ALGORITHM, SOME_TIME = "AWS4-HMAC-SHA256", "19700101T000000Z"
NO_CREDENTIALS = (BotoCoreError, ClientError, OSError, TimeoutError)
"""What `Signer.ready` raises."""


class CredentialSource(Protocol):
    """botocore's session, or a role that is assumed."""

    def get_credentials(self) -> Credentials | None:
        """What renews itself when it is asked for frozen ones; None where there is nothing."""


class Signer:
    """Signs for SQS. `threads` run what blocks; `session_of` makes what has the credentials."""

    def __init__(
        self, threads: Executor, session_of: Callable[[], CredentialSource] = get_session
    ) -> None:
        self._threads = threads
        self._session_of = session_of
        self._session: CredentialSource | None = None
        self._credentials: ReadOnlyCredentials | None = None
        self._looking: asyncio.Task[None] | None = None
        self._look_at_s = 0.0
        self._skew = datetime.timedelta()

    async def ready(self) -> None:
        """Have credentials. Raises `NO_CREDENTIALS` when there are none."""
        if self._credentials is not None and time.monotonic() < self._look_at_s:
            return
        if self._looking is None:
            self._looking = asyncio.create_task(self._look(), name="credentials")
        if self._credentials is None:
            async with asyncio.timeout(LOOK_TIMEOUT_S):
                await asyncio.shield(self._looking)

    def sign(self, region: str, url: str, headers: dict[str, str], body: bytes) -> dict[str, str]:
        """`headers` of a POST, and those that sign it. Raises `NoCredentialsError` before `ready`."""
        if self._credentials is None:
            raise NoCredentialsError
        return signed(
            self._credentials,
            region,
            url,
            headers,
            body,
            datetime.datetime.now(datetime.UTC) + self._skew,
        )

    def forget(self) -> None:
        """The server says that the credentials have ended: read them anew."""
        self._credentials = self._session = None

    def learn_time(self, date: str) -> bool:
        """Take the time of the server from its header Date; whether ours was wrong."""
        try:
            theirs = email.utils.parsedate_to_datetime(date)
        except ValueError:
            return False
        theirs = theirs.replace(tzinfo=theirs.tzinfo or datetime.UTC)
        skew = theirs - datetime.datetime.now(datetime.UTC)
        if abs((skew - self._skew).total_seconds()) < SKEW_MIN_S:
            return False
        log.warning("the clock here is %d s behind that of SQS", skew.total_seconds())
        self._skew = skew
        return True

    async def _look(self) -> None:
        try:
            running = asyncio.get_running_loop()
            self._credentials = await running.run_in_executor(self._threads, self._frozen)
            self._look_at_s = time.monotonic() + LOOK_EVERY_S
        except NO_CREDENTIALS as error:
            if self._credentials is None:
                raise
            self._look_at_s = time.monotonic() + LOOK_EVERY_S
            log.warning("the credentials are not renewed: %s", error)
        finally:
            self._looking = None

    def _frozen(self) -> ReadOnlyCredentials:
        session = self._session = self._session or self._session_of()
        found = session.get_credentials()
        if found is None:
            raise NoCredentialsError
        return found.get_frozen_credentials()


def signed(
    credentials: ReadOnlyCredentials,
    region: str,
    url: str,
    headers: dict[str, str],
    body: bytes,
    now: datetime.datetime,
) -> dict[str, str]:
    """`headers` of a POST to SQS at `now`, UTC, and those that sign it.

    botocore says what is signed, once for a URL; its hashing of a request takes three times as long.
    """
    timestamp = now.strftime(SIGV4_TIMESTAMP)
    form = _form(credentials, region, url, tuple(headers.items()))
    request = f"{form.before}{timestamp}{form.behind}{hashlib.sha256(body).hexdigest()}"
    scope = f"{timestamp[:8]}/{region}/sqs/aws4_request"
    text = f"{ALGORITHM}\n{timestamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = _signing_key(credentials.secret_key, timestamp[:8], region)
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    made = {
        **headers,
        "X-Amz-Date": timestamp,
        "Authorization": (
            f"{ALGORITHM} Credential={credentials.access_key}/{scope}, "
            f"SignedHeaders={form.signed_headers}, Signature={signature}"
        ),
    }
    if credentials.token:
        made["X-Amz-Security-Token"] = credentials.token
    return made


class _Form(NamedTuple):
    """A canonical request without its time and its body: what stands `before` and `behind` the time."""

    before: str
    behind: str
    signed_headers: str


@lru_cache(maxsize=64)
def _form(
    credentials: ReadOnlyCredentials, region: str, url: str, headers: tuple[tuple[str, str], ...]
) -> _Form:
    """As botocore writes it."""
    request = AWSRequest("POST", url, {**dict(headers), "X-Amz-Date": SOME_TIME}, b"")
    if credentials.token:
        request.headers["X-Amz-Security-Token"] = credentials.token
    auth = SigV4Auth(credentials, "sqs", region)
    before, behind = auth.canonical_request(request).split(SOME_TIME)
    names = auth.signed_headers(auth.headers_to_sign(request))
    return _Form(before, behind.removesuffix(EMPTY_SHA256_HASH), names)


@lru_cache(maxsize=64)
def _signing_key(secret: str, day: str, region: str) -> bytes:
    """Signature Version 4, "Create a signed AWS API request", step 3: of a day."""
    key = f"AWS4{secret}".encode()
    for part in (day, region, "sqs", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
