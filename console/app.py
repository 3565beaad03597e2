"""The console's table of contents: its pages, what stands around them, and when it is ready."""

import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from console.access.guard import Guard
from console.access.rules import require
from console.access.sign_in import SignIn
from console.access.wiring import parts_of
from console.api import Api, Refused, Unanswered
from console.headers import SecurityHeaders
from console.html.assets import Assets
from console.html.environment import environment
from console.live.tails import Tails
from console.page import Page, Site
from console.pages import affected, counted, errors, event, faults, overview, search, tail
from console.pages.subscriptions import deliveries, form, jobs, listed, one, resend
from console.session import NotSignedIn, SignedIn, nobody
from console.settings import ConsoleSettings
from service.http.app import Front, lifespan_of
from service.logs import configure

log = logging.getLogger(__name__)

Handler = Callable[[Page], Awaitable[Response]]
PAGES: list[tuple[str, str, Handler]] = [
    ("GET", "/", overview.overview),
    ("GET", "/faults", faults.groups),
    ("GET", "/faults/{fingerprint}", faults.group),
    ("POST", "/faults/{fingerprint}", faults.say),
    ("GET", "/faults/{fingerprint}/entities", affected.entities),
    ("GET", "/search", search.search),
    ("GET", "/search/tail", tail.tail),
    ("GET", "/search/values", counted.values),
    ("GET", "/events/{id}", event.event),
    ("GET", "/events/{id}/{part}", event.download),
    ("GET", "/subscriptions", listed.listed),
    ("GET", "/subscriptions/new", form.new),
    ("POST", "/subscriptions/new", form.create),
    ("POST", "/subscriptions/test", form.back_test),
    ("GET", "/subscriptions/test", form.again),
    ("GET", "/subscriptions/{id}", one.one),
    ("GET", "/subscriptions/{id}/edit", form.edit),
    ("POST", "/subscriptions/{id}/edit", form.replace),
    ("GET", "/subscriptions/{id}/check", one.again),
    ("POST", "/subscriptions/{id}/check", one.check),
    ("GET", "/subscriptions/{id}/confirm", one.again),
    ("POST", "/subscriptions/{id}/confirm", one.confirm),
    ("GET", "/subscriptions/{id}/disable", one.again),
    ("POST", "/subscriptions/{id}/disable", one.disable),
    ("GET", "/subscriptions/{id}/enable", one.again),
    ("POST", "/subscriptions/{id}/enable", one.enable),
    ("GET", "/subscriptions/{id}/delete", one.again),
    ("POST", "/subscriptions/{id}/delete", one.delete),
    ("GET", "/subscriptions/{id}/deliveries", deliveries.deliveries),
    ("GET", "/subscriptions/{id}/redrive", resend.redrive),
    ("POST", "/subscriptions/{id}/redrive", resend.begin_redrive),
    ("GET", "/subscriptions/{id}/replay", resend.replay),
    ("POST", "/subscriptions/{id}/replay", resend.begin_replay),
    ("GET", "/jobs", jobs.jobs),
    ("GET", "/jobs/{id}", jobs.job),
    ("POST", "/jobs/{id}", jobs.change),
]
"""Method, path, handler. What a form is sent to is a page too: its URL is loaded again, and shared."""


def create_app(settings: ConsoleSettings, signed_in: SignedIn | None = None) -> ASGIApp:
    """The ASGI application; `signed_in` says who asks, in place of the settings' issuer."""
    assets, api = Assets(), Api(settings.console)
    tails = Tails(api, settings.console.tails_max, settings.console.tails_of_tenant_max)
    site = Site(settings.console, api, environment(assets), tails)
    url = settings.console.url
    parts = parts_of(url, settings.access, settings.sign_in, settings.session)
    sign_in = [] if parts is None else SignIn(url, parts, site.templates).routes()
    if signed_in is None:
        signed_in = nobody if parts is None else parts.sessions.signed_in
    origins = tuple if parts is None else lambda: parts.issuer.origins

    def route(method: str, path: str, handler: Handler) -> Route:
        async def endpoint(request: Request) -> Response:
            return await _answer(request, signed_in, site, handler)

        return Route(path, endpoint, methods=[method])

    async def waiting_for() -> list[str]:
        return [] if await api.is_ready() else ["api"]

    async def healthz(request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(request: Request) -> Response:
        waiting = await waiting_for()
        body = json.dumps({"ready": not waiting, "waiting_for": waiting})
        return Response(body, 503 if waiting else 200, media_type="application/json")

    @contextlib.asynccontextmanager
    async def running() -> AsyncIterator[None]:
        await api.start()
        try:
            yield
        finally:
            await tails.stop()
            await api.stop()

    async def not_found(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 404
        return await _answer(request, signed_in, site, errors.of_status(status))

    return Starlette(
        routes=[
            *(route(*page) for page in PAGES),
            *sign_in,
            Route("/static/{name}", assets.serve),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
        ],
        middleware=[
            Middleware(SecurityHeaders, origins, url.startswith("https:")),
            Middleware(Guard, url),
        ],
        exception_handlers={404: not_found, 405: not_found},
        lifespan=lifespan_of(waiting_for, running, Front(settings.http, [])),
    )


async def _answer(request: Request, signed_in: SignedIn, site: Site, handler: Handler) -> Response:
    """The handler's page, or the one that says why there is none."""
    try:
        session = await signed_in(request)
    except NotSignedIn as error:
        return errors.not_signed_in(request, site, error)
    page = Page(request, session, site)
    try:
        await require(request, session)
        return await handler(page)
    except NotSignedIn as error:  # the session ended meanwhile
        return errors.not_signed_in(request, site, error)
    except Refused as refused:
        return errors.refused(page, refused)
    except Unanswered as unanswered:
        return errors.unanswered(page, unanswered)
    except Exception:
        log.exception("%s %s failed", request.method, request.url.path)
        return errors.failed(page)


def from_environment() -> ASGIApp:
    """The application of one worker."""
    configure("console")
    return create_app(ConsoleSettings())
