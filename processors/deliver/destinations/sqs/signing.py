"""Credentials of AWS's standard chain, and Signature Version 4 of a request: one function signs.

Each minute a thread asks botocore whether the credentials are still the ones to use: it renews those of a
role before they end. The clock is that of the server once that says that ours is wrong.
"""

import asyncio
import datetime
import email.utils
import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor

from botocore.auth import SIGV4_TIMESTAMP, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from botocore.session import Session, get_session

log = logging.getLogger(__name__)

LOOK_EVERY_S = 60.0
LOOK_TIMEOUT_S = 20.0
SKEW_MIN_S = 60.0
"""Less is no reason of a refusal: AWS forgives five minutes."""
NO_CREDENTIALS = (BotoCoreError, ClientError, OSError, TimeoutError)
"""What `Signer.ready` raises."""


class Signer:
    """Signs for SQS. `threads` run what blocks; `session_of` makes botocore's session."""

    def __init__(self, threads: Executor, session_of: Callable[[], Session] = get_session) -> None:
        self._threads = threads
        self._session_of = session_of
        self._session: Session | None = None
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
    """`headers` of a POST to SQS at `now`, UTC, and those that sign it."""
    timestamp = now.strftime(SIGV4_TIMESTAMP)
    request = AWSRequest("POST", url, {**headers, "X-Amz-Date": timestamp}, body)
    if credentials.token:
        request.headers["X-Amz-Security-Token"] = credentials.token
    request.context["timestamp"] = timestamp
    auth = SigV4Auth(credentials, "sqs", region)
    text = auth.string_to_sign(request, auth.canonical_request(request))
    request.headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={auth.scope(request)}, "
        f"SignedHeaders={auth.signed_headers(auth.headers_to_sign(request))}, "
        f"Signature={auth.signature(text, request)}"
    )
    return dict(request.headers.items())
