"""Error answers: RFC 9457 problem documents, one class for every way a request can fail.

A `Problem` names each offending field by JSON pointer (RFC 6901), the limit and the value's size;
it never carries the value itself, a payload or a stack trace. The size of a number is the number.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

CONTENT_TYPE = "application/problem+json"

TITLES: Mapping[int, tuple[str, str]] = {
    400: ("bad-request", "Bad request"),
    401: ("unauthorised", "Unauthorised"),
    403: ("forbidden", "Forbidden"),
    404: ("not-found", "Not found"),
    405: ("invalid-input", "Invalid input"),
    408: ("timeout", "Request timeout"),
    409: ("conflict", "Conflict"),
    410: ("gone", "Gone"),
    412: ("precondition-failed", "Precondition failed"),
    413: ("too-large", "Content too large"),
    415: ("unsupported-media-type", "Unsupported media type"),
    417: ("expectation-failed", "Expectation failed"),
    422: ("key-used", "Idempotency-Key used for another event"),
    429: ("too-many-requests", "Too many requests"),
    431: ("head-too-large", "Request header fields too large"),
    500: ("internal-error", "Internal error"),
    501: ("not-implemented", "Not implemented"),
    503: ("unavailable", "Service unavailable"),
    505: ("version-not-supported", "HTTP version not supported"),
}


class Problem(Exception):
    """An answer that is not a success.

    `status` is the HTTP status, `detail` one sentence for a person, `errors` one entry per
    offending field (`pointer`, `detail`, and `limit` and `size` where there is a limit),
    `headers` what the status asks for (`Allow`, `Retry-After`, `WWW-Authenticate`), `extra` further
    members of the document. `reason` is what the metrics count it as; the type unless given.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Iterable[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
        reason: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = [dict(error) for error in errors]
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})
        self.reason = reason or TITLES[status][0]

    def document(self) -> dict[str, Any]:
        """The problem as a JSON object, members in the order of RFC 9457 section 3.1."""
        slug, title = TITLES[self.status]
        document: dict[str, Any] = {
            "type": f"urn:events-api:problem:{slug}",
            "title": title,
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            document["errors"] = self.errors
        return document | self.extra

    def body(self) -> bytes:
        """The document as UTF-8 JSON bytes."""
        return json.dumps(self.document(), ensure_ascii=False).encode()


def key_used(event_id: str) -> Problem:
    """422: the Idempotency-Key has named another event of the entity, the one with this id."""
    return Problem(
        422,
        "This Idempotency-Key was used for another event of this entity: the first one counts,"
        " this one was not stored. Use a new key.",
        extra={"id": event_id},
    )


def unavailable(
    detail: str, *, retry_after_s: int = 1, reason: str | None = None, **extra: Any
) -> Problem:
    """503 with `Retry-After`: a server behind us failed or is full; the same request may be retried."""
    headers = {"Retry-After": str(retry_after_s)}
    return Problem(503, detail, headers=headers, extra=extra, reason=reason)
