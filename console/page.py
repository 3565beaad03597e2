"""What a handler of a page has: the request, who asks, the API as they see it, and how to answer.

The URL is the state: the time range and the tenant are in every link that `link` makes.
"""

import json
import logging
import time
import zlib
from collections.abc import AsyncIterator
from datetime import UTC, tzinfo
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

from jinja2 import Environment
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from console.api import Api, Caller, Refused
from console.html import times
from console.html.times import Range
from console.live.tails import Tails
from console.parts import Parts, is_missing, unbroken
from console.session import Session
from console.settings import Console
from contracts.criteria import instant_ms, rfc_3339

log = logging.getLogger(__name__)

FORM_BYTES_MAX = 256 * 1024
FORM_FIELDS_MAX = 200
COMPRESSED_MIN = 1024
PATTERN_CHARACTERS_MAX = 2_000
"""Of a pattern that a link takes along."""
PATH_SAFE = "/:@!$&'()*+,;=~"
"""Of a path, as RFC 3986 has it; a second slash at its beginning would name another host."""
HTML = "text/html; charset=utf-8"
NO_STORE = {"Cache-Control": "no-store", "Vary": "Accept-Encoding, Cookie"}
"""What is on a page is the tenant's: no cache keeps it."""


class Site(NamedTuple):
    """What all pages of a process share."""

    settings: Console
    api: Api
    templates: Environment
    tails: Tails


class Page:
    """One request for a page by somebody who is signed in."""

    def __init__(self, request: Request, session: Session, site: Site) -> None:
        self.request = request
        self.session = session
        self.site = site
        self.at = "/" + quote(request.scope["path"].lstrip("/\\"), safe=PATH_SAFE)
        self.stands_for: str | None = None
        self.api: Caller = site.api.of(session)
        self.query = request.query_params
        self.range: Range = times.read_range(
            self.query.get("range"), self.query.get("from"), self.query.get("to")
        )
        self.zone: tzinfo = times.zone_of(request.cookies.get("zone"))

    @property
    def is_part(self) -> bool:
        """Whether a script asks for a part of a page, to put it into the page that is there."""
        return self.request.headers.get("x-part") == "1"

    def path(self, name: str) -> str:
        """A parameter of the request's path."""
        return str(self.request.path_params[name])

    def link(self, path: str, **query: object) -> str:
        """A link within the console that keeps tenant and time range; what is None or empty is left out."""
        kept = {"tenant": self.session.tenant}
        if not {"range", "from_", "to"} & query.keys():
            kept |= self.range.query
        given = {name.removesuffix("_"): value for name, value in query.items()}
        pairs = [
            (name, str(value)) for name, value in {**kept, **given}.items() if _is_given(value)
        ]
        return f"{path}?{urlencode(pairs)}" if pairs else path

    def here(self, **query: object) -> str:
        """This page's own link, with other parameters in place of those that are named."""
        given = {name.removesuffix("_"): value for name, value in query.items()}
        if {"range", "from", "to"} & given.keys():
            given = {"range": None, "from": None, "to": None} | given
        merged: dict[str, object] = {"tenant": self.session.tenant, **self.query, **given}
        pairs = [(name, str(value)) for name, value in merged.items() if _is_given(value)]
        return f"{self.at}?{urlencode(pairs)}" if pairs else self.at

    def is_under(self, path: str) -> bool:
        """Whether this page belongs to the part of the console that begins at `path`."""
        return self.at == path or (path != "/" and self.at.startswith(f"{path}/"))

    def input_time(self, time_ms: int) -> str:
        """A moment as `<input type=datetime-local>` has it: UTC, which a script makes local."""
        return times.shown(time_ms, UTC, "second").replace(" ", "T")

    def close_link(self) -> str:
        """The list without the event that is open beside it."""
        if self.at == "/search":
            return self.here(event=None)
        return self.link("/search")

    def time_of(self, text: str) -> Markup:
        """A moment of the API, RFC 3339, as `time` shows it."""
        return self.time(instant_ms(text))

    def time(self, time_ms: int, form: str = "full") -> Markup:
        """A moment in the viewer's zone, in UTC when it is pointed at."""
        utc = times.shown(time_ms, UTC) + " UTC"
        return Markup('<time datetime="{}" title="{}" data-form="{}">{}</time>').format(
            rfc_3339(time_ms), utc, form, times.shown(time_ms, self.zone, form)
        )

    def since(self, time_ms: int) -> Markup:
        """How long ago a moment was, the moment when it is pointed at."""
        utc = times.shown(time_ms, UTC) + " UTC"
        return Markup('<time datetime="{}" title="{}" data-form="ago">{}</time>').format(
            rfc_3339(time_ms), utc, times.ago(time_ms)
        )

    def text(self, template: str, **context: Any) -> str:
        """A template filled in; it sees this page as `page`."""
        return self.site.templates.get_template(template).render(page=self, **context)

    def render(self, template: str, status: int = 200, **context: Any) -> Response:
        """A page, compressed."""
        return self.html(self.text(template, **context), status)

    def html(self, text: str, status: int = 200) -> Response:
        """HTML, compressed."""
        content, headers = text.encode(), dict(NO_STORE)
        if len(content) >= COMPRESSED_MIN and self._takes_gzip():
            content = _compressed(content)
            headers["Content-Encoding"] = "gzip"
        return Response(content, status, headers, HTML)

    def json(self, value: object) -> Response:
        """JSON for a script."""
        return Response(json.dumps(value), 200, NO_STORE, "application/json")

    def file(self, content: bytes, name: str) -> Response:
        """Bytes from outside, for the reader's disk: no browser shows or runs them."""
        headers = NO_STORE | {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(content, 200, headers, "application/octet-stream")

    is_missing = staticmethod(is_missing)

    async def parts(self) -> Parts:
        """For what this page asks for, each question within the time of one of the API's answers.

        Raises `NotSignedIn`: once a page has begun it leads nobody to the sign-in.
        """
        await self.session.access_token()
        return Parts(self.site.settings.api_timeout_s)

    def stream(self, pieces: AsyncIterator[str], parts: Parts, status: int = 200) -> Response:
        """A page whose pieces are sent as they come; `parts` end with it."""
        told = self._told(pieces, parts)
        headers = dict(NO_STORE)
        if self._takes_gzip():
            headers["Content-Encoding"] = "gzip"
            return StreamingResponse(_flushed(told), status, headers, HTML)
        return StreamingResponse(told, status, headers, HTML)

    async def _told(self, pieces: AsyncIterator[str], parts: Parts) -> AsyncIterator[str]:
        try:
            async for piece in unbroken(pieces):
                if piece:
                    yield piece
        finally:
            parts.end()

    def see(self, path: str, **query: object) -> Response:
        """To another page of the console, after a form was sent (RFC 9110 section 15.4.4)."""
        return RedirectResponse(self.link(path, **query), 303, NO_STORE)

    async def form(self) -> dict[str, str]:
        """The fields of a form; that it is the session's was seen before. Raises `Refused` 400, 413."""
        body = b""
        async for part in self.request.stream():
            body += part
            if len(body) > FORM_BYTES_MAX:
                raise _wrong_form(413, f"The form has more than {FORM_BYTES_MAX:,} bytes.")
        try:
            pairs = parse_qsl(
                body.decode(), True, bool(body), errors="strict", max_num_fields=FORM_FIELDS_MAX
            )
        except ValueError:
            raise _wrong_form(400, "This is not a form of the console.") from None
        return dict(pairs)

    @property
    def now_ms(self) -> int:
        """Ms since 1970."""
        return time.time_ns() // 1_000_000

    def _takes_gzip(self) -> bool:
        return "gzip" in self.request.headers.get("accept-encoding", "")


def _is_given(value: object) -> bool:
    return value is not None and value != ""


def _wrong_form(status: int, detail: str) -> Refused:
    return Refused(status, {"title": "The form was not taken", "detail": detail})


def _gzip() -> "zlib._Compress":
    return zlib.compressobj(5, zlib.DEFLATED, 31)


def _compressed(content: bytes) -> bytes:
    packer = _gzip()
    return packer.compress(content) + packer.flush()


async def _flushed(parts: AsyncIterator[str]) -> AsyncIterator[bytes]:
    packer = _gzip()
    async for part in parts:
        yield packer.compress(part.encode()) + packer.flush(zlib.Z_SYNC_FLUSH)
    yield packer.flush()
