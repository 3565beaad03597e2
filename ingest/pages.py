"""What queries of subscriptions say: a page of the list, and what becomes of what one had missed.

A page is after a cursor, has at most `limit`, and the way to the next.
"""

import base64
import binascii
import uuid
from collections.abc import Callable, Collection, Iterable
from typing import Any, cast, get_args
from urllib.parse import parse_qsl, urlencode

from contracts.ids import read_id
from contracts.pauses import Missed
from contracts.problems import Problem
from contracts.subscriptions import Subscription

LIMIT_DEFAULT, LIMIT_MAX = 100, 1000
PAGE_BYTES = 4_000_000
"""A page ends with the subscription that reaches this size."""
QUERY_BYTES_MAX = 1024


def page_of(
    subscriptions: Callable[[str], Iterable[Subscription]], query: bytes, path: str
) -> tuple[bytes, bytes | None]:
    """The page's JSON, `items` and `next`, and the Link header of the next page (RFC 8288).

    `subscriptions` gives those above an id in the order of their ids, which a cursor goes on in: what
    is made meanwhile is in no page twice, nor does it move another out. Raises `Problem` 400.
    """
    limit, after = _read(query)
    found: list[bytes] = []
    size, last, rest = 0, "", False
    for subscription in subscriptions(after):
        if rest := len(found) == limit or size >= PAGE_BYTES:
            break
        found.append(subscription.represent())
        size, last = size + len(found[-1]), subscription.id
    if not rest:
        return b'{"items":[%b],"next":null}' % b",".join(found), None
    cursor = _cursor(last)
    following = urlencode([("limit", limit), ("cursor", cursor)])
    body = b'{"items":[%b],"next":"%b"}' % (b",".join(found), cursor.encode())
    return body, f'<{path}?{following}>; rel="next"'.encode()


def read_missed(query: bytes) -> Missed:
    """What becomes of what a subscription had missed that goes on. Raises `Problem` 400."""
    given = _given(query, ("missed",)).get("missed", "skip")
    for each in get_args(Missed):
        if given == each:
            return cast("Missed", given)
    raise _refused("missed", "must be skip or catch_up", size=len(given))


def _read(query: bytes) -> tuple[int, str]:
    """Limit, and the id that the page comes after."""
    given = _given(query, ("limit", "cursor"))
    return _limit(given.get("limit", str(LIMIT_DEFAULT))), _after(given.get("cursor"))


def _given(query: bytes, names: Collection[str]) -> dict[str, str]:
    if len(query) > QUERY_BYTES_MAX:
        size = {"size": len(query), "limit": QUERY_BYTES_MAX}
        raise Problem(400, "The query is too long.", extra=size)
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise Problem(400, "The query is not of the form name=value&name=value.") from None
    given: dict[str, str] = {}
    for name, value in pairs:
        if name not in names:
            raise _refused(name, "is not a parameter of this resource", size=len(value))
        if name in given:
            raise _refused(name, "came twice")
        given[name] = value
    return given


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= LIMIT_MAX):
        detail = f"must be a whole number from 1 to {LIMIT_MAX}"
        raise _refused("limit", detail, size=len(text), limit=LIMIT_MAX)
    return int(text)


def _cursor(last: str) -> str:
    return base64.urlsafe_b64encode(uuid.UUID(last).bytes).decode().rstrip("=")


def _after(cursor: str | None) -> str:
    if cursor is None:
        return ""
    try:
        found = base64.b64decode(f"{cursor}==", altchars=b"-_", validate=True)
        after = str(uuid.UUID(bytes=found))
        read_id(after, "subscription")
        if _cursor(after) != cursor:  # it takes + and / as well, and bits that are not used
            raise ValueError
    except (binascii.Error, ValueError, Problem):
        detail = "is not a cursor of this list; take it from `next`"
        raise _refused("cursor", detail, size=len(cursor)) from None
    return after


def _refused(name: str, detail: str, **more: Any) -> Problem:
    pointer = "/" + name[:128].replace("~", "~0").replace("/", "~1")
    return Problem(
        400, "1 parameter cannot be used.", errors=[{"pointer": pointer, "detail": detail} | more]
    )
