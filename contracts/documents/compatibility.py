"""What a change of a JSON Schema breaks for those who hold the released one.

Consumers validate what they receive with the released schema: every document of the new schema must
fit it. Posters write by the released schema: every document of it must fit the new one. Both are one
question, whether all that writers may write is taken by readers; the answer errs towards a break.
Not a library: jsonsubschema (beta) and jsoncompat (alpha) answer yes or no, a build needs the reason.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from contracts.documents.shapes import ANY, Shape, Shapes, read, takes


class Break(NamedTuple):
    """One thing that no longer fits; `pointer` leads to it in a document, `*` is any name or item."""

    pointer: str
    keyword: str
    reason: str

    def __str__(self) -> str:
        return f"{self.pointer or '/'} {self.keyword}: {self.reason}"


def breaks_for_consumers(released: Mapping[str, Any], new: Mapping[str, Any]) -> list[Break]:
    """What a consumer who holds `released` cannot take, or misses, of documents of `new`.

    A property that the new schema no longer names is a break even where it was optional: whoever
    reads it would wait for it in vain. Raises `Unsupported`.
    """
    writer, reader = read(new), read(released)
    found = _breaks(writer, reader, "")
    left = set(_named(writer, ""))
    for pointer in sorted(set(_named(reader, "")) - left):
        if not any(pointer == each.pointer or _within(pointer, each) for each in found):
            found.append(Break(pointer, "properties", "released, and not there any more"))
    return found


def breaks_for_posters(released: Mapping[str, Any], new: Mapping[str, Any]) -> list[Break]:
    """What a poster may write by `released` and `new` refuses. Raises `Unsupported`."""
    return _breaks(read(released), read(new), "")


def _breaks(writers: Shapes, readers: Shapes, pointer: str) -> list[Break]:
    """Each shape of the writers needs one of the readers that takes all of it."""
    found: list[Break] = []
    for writer in writers:
        able = [reader for reader in readers if takes(reader.type, writer.type)]
        if able:
            tries = [list(_shape_breaks(writer, reader, pointer)) for reader in able]
            closest: list[Break] = min(tries, key=len)
            found += closest
        else:
            taken = " or ".join(reader.type for reader in readers)
            found.append(
                Break(pointer, "type", f"writers use {writer.type}, readers take {taken}")
                if readers
                else Break(pointer, "properties", "writers use it, readers refuse it")
            )
    return list(dict.fromkeys(found))


def _shape_breaks(writer: Shape, reader: Shape, pointer: str) -> Iterator[Break]:
    if reader.type == ANY:
        return
    if writer.values is not None:
        for value in writer.values:
            yield from _value_breaks(value, reader, pointer)
        return  # its values are all that there is; none is an array or an object
    if reader.values is not None:
        known = ", ".join(reader.values)
        yield Break(pointer, "enum", f"writers use any {writer.type}, readers know {known}")
    if reader.pattern not in (None, writer.pattern):
        ours = writer.pattern or "any text"
        yield Break(pointer, "pattern", f"writers use {ours}, readers take {reader.pattern}")
    yield from _limit_breaks(writer, reader, pointer)
    yield from _breaks(writer.items, reader.items, f"{pointer}/*")
    yield from _member_breaks(writer, reader, pointer)


def _value_breaks(text: str, reader: Shape, pointer: str) -> Iterator[Break]:
    """The readers' answer to one value of an enum."""
    value = json.loads(text)
    if reader.values is not None and text not in reader.values:
        yield Break(pointer, "enum", f"writers use {text}, readers do not know it")
    if isinstance(value, str):
        if reader.pattern is not None and not re.search(reader.pattern, value):
            yield Break(pointer, "pattern", f"writers use {text}, readers take {reader.pattern}")
        exact = Shape("string", least=len(value), most=len(value))
        yield from _limit_breaks(exact, reader, pointer)


def _limit_breaks(writer: Shape, reader: Shape, pointer: str) -> Iterator[Break]:
    counted = {"string": "Length", "array": "Items", "object": "Properties"}.get(reader.type, "")
    if writer.least < reader.least:
        reason = f"writers may go down to {writer.least}, readers need {reader.least}"
        yield Break(pointer, f"min{counted}", reason)
    if reader.most is not None and (writer.most is None or writer.most > reader.most):
        most = "any number" if writer.most is None else writer.most
        reason = f"writers may go up to {most}, readers take {reader.most}"
        yield Break(pointer, f"max{counted}", reason)


def _member_breaks(writer: Shape, reader: Shape, pointer: str) -> Iterator[Break]:
    for name in sorted(reader.required - writer.required):
        reason = "writers may leave it out, readers need it"
        yield Break(_below(pointer, name), "required", reason)
    for name in sorted(writer.members.keys() | reader.members.keys()):
        ours = writer.members.get(name, writer.others) if _is_name(name, writer.names) else ()
        theirs = reader.members.get(name, reader.others)
        yield from _breaks(ours, theirs, _below(pointer, name))
        if ours and not _is_name(name, reader.names):
            yield Break(_below(pointer, name), "propertyNames", "readers refuse this name")
    if writer.others and not reader.others:
        reason = "writers may add members, readers refuse those they do not know"
        yield Break(pointer, "additionalProperties", reason)
    elif writer.others:
        yield from _breaks(writer.others, reader.others, f"{pointer}/*")
        for each in _breaks(writer.names, reader.names, f"{pointer}/*"):
            yield each._replace(keyword=f"propertyNames {each.keyword}")


def _is_name(name: str, allowed: Shapes) -> bool:
    text = json.dumps(name)
    return any(
        takes(reader.type, "string") and not any(_value_breaks(text, reader, ""))
        for reader in allowed
    )


def _named(shapes: Shapes, pointer: str) -> Iterator[str]:
    """Pointers to all properties that a schema names."""
    for shape in shapes:
        for name, members in shape.members.items():
            yield _below(pointer, name)
            yield from _named(members, _below(pointer, name))
        yield from _named(shape.items, f"{pointer}/*")
        yield from _named(shape.others, f"{pointer}/*")


def _within(pointer: str, found: Break) -> bool:
    return found.pointer != "" and pointer.startswith(f"{found.pointer}/")


def _below(pointer: str, name: str) -> str:
    """RFC 6901."""
    return f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
