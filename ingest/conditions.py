"""ETag and If-Match: a client changes what it has seen, or is told 412 (RFC 9110, section 13.1.1)."""

import hashlib

from contracts.problems import Problem
from contracts.subscriptions import Subscription

ETAG_DIGITS = 32


def etag_of(subscription: Subscription) -> bytes:
    """A strong validator: of the representation's bytes."""
    return b'"%b"' % hashlib.sha256(subscription.represent()).hexdigest()[:ETAG_DIGITS].encode()


def require_match(if_match: bytes | None, etag: bytes) -> None:
    """Raise `Problem` 412 when `if_match` names neither `etag` nor `*`; without it nothing is asked.

    A weak tag matches nothing (RFC 9110, section 8.8.3.2).
    """
    if if_match is None or if_match.strip() == b"*":
        return
    if etag not in [each.strip() for each in if_match.split(b",")]:
        raise Problem(
            412,
            "The subscription has changed: If-Match names another ETag. Read it again.",
            headers={"ETag": etag.decode()},
        )
