"""A query string to the search that it asks for, or the Problem that names every wrong parameter."""

from collections import Counter
from typing import Any, Protocol, TypeVar, cast
from urllib.parse import parse_qsl, urlencode

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from contracts.criteria import QUERY_BYTES_MAX, Search
from contracts.encoding.parse import ERRORS_MAX, pointer
from contracts.problems import Problem

ATTRIBUTE = "key_attributes."
PARAMETERS_MAX = 32
DETAILS = {
    "extra_forbidden": "is not a parameter of this resource",
    "dict_type": "name the attribute: key_attributes.correlationId=4711",
}

Pairs = list[tuple[str, str]]


def read_pairs(query: bytes) -> Pairs:
    """Names and values of an application/x-www-form-urlencoded query string. Raises `Problem` 400."""
    if len(query) > QUERY_BYTES_MAX:
        raise Problem(
            400,
            f"The query has {len(query):,} bytes; the limit is {QUERY_BYTES_MAX:,} bytes.",
            extra={"size": len(query), "limit": QUERY_BYTES_MAX},
        )
    try:
        return parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(query),
            errors="strict",
            max_num_fields=PARAMETERS_MAX,
        )
    except ValueError:
        raise Problem(
            400,
            f"The query is not of the form name=value&name=value, percent-encoded UTF-8, with at most"
            f" {PARAMETERS_MAX} parameters.",
        ) from None


class Bounded(Protocol):
    """What has a time range, in ms since 1970."""

    @property
    def from_(self) -> int | None:
        """Then or later."""

    @property
    def to(self) -> int | None:
        """Before."""


Asked = TypeVar("Asked", bound=Bounded)
Read = TypeVar("Read")


def parse_search(pairs: Pairs) -> Search:
    """The search that the parameters ask for. Raises `Problem` 400 naming each that is wrong."""
    return parse_as(Search, pairs)


def parse_as(model: type[Asked], pairs: Pairs) -> Asked:
    """What the parameters of `model`, with a range, ask for. Raises as `parse_search` does."""
    search = read_as(model, pairs)
    if search.from_ is not None and search.to is not None and search.from_ >= search.to:
        raise refused([{"pointer": "/from", "detail": "must be earlier than `to`"}])
    return search


def read_as(model: type[Read], pairs: Pairs) -> Read:
    """What the parameters of `model`, one of pydantic's, ask for. Raises as `parse_search` does."""
    repeated = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
    if repeated:
        raise refused([{"pointer": pointer((name,)), "detail": "came twice"} for name in repeated])
    given: dict[str, Any] = {k: v for k, v in pairs if not k.startswith(ATTRIBUTE)}
    attributes = {k.removeprefix(ATTRIBUTE): v for k, v in pairs if k.startswith(ATTRIBUTE)}
    if attributes and "key_attributes" not in given:
        given["key_attributes"] = dict(sorted(attributes.items()))
    try:
        found: Read = cast("Any", model).model_validate(given)
    except ValidationError as error:
        raise refused([_named(each) for each in error.errors(include_url=False)]) from None
    return found


def next_query(pairs: Pairs, cursor: str) -> str:
    """The query string of the next page: the same parameters with another cursor."""
    return urlencode([*((k, v) for k, v in pairs if k != "cursor"), ("cursor", cursor)])


def _named(error: ErrorDetails) -> dict[str, Any]:
    """An entry of `errors`; the pointer leads into the query as an object of its parameters."""
    name = ".".join(str(step) for step in error["loc"] if step != "[key]")
    entry: dict[str, Any] = {
        "pointer": pointer((name,)),
        "detail": DETAILS.get(error["type"], error["msg"]),
    }
    context = error.get("ctx", {})
    for limit in ("max_length", "min_length", "le", "ge"):
        if limit in context:
            entry["limit"] = context[limit]
    if isinstance(error["input"], str | dict):
        entry["size"] = len(error["input"])
    return entry


def refused(errors: list[dict[str, Any]]) -> Problem:
    """400 that names these parameters, as JSON pointers, and what is wrong with each."""
    count = len(errors)
    return Problem(
        400,
        f"{count} parameter{'s' if count > 1 else ''} cannot be used"
        + (f"; the first {ERRORS_MAX} are named." if count > ERRORS_MAX else "."),
        errors=errors[:ERRORS_MAX],
    )
