"""What stands in place of a page: not found, refused, not answered, failed, nobody signed in."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from console.access.guard import SAFE_METHODS
from console.access.returning import here, is_navigation
from console.access.rules import another_sign_in
from console.api import Refused, Unanswered
from console.page import HTML, NO_STORE, Page, Site
from console.session import NotSignedIn

TITLES = {404: "There is no such page", 405: "This page is not asked for in this way"}


def refused(page: Page, error: Refused) -> Response:
    """What the API refused, in its own words; 5xx stay what they are."""
    status = error.status if error.status in (400, 401, 403, 404, 409, 412, 413, 503) else 502
    sign_in = another_sign_in(page.request, error)
    return _shown(page, status, error.title, error.detail, error.errors, sign_in)


def unanswered(page: Page, error: Unanswered) -> Response:
    """The API is away."""
    return _shown(page, 503, "The API does not answer", str(error))


def failed(page: Page) -> Response:
    """A fault of ours; the log has it."""
    detail = "The page could not be made. The console's log says why."
    return _shown(page, 500, "Something failed", detail)


def of_status(status: int) -> Callable[[Page], Awaitable[Response]]:
    """The handler of what no page answers."""

    async def answer(page: Page) -> Response:
        title = TITLES.get(status, "This cannot be shown")
        detail = "It may have been moved, or the link was cut."
        return _shown(page, status, title, detail)

    return answer


def _shown(
    page: Page,
    status: int,
    title: str,
    detail: str,
    errors: Sequence[dict[str, Any]] = (),
    sign_in: tuple[str, str] | None = None,
) -> Response:
    """Trying again is asking for the page; after a form, for the one that the form stood on."""
    again = page.here()
    if page.request.method not in SAFE_METHODS:
        again = page.stands_for = here(page.request)
    return page.render(
        "error.html",
        status,
        title=title,
        detail=detail,
        errors=errors,
        sign_in=sign_in,
        again=again,
    )


def not_signed_in(request: Request, site: Site, error: NotSignedIn) -> Response:
    """To the sign-in; a script is told to go there, for it cannot follow to the issuer."""
    if error.where is None:
        return no_sign_in(site)
    if is_navigation(request):
        return RedirectResponse(error.where, 303, NO_STORE)
    return JSONResponse({"sign_in": error.where}, 401, NO_STORE)


def no_sign_in(site: Site) -> Response:
    """Nobody can sign in: the console shows nothing without knowing to whom."""
    text = "This console has no EVENTS_SESSION__SECRET, and shows nothing without knowing to whom."
    template = site.templates.get_template("alone.html")
    content = template.render(title="Nobody can sign in", text=text, again="")
    return Response(content, 503, NO_STORE, HTML)
