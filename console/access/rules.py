"""What a request has to keep to before its page is made: its session's token on writes, its own tenant."""

from starlette.requests import Request

from console.access.csrf import has_token
from console.access.guard import SAFE_METHODS
from console.api import Refused
from console.session import Session


async def require(request: Request, session: Session) -> None:
    """Raises `Refused` 403."""
    if request.method not in SAFE_METHODS and not await has_token(request, session.csrf):
        detail = "The form is of another session. Load the page again."
        raise Refused(403, {"title": "Nothing was done", "detail": detail})
    tenant = request.query_params.get("tenant", session.tenant)
    if tenant not in session.tenants:
        detail = f"You are signed in for {session.tenant}, and this is another tenant's page."
        raise Refused(403, {"title": "This is another tenant's", "detail": detail})
