"""Whether a write was sent by a page of the session's own: its token, in the form or in X-CSRF-Token."""

import secrets
from urllib.parse import parse_qs

from starlette.requests import Request

HEADER, FIELD = "x-csrf-token", "csrf"
FIELDS_MAX = 200


async def has_token(request: Request, csrf: str) -> bool:
    """Whether `request` carries `csrf`; its body can be read again. `Guard` has limited the body."""
    given = request.headers.get(HEADER)
    if given is None:
        body = (await request.body()).decode("latin-1")
        try:
            fields = parse_qs(body, max_num_fields=FIELDS_MAX)
        except ValueError:  # more fields than any form of ours has
            return False
        given = fields.get(FIELD, [""])[-1]
    return secrets.compare_digest(given.encode(), csrf.encode())
