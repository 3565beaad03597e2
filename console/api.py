"""The public API as the console's one source: asked with the token of whoever looks, and a deadline.

What it refuses is `Refused`, to be shown as it is; when it does not answer that is `Unanswered`.
"""

import asyncio
import json
from typing import Any, NamedTuple
from urllib.parse import quote

import aiohttp

from console.session import Session
from console.settings import Console

ANSWER_BYTES_MAX = 256 * 1024 * 1024
"""Above a page of the largest events; what is larger is not read."""

Query = dict[str, str | int | None]


class Refused(Exception):
    """A problem document (RFC 9457) that the API answered."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.title = str(problem.get("title", "The API refused"))
        self.detail = str(problem.get("detail", f"It answered {status}."))
        self.errors: list[dict[str, Any]] = problem.get("errors") or []
        self.code = problem.get("code")
        super().__init__(self.detail)


class Unanswered(Exception):
    """The API did not answer, or not in time; the message says which."""


class Answered(NamedTuple):
    """The JSON of an answer, None for an empty one, and its ETag, None without one."""

    document: Any
    etag: str | None


class Api:
    """One pool of connections to the API, for all sessions of the process."""

    def __init__(self, settings: Console) -> None:
        self.url = settings.api_url.rstrip("/")
        self._settings = settings
        self._client: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Open the pool; no connection is made yet."""
        connector = aiohttp.TCPConnector(limit=self._settings.api_connections_max)
        timeout = aiohttp.ClientTimeout(total=self._settings.api_timeout_s, connect=5)
        self._client = aiohttp.ClientSession(
            connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
        )

    async def stop(self) -> None:
        """Close all connections."""
        if self._client is not None:
            await self._client.close()

    async def is_ready(self) -> bool:
        """Whether the API says that it is."""
        try:
            assert self._client is not None  # noqa: S101 # the lifespan has started it
            async with self._client.get(f"{self.url}/readyz") as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    def of(self, session: Session) -> "Caller":
        """The API as this session sees it."""
        return Caller(self, session)

    async def ask(
        self, method: str, path: str, headers: dict[str, str], query: Query, body: bytes | None
    ) -> "Answered":
        """What was answered to a request. Raises `Refused`, `Unanswered`."""
        assert self._client is not None  # noqa: S101 # the lifespan has started it
        given = {name: str(value) for name, value in query.items() if value is not None}
        try:
            async with self._client.request(
                method, self.url + path, params=given, headers=headers, data=body
            ) as answer:
                content = await _read(answer)
                if answer.status >= 400:
                    raise Refused(answer.status, _problem(content))
                document = json.loads(content) if content else None
                return Answered(document, answer.headers.get("ETag"))
        except TimeoutError:
            raise Unanswered("The API did not answer in time.") from None
        except aiohttp.ClientError as error:
            raise Unanswered(f"The API cannot be reached ({type(error).__name__}).") from error
        except ValueError as error:
            raise Unanswered("The API answered something that is not JSON.") from error


class Caller:
    """The API for one session: requests carry its token and its tenant."""

    def __init__(self, api: Api, session: Session) -> None:
        self._api = api
        self._session = session
        self.url = api.url

    async def get(self, path: str, **query: str | int | None) -> Any:
        """GET `path`; `from_` in `query` is written without its `_`."""
        return (await self._ask("GET", path, query, None)).document

    async def tagged(self, path: str) -> Answered:
        """GET `path`, with the ETag that a change of it names."""
        return await self._ask("GET", path, {}, None)

    async def post(self, path: str, body: object = None) -> Any:
        """POST `body` as JSON; bytes are JSON already."""
        return (await self._ask("POST", path, {}, body)).document

    async def patch(self, path: str, body: object, **query: str | int | None) -> Any:
        """PATCH with a JSON merge patch (RFC 7396)."""
        kind = {"Content-Type": "application/merge-patch+json"}
        return (await self._ask("PATCH", path, query, body, kind)).document

    async def send(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        """Any other method; of `headers` the name's `_` is a `-`."""
        return (await self._ask(method, path, {}, body, headers)).document

    async def _ask(
        self,
        method: str,
        path: str,
        query: Query,
        body: object,
        more: dict[str, str] | None = None,
    ) -> Answered:
        headers = {
            "Authorization": f"Bearer {await self._session.access_token()}",
            "X-TWC-Tenant": self._session.tenant,
            **{name.replace("_", "-"): text for name, text in (more or {}).items()},
        }
        content = None
        if body is not None:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        asked = {"from" if name == "from_" else name: value for name, value in query.items()}
        return await self._api.ask(method, path, headers, asked, content)


async def gather(*asked: Any) -> list[Any]:
    """The answers of several questions at once; a `Refused` or `Unanswered` in place of its answer."""
    found = await asyncio.gather(*asked, return_exceptions=True)
    for each in found:
        if isinstance(each, BaseException) and not isinstance(each, Refused | Unanswered):
            raise each
    return found


def path(template: str, **names: str) -> str:
    """A path of `contracts.paths` with its parameters filled in, percent-encoded."""
    return template.format(**{name: quote(text, safe="") for name, text in names.items()})


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    parts, size = [], 0
    async for part in answer.content.iter_any():
        size += len(part)
        if size > ANSWER_BYTES_MAX:
            raise Unanswered(f"The API's answer has more than {ANSWER_BYTES_MAX:,} bytes.")
        parts.append(part)
    return b"".join(parts)


def _problem(content: bytes) -> dict[str, Any]:
    try:
        problem = json.loads(content)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}
