"""Cursors: where the next page begins, as one opaque word.

A cursor is a position in its own tenant's events and grants nothing, so it is not signed; its
checksum tells a cursor that was damaged or belongs to other criteria from one of this search. Anybody
can make one up, so what it says is held to the bounds of what is asked for without one.
"""

import base64
import binascii
import hashlib
import struct
import uuid
from typing import NamedTuple

from contracts.clickhouse.search import Position
from contracts.criteria import Criteria
from contracts.problems import Problem

CHECKSUM_BYTES = 9
TIME_MS_MAX = 2**44
"""From 1970, either way: more than the years that a search takes, and a time that can be shown."""
WINDOW_S_MAX = 2**32 - 1
LAYOUT = struct.Struct(f">qq16sI{CHECKSUM_BYTES}s")
"""Start of the time range and position in ms since 1970, the position's id, seconds of the window,
checksum: a multiple of three bytes, so that base64 leaves neither padding nor unused bits."""


class Rest(NamedTuple):
    """What of a search is still to come: events before `position`, received at `from_ms` or later.

    `window_s` is how far back the next page may have to look, in seconds; 0 where nothing says so.
    """

    from_ms: int
    position: Position
    window_s: int = 0

    def after(self, position: Position, window_ms: int) -> "Rest":
        """What is left behind a page that reached `position`."""
        return Rest(self.from_ms, position, min(window_ms // 1000, WINDOW_S_MAX))


def encode(rest: Rest, tenant: str, criteria: Criteria, pattern: bytes = b"") -> str:
    """The cursor for `rest` of this tenant's search, which may have the JSON of a filter too."""
    known = (rest.from_ms, rest.position.received_ms, rest.position.event_id.bytes, rest.window_s)
    packed = LAYOUT.pack(*known, _checksum(rest, tenant, criteria, pattern))
    return base64.urlsafe_b64encode(packed).decode()


def decode(text: str, tenant: str, criteria: Criteria, pattern: bytes = b"") -> Rest:
    """What `encode` was given. Raises `Problem` 400 for anything that it did not make for this search."""
    try:
        packed = base64.b64decode(text, altchars=b"-_", validate=True)
        if base64.urlsafe_b64encode(packed).decode() != text:  # it takes + and / as well
            raise refused(text)
        from_ms, received_ms, event_id, window_s, checksum = LAYOUT.unpack(packed)
    except (binascii.Error, struct.error, ValueError):
        raise refused(text) from None
    rest = Rest(from_ms, Position(received_ms, uuid.UUID(bytes=event_id)), window_s)
    if checksum != _checksum(rest, tenant, criteria, pattern):
        raise refused(text)
    if max(abs(from_ms), abs(received_ms)) > TIME_MS_MAX:
        raise refused(text)
    return rest


def _checksum(rest: Rest, tenant: str, criteria: Criteria, pattern: bytes) -> bytes:
    fields = criteria.model_dump_json(include=set(Criteria.model_fields))
    position = rest.position
    place = (rest.from_ms, position.received_ms, position.event_id, rest.window_s)
    parts = (tenant, *place, fields)
    known = "\0".join(map(str, parts)).encode()
    return hashlib.sha256(known + pattern).digest()[:CHECKSUM_BYTES]


def refused(text: str) -> Problem:
    """400 for what is no cursor of this search."""
    detail = (
        "is not a cursor of this search; take it from `next` and leave the criteria as they were"
    )
    error = {"pointer": "/cursor", "detail": detail, "size": len(text)}
    return Problem(400, "The cursor cannot be used.", errors=[error])
