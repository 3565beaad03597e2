"""What a request has to keep to before its page is made: its session's token on writes, its own tenant."""

from starlette.requests import Request

from console.access.csrf import has_token
from console.access.guard import SAFE_METHODS
from console.access.returning import here
from console.access.sessions import sign_in_at
from console.api import Refused
from console.session import Session


async def require(request: Request, session: Session) -> None:
    """Raises `Refused` 403."""
    if request.method not in SAFE_METHODS and not await has_token(request, session.csrf):
        detail = "The form is of another session. Load the page again."
        raise Refused(403, {"title": "Nothing was done", "detail": detail})
    tenant = request.query_params.get("tenant", session.tenant)
    if tenant not in session.tenants:
        raise OtherTenant(session.tenant, tenant)


class OtherTenant(Refused):
    """A page of a tenant that the session is not for."""

    def __init__(self, own: str, other: str) -> None:
        detail = f"You are signed in for {own}."
        super().__init__(403, {"title": f"This page is {other}'s", "detail": detail})
        self.other = other


def another_sign_in(request: Request, refused: Refused) -> tuple[str, str] | None:
    """Where a sign-in helps, and what that is called: for another tenant, or for another token."""
    if isinstance(refused, OtherTenant):
        return sign_in_at(here(request), refused.other), f"Sign in for {refused.other}"
    if refused.status == 401:
        return sign_in_at(here(request)), "Sign in again"
    return None
