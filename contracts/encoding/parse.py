"""Bytes from a client to a validated model, or the Problem that says what is wrong with them.

The happy path of an event is one pass of `codec.decode_draft`. Only when that finds something wrong, or
the text may hold a repeated key, is the text read a second time: pydantic says which fields are at
fault, and broken JSON (400) is told from well-formed JSON that breaks the contract (405), as the
specification separates them.
"""

import json
from typing import Any, TypeVar

import msgspec
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from contracts.encoding.codec import (
    DraftJson,
    base64_is_canonical,
    count_strings,
    decode_draft,
    fill_defaults,
)
from contracts.encoding.dense import first_fault, has_too_many_strings, is_dense, too_many_strings
from contracts.events import EventDraft
from contracts.problems import Problem

Model = TypeVar("Model", bound=BaseModel)

BOM = b"\xef\xbb\xbf"
"""May begin a text, says nothing, and is skipped (RFC 8259 section 8.1)."""

LARGE_BYTES = 64 * 1024
"""A smaller body is decoded before anything is counted."""

MEMBERS_MAX = 100
"""No object and no list of our contracts has room for more; an answer that explains them is bounded so."""

ERRORS_MAX = 20
"""How many offending fields an answer names; the rest are counted."""

OUT_OF_BOUNDS = ("less_than_equal", "greater_than_equal")
NUMBER_MAX = 2**53 - 1
"""Up to here every JSON reader has the same integers (RFC 8259 section 6)."""

BASE64_DETAIL = "must be base64 as in RFC 4648 section 4: padded, no line breaks, unused bits zero"


def parse_event(body: bytes, is_explained: bool = True) -> DraftJson:
    """The event in `body`, without an id, its defaults filled; a byte order mark is skipped.

    Raises `Problem` 400 (not JSON, repeated key) or 405 (breaks the contract), which names all
    fields at fault, or the first when it is not to be explained or the body is crowded.
    """
    if len(body) > LARGE_BYTES and has_too_many_strings(body):
        raise too_many_strings(body)
    try:
        draft = decode_draft(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if body.startswith(BOM) and not body.startswith(BOM, len(BOM)):
            return parse_event(body[len(BOM) :], is_explained)
        if not is_explained or is_dense(body):
            raise first_fault(body, error) from None
        raise _refusal(body) from None
    if not base64_is_canonical(draft.event_payload):
        raise _refusal(body)
    # The parser keeps the last of two equal keys. More quotes than the event has strings means that
    # one was dropped, a backslash that the count cannot be trusted: only then read strictly.
    if body.count(b'"') != 2 * count_strings(draft) or b"\\" in body:
        read_json(body)
    fill_defaults(draft)
    return draft


def _refusal(body: bytes) -> Problem:
    try:
        EventDraft.model_validate_json(body)
    except ValidationError as error:
        return explain(body, error)
    return Problem(400, "The body is not JSON that can be read.")


def parse(model: type[Model], body: bytes) -> Model:
    """Any other model from `body`, with the same answers as `parse_event`."""
    body = body.removeprefix(BOM)
    refuse_crowds(read_json(body))
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise explain(body, error) from None


def refuse_crowds(document: Any, place: str = "", levels: int = 3) -> None:
    """Raise `Problem` 405 for an object or list of more than `MEMBERS_MAX`, down to where models reach."""
    if not levels or not isinstance(document, dict | list):
        return
    if (size := len(document)) > MEMBERS_MAX:
        detail = f"has {size:,} members; the limit is {MEMBERS_MAX}"
        error = {"pointer": place, "detail": detail, "size": size, "limit": MEMBERS_MAX}
        raise Problem(405, "1 field broke the contract.", errors=[error], headers={"Allow": "POST"})
    for step, member in document.items() if isinstance(document, dict) else enumerate(document):
        refuse_crowds(member, place + pointer((step,)), levels - 1)


def read_json(body: bytes) -> Any:
    """`body` as RFC 8259 JSON with unique keys. Raises `Problem` 400."""
    try:
        return json.loads(body.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise Problem(400, f"The body is not UTF-8: byte {error.start} cannot be read.") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise Problem(400, f"The body is not JSON: {error.msg} at {where}.") from None
    except RecursionError:
        raise Problem(400, "The body is nested too deeply to be read.") from None
    except ValueError as error:  # an integer of thousands of digits (PEP 701's limit)
        raise Problem(400, f"The body is not JSON that can be read: {error}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        seen = set[str]()
        for repeated, _ in pairs:
            if repeated in seen:
                break
            seen.add(repeated)
        raise Problem(400, f"The key {repeated[:80]!r} comes more than once in one JSON object.")
    return document


def _no_constant(name: str) -> Any:
    raise Problem(400, f"The body is not JSON: {name} is not a JSON value (RFC 8259).")


def explain(body: bytes, error: ValidationError) -> Problem:
    """The `Problem` for what pydantic found in `body`: 400 when it is not JSON, else 405."""
    found = error.errors(include_url=False)
    if found[0]["type"] == "json_invalid":
        return Problem(400, f"The body is not JSON: {found[0]['ctx']['error']}.")
    try:
        read_json(body)
    except Problem as problem:
        return problem
    named = [_field_error(detail) for detail in found[:ERRORS_MAX]]
    rest = len(found) - len(named)
    return Problem(
        405,
        f"{len(found)} field{'s' if len(found) > 1 else ''} broke the contract"
        + (f"; the first {ERRORS_MAX} are named." if rest else "."),
        errors=named,
        headers={"Allow": "POST"},
    )


def _field_error(detail: ErrorDetails) -> dict[str, Any]:
    """One entry of `errors`: where, what, and the limit beside the size where there is one."""
    entry: dict[str, Any] = {"pointer": pointer(detail["loc"]), "detail": detail["msg"]}
    context = detail.get("ctx", {})
    given = detail["input"]
    if detail["type"] == "string_pattern_mismatch" and "base64" in entry["pointer"]:
        entry["detail"] = BASE64_DETAIL
    elif detail["type"] == "extra_forbidden":
        entry["detail"] = "is not a field of this resource"
    for limit in ("max_length", "min_length", "le", "ge"):
        if limit in context:
            entry["limit"] = context[limit]
    if detail["type"] != "missing" and isinstance(given, str | list | dict):
        entry["size"] = context.get("actual_length") or len(given)
    elif detail["type"] in OUT_OF_BOUNDS and abs(given) <= NUMBER_MAX:
        entry["size"] = given
    return entry


def pointer(location: tuple[int | str, ...]) -> str:
    """A pydantic location as a JSON pointer (RFC 6901), `""` for the whole document."""
    steps = [str(step)[:128] for step in location if step != "[key]"]
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)
