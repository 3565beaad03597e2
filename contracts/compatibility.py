"""Whether a JSON Schema still keeps what an earlier one promised.

`breaks(wide, narrow)` names every way in which a document may fit `narrow` and not `wide`. For readers
of the log the released schema is the wide one: whatever is written must fit it. For posters it is
the narrow one: whatever they were allowed to post must still be accepted. Written for the keywords that
our generated schemas use; another keyword raises, so that none is passed over.
"""

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

NOTES = frozenset(("$schema", "$id", "$defs", "title", "description", "default"))
KNOWN = NOTES | {
    *("$ref", "type", "enum", "pattern", "anyOf", "required", "properties", "propertyNames"),
    *("additionalProperties", "minLength", "maxLength", "maxProperties"),
}
UPPER, LOWER = ("maxLength", "maxProperties"), ("minLength",)


def breaks(wide: Schema, narrow: Schema) -> list[str]:
    """Place (JSON pointer into a document) and reason of every break; none when `wide` takes all."""
    return list(_breaks(wide, narrow, wide, narrow, ""))


def _breaks(wide: Schema, narrow: Schema, whole: Schema, part: Schema, at: str) -> Iterator[str]:
    wide, narrow = _resolved(wide, whole), _resolved(narrow, part)
    if "anyOf" in wide or "anyOf" in narrow:
        for option in narrow.get("anyOf", [narrow]):
            found = [
                list(_breaks(each, option, whole, part, at)) for each in wide.get("anyOf", [wide])
            ]
            if all(found):
                yield from min(found, key=len)
        return
    if wide.get("type") not in (None, narrow.get("type")):
        yield f"{at or '/'}: {narrow.get('type', 'any type')} where {wide['type']} was promised"
        return
    if "enum" in wide:
        for value in narrow.get("enum", ["any value"]):
            if value not in wide["enum"]:
                yield f"{at}: {value!r} is none of the promised values"
    if "pattern" in wide and wide["pattern"] != narrow.get("pattern"):
        yield f"{at}: the pattern is another one"
    for limit in (*UPPER, *LOWER):
        if limit in wide and not _keeps(limit, wide[limit], narrow.get(limit)):
            yield f"{at}: {limit} is {narrow.get(limit)}, {wide[limit]} was promised"
    yield from _members(wide, narrow, whole, part, at)


def _members(wide: Schema, narrow: Schema, whole: Schema, part: Schema, at: str) -> Iterator[str]:
    """Breaks of an object's members and their names."""
    for name in wide.get("required", ()):
        if name not in narrow.get("required", ()):
            yield f"{at}/{name}: may be missing, was promised"
    rest = wide.get("additionalProperties", True)
    for name, member in narrow.get("properties", {}).items():
        promised = wide.get("properties", {}).get(name, rest)
        if promised is False:
            yield f"{at}/{name}: is a new member, no other than the known were promised"
        elif promised is not True:
            yield from _breaks(promised, member, whole, part, f"{at}/{name}")
    more = narrow.get("additionalProperties", True)
    if rest is False and more is not False and narrow.get("type") == "object":
        yield f"{at or '/'}: any member may come, only the known were promised"
    elif isinstance(rest, dict) and more is not False:
        yield from _breaks(rest, more if isinstance(more, dict) else {}, whole, part, f"{at}/*")
    if "propertyNames" in wide:
        names = {"type": "string"} | narrow.get("propertyNames", {})
        yield from _breaks(wide["propertyNames"], names, whole, part, f"{at}/*")


def _keeps(limit: str, promised: int, now: int | None) -> bool:
    if now is None:
        return False
    return now <= promised if limit in UPPER else now >= promised


def _resolved(schema: Schema, whole: Schema) -> Schema:
    if unknown := schema.keys() - KNOWN:
        raise ValueError(f"cannot compare the keywords {sorted(unknown)}")
    if "$ref" not in schema:
        return schema
    found: Schema = whole["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return _resolved(found, whole)
