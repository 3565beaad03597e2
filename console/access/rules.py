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
        raise OtherTenant(session.tenant, tenant, here(request))


class OtherTenant(Refused):
    """A page of a tenant that the session is not for; `sign_in` leads to one that is."""

    def __init__(self, own: str, other: str, path: str) -> None:
        detail = f"You are signed in for {own}."
        super().__init__(403, {"title": f"This page is {other}'s", "detail": detail})
        self.other = other
        self.sign_in = sign_in_at(path, other)
