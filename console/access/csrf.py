"""Whether a write was sent by a page of the session's own: its token, in the form or in X-CSRF-Token."""

import secrets
from urllib.parse import parse_qs

from starlette.requests import Request

HEADER, FIELD = "x-csrf-token", "csrf"


async def has_token(request: Request, csrf: str) -> bool:
    """Whether `request` carries `csrf`; its body can be read again. `Guard` has limited the body."""
    given = request.headers.get(HEADER)
    if given is None:
        fields = parse_qs((await request.body()).decode("latin-1"))
        given = fields.get(FIELD, [""])[-1]
    return secrets.compare_digest(given.encode(), csrf.encode())
