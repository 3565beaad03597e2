"""What SQS says and what it means: the one table of its error codes, and how an answer is read.

AWS JSON 1.0 (Smithy, aws.protocols#awsJson1_0): the code is `__type` of the body, behind a `#`; the
header `x-amzn-query-error` has the name that the older query protocol gave it. Codes are compared whole.
Sources: the service model in botocore; "Common error types" of the SQS API reference.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import msgspec

from processors.deliver.outcomes import DENIED, State

QUERY_PREFIX = "AWS.SimpleQueueService."
QUERY_NAMES = {"NonExistentQueue": "QueueDoesNotExist"}

THROTTLED = frozenset(
    (
        *("RequestThrottled", "RequestThrottledException", "Throttling", "ThrottlingException"),
        *("ThrottledException", "TooManyRequestsException", "SlowDown", "RequestLimitExceeded"),
        *("KmsThrottled", "KMS.ThrottlingException"),
        *("ServiceUnavailable", "InternalError", "InternalFailure", "InternalServerError"),
        "OverLimit",
    )
)
"""Time heals it."""
UNFIT = frozenset(
    (
        *("BatchRequestTooLong", "TooManyEntriesInBatchRequest", "EmptyBatchRequest"),
        *("BatchEntryIdsNotDistinct", "InvalidBatchEntryId", "InvalidMessageContents"),
        *("InvalidParameterValue", "InvalidParameterCombination", "InvalidAttributeName"),
        *("InvalidAttributeValue", "MissingParameter", "ValidationError", "ValidationException"),
        *("InvalidParameterValueException", "SerializationException", "RequestEntityTooLarge"),
    )
)
"""Of a batch: its shape, or what one of its messages holds. Halves may be taken; one alone never."""
SKEWED = frozenset(
    (
        *("RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture", "AuthFailure"),
        *("InvalidSignatureException", "SignatureDoesNotMatch", "InvalidSignature"),
    )
)
"""Said to who signs at a wrong time, among others."""
EXPIRED = frozenset(("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"))
"""Newer credentials may be there."""

Verdict = State | Literal["split"]


class Refusal(NamedTuple):
    """What is said of a whole call: `split` means of these messages together."""

    verdict: Verdict
    code: str
    message: str = ""


class _Error(msgspec.Struct):
    type: str = msgspec.field(name="__type", default="")
    message: str | None = None
    message_of_old: str | None = msgspec.field(name="Message", default=None)


class _Taken(msgspec.Struct, rename="pascal"):
    id: str
    message_id: str = ""


class _Refused(msgspec.Struct, rename="pascal"):
    id: str
    sender_fault: bool = False
    code: str = ""
    message: str | None = None


class BatchAnswer(msgspec.Struct, rename="pascal"):
    """What SendMessageBatch answers: every entry is in one of the two."""

    successful: list[_Taken] = []
    failed: list[_Refused] = []


_error = msgspec.json.Decoder(_Error).decode
read_batch = msgspec.json.Decoder(BatchAnswer).decode
"""Raises `msgspec.DecodeError`, or `UnicodeDecodeError`."""


def refusal_of(status: int, headers: Mapping[str, str], content: bytes) -> Refusal:
    """What an answer with this status, not 200, says of the call."""
    try:
        error = _error(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        error = _Error(message=f"{len(content)} bytes that are no JSON of SQS")
    old = headers.get("x-amzn-query-error", "").partition(";")[0]
    named = error.type or headers.get("x-amzn-errortype", "").partition(":")[0] or old
    code = canonical(named) or f"HTTP {status}"
    return Refusal(meaning(status, code), code, error.message or error.message_of_old or "")


def canonical(code: str) -> str:
    """The code's name in the service model, whole, whichever of its forms is given."""
    code = code.rpartition("#")[2].removeprefix(QUERY_PREFIX)
    return QUERY_NAMES.get(code, code)


def meaning(status: int, code: str) -> Verdict:
    """What a whole call's `code` says; one that nobody knows loses nothing and burns nothing."""
    if code in THROTTLED:
        return "again"
    if code in DENIED:
        return "not_now"
    if code in UNFIT:
        return "split"
    if status >= 500 or status in (408, 429):
        return "again"
    return "split" if status == 413 else "not_now"


def meaning_of_entry(code: str, sender_fault: bool) -> State:
    """What the `code` of one entry says; a server of SQS's kind blames the sender for anything."""
    if code in THROTTLED:
        return "again"
    if code in DENIED:
        return "not_now"
    return "never" if sender_fault else "again"
