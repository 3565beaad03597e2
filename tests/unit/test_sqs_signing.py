"""Signatures are botocore's own; credentials are looked for once, and kept while nobody renews them."""

import asyncio
import datetime
import email.utils
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import CredentialRetrievalError, NoCredentialsError

from processors.deliver.destinations.sqs import signing
from processors.deliver.destinations.sqs.signing import Signer, signed
from processors.deliver.destinations.sqs.wire import HEADERS

NOW = datetime.datetime(2026, 11, 26, 9, 8, 7, tzinfo=datetime.UTC)
URL = "https://sqs.eu-west-1.amazonaws.com/"


class Source:
    """botocore's session and its credentials, which count how often they are asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.key: str | None = "one"
        self.error: Exception | None = None

    def get_credentials(self) -> "Source | None":
        return None if self.key is None else self

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return ReadOnlyCredentials(self.key, "secret", None)


def a_signer(source: Source) -> Signer:
    session: Any = source
    return Signer(ThreadPoolExecutor(1), lambda: session)


def key_of(signer: Signer) -> str:
    authorization = signer.sign("eu-west-1", URL, HEADERS, b"{}")["Authorization"]
    return authorization.partition("Credential=")[2].partition("/")[0]


@pytest.mark.parametrize("token", [None, "a token"])
@pytest.mark.parametrize(
    "url", [URL, "http://127.0.0.1:9324/", "https://sqs.example:443/a path/~%20/", "http://h:80/"]
)
@pytest.mark.parametrize("body", [b'{"a":1}', b"", "ü".encode() * 100_000])
def test_a_signature_is_what_botocore_makes(
    monkeypatch: pytest.MonkeyPatch, token: str | None, url: str, body: bytes
) -> None:
    for number in range(3):  # the first of a URL is made apart
        now = NOW + datetime.timedelta(hours=20 * number)
        told = now.replace(tzinfo=None)
        monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda told=told: told)
        keys = ReadOnlyCredentials("key", f"secret {number // 2}", token)
        theirs = AWSRequest("POST", url, HEADERS, body)
        SigV4Auth(keys, "sqs", "eu-west-1").add_auth(theirs)
        assert signed(keys, "eu-west-1", url, HEADERS, body, now) == dict(theirs.headers.items())


async def test_who_wait_for_credentials_wait_for_one_look() -> None:
    source = Source()
    signer = a_signer(source)
    await asyncio.gather(*(signer.ready() for _ in range(10)))
    await signer.ready()
    assert source.asked == 1
    assert key_of(signer) == "one"


async def test_newer_credentials_are_taken_up_and_older_serve_until_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(signing, "LOOK_EVERY_S", 0.0)
    source = Source()
    signer = a_signer(source)
    await signer.ready()
    source.key, source.error = "two", CredentialRetrievalError(provider="p", error_msg="away")
    async with asyncio.timeout(60):
        while source.asked < 3:
            await signer.ready()  # does not wait, does not raise
            assert key_of(signer) == "one"
            await asyncio.sleep(0)
        source.error = None
        while key_of(signer) != "two":
            await signer.ready()
            await asyncio.sleep(0)


async def test_without_credentials_it_says_so_and_looks_again() -> None:
    source = Source()
    source.key = None
    signer = a_signer(source)
    with pytest.raises(NoCredentialsError):
        await signer.ready()
    with pytest.raises(NoCredentialsError):
        signer.sign("eu-west-1", URL, HEADERS, b"")
    source.key = "one"
    await signer.ready()
    assert key_of(signer) == "one"


@pytest.mark.parametrize(
    ("behind_s", "zone", "learns"),
    [(3600, "GMT", True), (-3600, "GMT", True), (3600, "-0000", True), (5, "GMT", False)],
)
def test_the_time_is_the_servers_when_ours_is_wrong(behind_s: int, zone: str, learns: bool) -> None:
    signer = a_signer(Source())
    now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=behind_s)
    date = email.utils.format_datetime(now, usegmt=True).replace("GMT", zone)
    assert signer.learn_time(date) is learns
    assert signer.learn_time(date) is False  # known by now


@pytest.mark.parametrize("date", ["", "yesterday"])
def test_a_date_that_is_none_teaches_nothing(date: str) -> None:
    assert a_signer(Source()).learn_time(date) is False
