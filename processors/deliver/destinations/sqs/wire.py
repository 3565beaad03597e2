"""One call of SQS over HTTP: AWS JSON 1.0, signed by botocore, sent by aiohttp within a deadline.

boto3 takes several times the CPU for the same bytes (bench/deliver.py). Nothing is sent twice, but for
what the server has refused for our clock or for credentials that have ended.
"""

import asyncio
import ssl
from collections.abc import Mapping
from concurrent.futures import Executor
from typing import NamedTuple

import aiohttp
from botocore.exceptions import ClientError, NoCredentialsError
from botocore.httpsession import get_cert_path
from botocore.session import get_session

from processors.deliver.destinations.sqs.codes import EXPIRED, SKEWED, Refusal, refusal_of
from processors.deliver.destinations.sqs.facts import Facts, role_refusal
from processors.deliver.destinations.sqs.signing import NO_CREDENTIALS, Signer
from service.aws.roles import Role, Roles
from service.connections import SqsConnection

HEADERS = {
    "Content-Type": "application/x-amz-json-1.0",
    "X-Amz-Target": "AmazonSQS.SendMessageBatch",
}
UNSAID = ("Accept", "Accept-Encoding", "User-Agent")
"""What aiohttp would add to each request."""
NO_ANSWER = (aiohttp.ClientError, OSError, TimeoutError, NoCredentialsError)
"""Of a call; the last when another call has found the credentials at their end meanwhile."""
ANSWER_BYTES_MAX = 64 * 1024
"""Ten outcomes take less than 10 KiB."""
SIGNERS_MAX = 10_000


class _Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    content: bytes


class Wire:
    """Sends; at most `calls_max` at once, over as many connections. `threads` run what blocks.

    What goes to a queue with a role is signed by that role alone.
    """

    def __init__(
        self, connection: SqsConnection, calls_max: int, threads: Executor, roles: Roles
    ) -> None:
        self._connection = connection
        self._calls_max = calls_max
        self._slots = asyncio.Semaphore(calls_max)
        self._threads = threads
        self._roles = roles
        self._own = Signer(threads)
        self._signers: dict[Role, Signer] = {}
        self._session: aiohttp.ClientSession | None = None

    async def send_batch(
        self, region: str, facts: Facts, body: bytes, role: Role | None = None
    ) -> bytes | Refusal:
        """SendMessageBatch: what an answer 200 holds, or what is said instead of one.

        Raises nothing of the network; no answer is a refusal, to be tried again.
        """
        async with self._slots:  # each has a deadline, so that the next has one too
            signer = self._own if role is None else self._signer_of(role)
            for is_last in (False, True):
                try:
                    await signer.ready()
                except NO_CREDENTIALS as error:
                    if role is not None and isinstance(error, ClientError):
                        return role_refusal(error)
                    return Refusal("not_now", "NoCredentials", str(error) or repr(error))
                try:
                    answer = await self._post(signer, region, facts, body)
                except NO_ANSWER as error:
                    return Refusal("again", "NoAnswer", repr(error))
                if answer.status == 200:
                    return answer.content
                refusal = refusal_of(*answer)
                if is_last or not _is_mended(signer, refusal.code, answer.headers):
                    break
            return refusal

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _signer_of(self, role: Role) -> Signer:
        """The role's; the oldest makes room, for a subscription may be deleted any time."""
        if (signer := self._signers.get(role)) is None:
            if len(self._signers) >= SIGNERS_MAX:
                self._signers.pop(next(iter(self._signers)))
            signer = self._signers[role] = Signer(self._threads, lambda: self._roles.source(role))
        return signer

    async def _post(self, signer: Signer, region: str, facts: Facts, body: bytes) -> _Answer:
        if self._session is None:
            self._session = self._connect()
        headers = signer.sign(region, facts.endpoint, HEADERS, body)
        async with self._session.post(
            facts.endpoint, data=body, headers=headers, proxy=facts.proxy, allow_redirects=False
        ) as answer:
            content = await answer.content.read(ANSWER_BYTES_MAX)
            while len(content) < ANSWER_BYTES_MAX and (more := await answer.content.readany()):
                content += more
            return _Answer(answer.status, answer.headers, content)

    def _connect(self) -> aiohttp.ClientSession:
        connect_s = self._connection.connect_timeout_s
        bundle = get_session().get_config_variable("ca_bundle") or get_cert_path(True)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._calls_max, ssl=ssl.create_default_context(cafile=bundle)
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=UNSAID,
            timeout=aiohttp.ClientTimeout(
                total=connect_s + self._connection.read_timeout_s, sock_connect=connect_s
            ),
        )


def _is_mended(signer: Signer, code: str, headers: Mapping[str, str]) -> bool:
    """Whether the call may go now: the clock, or the credentials, were what was wrong with it."""
    if code in EXPIRED:
        signer.forget()
        return True
    return code in SKEWED and signer.learn_time(headers.get("Date", ""))
