"""What stands in place of a page: not found, refused, not answered, failed, nobody signed in."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from console.access.returning import is_navigation
from console.access.rules import another_sign_in
from console.api import Refused, Unanswered
from console.page import HTML, NO_STORE, Page, Site
from console.session import NotSignedIn

TITLES = {404: "There is no such page", 405: "This page is not asked for in this way"}


def refused(page: Page, error: Refused) -> Response:
    """What the API refused, in its own words; 5xx stay what they are."""
    status = error.status if error.status in (400, 401, 403, 404, 409, 412, 413, 503) else 502
    return page.render(
        "error.html",
        status,
        title=error.title,
        detail=error.detail,
        errors=error.errors,
        sign_in=another_sign_in(page.request, error),
    )


def unanswered(page: Page, error: Unanswered) -> Response:
    """The API is away."""
    title = "The API does not answer"
    return page.render("error.html", 503, title=title, detail=str(error), errors=[])


def failed(page: Page) -> Response:
    """A fault of ours; the log has it."""
    detail = "The page could not be made. The console's log says why."
    return page.render("error.html", 500, title="Something failed", detail=detail, errors=[])


def of_status(status: int) -> Callable[[Page], Awaitable[Response]]:
    """The handler of what no page answers."""

    async def answer(page: Page) -> Response:
        title = TITLES.get(status, "This cannot be shown")
        detail = "It may have been moved, or the link was cut."
        return page.render("error.html", status, title=title, detail=detail, errors=[])

    return answer


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
