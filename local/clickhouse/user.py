"""Who asks: as a server reads it from URL and headers. Any user, password and role is taken."""

import base64
from collections.abc import Mapping

from local.clickhouse.errors import refused

AUTHENTICATION_FAILED = 516


def user_of(parameters: Mapping[str, str], headers: Mapping[str, str]) -> str:
    """The user's name; "default" when none is named. Raises `QueryFailed` (516) for two at once."""
    ways = {
        "X-ClickHouse HTTP headers": headers.get("x-clickhouse-user"),
        "Authorization HTTP header": _basic(headers.get("authorization", "")),
    }
    named = {way: user for way, user in ways.items() if user is not None}
    if len(named) == 1 and ("user" in parameters or "password" in parameters):
        named["URL parameters"] = parameters.get("user", "")
    if len(named) > 1:
        raise refused(
            AUTHENTICATION_FAILED,
            f"Invalid authentication: it is not allowed to use {' and '.join(named)} simultaneously",
            "AUTHENTICATION_FAILED",
        )
    return next(iter(named.values()), None) or parameters.get("user") or "default"


def _basic(authorization: str) -> str | None:
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")[0]
    except ValueError:
        text = "Invalid authentication: the Basic credentials are no base64 of user:password"
        raise refused(AUTHENTICATION_FAILED, text, "AUTHENTICATION_FAILED") from None
