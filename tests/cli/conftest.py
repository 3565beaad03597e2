"""A home folder with a real issuer, and an API of the tests' own that verifies its tokens."""

import asyncio
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from typer.testing import CliRunner, Result

from cli.main import app
from contracts.encoding.parse import read_json
from contracts.problems import CONTENT_TYPE, Problem
from query.criteria import parse_search, read_pairs
from service.access.keys import SigningKeys
from service.access.verifier import Verifier
from service.connections import Access
from service.http.request_bodies import decoder
from tests.processes import free_port, running_module, served

UNUSED = "http://127.0.0.1:9"  # the discard port: nobody answers


@dataclass
class Posted:
    """One event as the API saw it; the key of one in a batch ends with its position."""

    event: dict[str, Any]
    key: str
    tenant: str


@dataclass
class Api:
    """POST, single and in batches, GET and DELETE of events with real token checks; a search finds all.

    `answers` may answer for an event instead, `answers_whole` for the batch of a key; `barrier`
    holds answers until so many requests are under way. `requests` are the keys as they came.
    """

    verifier: Verifier
    url: str = ""
    answers: Callable[[Posted], Response | None] = lambda posted: None
    answers_whole: Callable[[str], Response | None] = lambda key: None
    requests: list[str] = field(default_factory=list)
    posts: list[Posted] = field(default_factory=list)
    stored: dict[str, bytes] = field(default_factory=dict)
    barrier: asyncio.Barrier = field(default_factory=lambda: asyncio.Barrier(1))
    under_way: int = 0
    under_way_max: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.under_way += 1
        self.under_way_max = max(self.under_way, self.under_way_max)
        try:
            response = await self._answer(Request(scope, receive))
        except Problem as problem:
            response = Response(problem.body(), problem.status, media_type=CONTENT_TYPE)
        finally:
            self.under_way -= 1
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        tenant = await self.verifier.tenant(dict(request.scope["headers"]))
        if request.method in ("GET", "DELETE"):
            event_id = request.url.path.rpartition("/")[2]
            if request.url.path == "/api/v1/events":
                parse_search(read_pairs(request.scope["query_string"]))
                page = b'{"events":[%b],"next":null}' % b",".join(self.stored.values())
                return Response(page, media_type="application/json")
            found = self.stored.get(event_id)
            if found is None:
                raise Problem(404, "There is no such event.")
            if request.method == "DELETE":
                del self.stored[event_id]
                return Response(status_code=204)
            return Response(found, media_type="application/json")
        key, body = request.headers["idempotency-key"], await request.body()
        self.requests.append(key)
        async with asyncio.timeout(60):
            await self.barrier.wait()
        if request.url.path.endswith(":batch"):
            assert request.headers["content-type"] == "application/x-ndjson"
            encoding = request.headers["content-encoding"].encode()
            decoding = decoder(encoding, 16 * 1024 * 1024)
            return self._batch(b"".join(decoding.feed(body)), key, tenant)
        assert request.headers["content-type"] == "application/json"
        return self._one(Posted(json.loads(body), key, tenant))

    def _one(self, posted: Posted) -> Response:
        self.posts.append(posted)
        return self.answers(posted) or self._store(posted)

    def _batch(self, body: bytes, key: str, tenant: str) -> Response:
        """An entry for each line, as ingest/batch.py answers."""
        if (whole := self.answers_whole(key)) is not None:
            return whole
        entries: list[dict[str, Any]] = []
        for index, line in enumerate(body.split(b"\n")):
            if line == b"null":
                entries.append(
                    {"status": 405, "problem": {"detail": "The body must be an object."}}
                )
                continue
            try:
                event = read_json(line)
            except Problem as problem:
                entries.append({"status": problem.status, "problem": problem.document()})
                continue
            answer = self._one(Posted(event, f"{key}#{index}", tenant))
            document = json.loads(bytes(answer.body))
            if answer.status_code == 201:
                entries.append({"status": 201, "id": document["id"]})
                continue
            for error in document.get("errors", []):
                error["pointer"] = f"/{index}{error['pointer']}"
            entries.append({"status": answer.status_code, "problem": document})
        statuses = {entry["status"] for entry in entries}
        whole_status = 207 if 201 in statuses else 503 if 503 in statuses else 405
        status = 201 if statuses == {201} else whole_status
        return Response(json.dumps({"items": entries}), status, media_type="application/json")

    def _store(self, posted: Posted) -> Response:
        made = str(uuid.uuid5(uuid.NAMESPACE_URL, posted.key))
        body = json.dumps(posted.event | {"id": made}, ensure_ascii=False).encode()
        self.stored[made] = body
        return Response(body, 201, media_type="application/json")


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A home folder and the URL of the issuer whose folder lies in it."""
    home, port = tmp_path_factory.mktemp("home"), free_port()
    url = f"http://127.0.0.1:{port}"
    arguments = ("--path", str(home / "issuer"), "--port", str(port))
    with running_module("local.issuer", *arguments, ready=f"{url}/healthz"):
        yield home, url


@pytest.fixture
def api(issuer: tuple[Path, str]) -> Iterator[Api]:
    access = Access(issuer=issuer[1], jwks_url=f"{issuer[1]}/jwks")
    api = Api(Verifier(access, SigningKeys(access)))
    with served(api) as api.url:
        yield api


@dataclass
class Events:
    """Runs the `events` command on one home folder."""

    home: Path
    endpoints: dict[str, str]

    def point(self, **endpoints: str) -> None:
        """Write a state file that names these servers."""
        self.endpoints |= endpoints
        (self.home / "state.json").write_text(json.dumps({"endpoints": self.endpoints}))

    def __call__(self, command: str, *arguments: str, stdin: str | None = None) -> Result:
        argv = [command, *arguments, "--home", str(self.home)]
        return CliRunner().invoke(app, argv, input=stdin)


@pytest.fixture
def events(issuer: tuple[Path, str], api: Api) -> Iterator[Events]:
    home, url = issuer
    command = Events(home, dict.fromkeys(("api", "clickhouse", "sqs", "kafka"), UNUSED))
    command.point(api=api.url, issuer=url)
    yield command
    (home / "state.json").unlink()


def an_event(**fields: Any) -> dict[str, Any]:
    """An event as a client writes it."""
    payload = {"key_attributes": {"referenceId": "Ä-1"}, "operation": "CREATE"}
    return {
        "entity_id": "7",
        "event_payload": payload,
        "event_source": "ORDER",
        "event_type": "FAULT",
    } | fields
