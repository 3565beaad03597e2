"""JSON Schema read into shapes that can be compared: one for each type that a value may have.

Reads the subset of draft 2020-12 that pydantic generates for our models and refuses every other
keyword, because a keyword that is passed over would make a comparison claim what it has not seen.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ANY = "any"
ANNOTATIONS = {"$schema", "$id", "$defs", "title", "description", "default"}
CONSTRAINTS = {
    *("type", "enum", "const", "pattern", "items", "required"),
    *("properties", "additionalProperties", "propertyNames"),
    *("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"),
}
LIMITED = {"string": "Length", "array": "Items", "object": "Properties"}
SCALARS = {type(None): "null", bool: "boolean", int: "integer", str: "string"}


class Unsupported(Exception):
    """The schema says something that cannot be compared; the message says where and what."""


@dataclass(frozen=True)
class Shape:
    """Values of one `type`, or of any. `values` are the only ones when given, as JSON text.

    `least` and `most` count characters, items or members. Members that `members` does not name have
    one of the shapes of `others`; their names have one of the shapes of `names`.
    """

    type: str
    values: tuple[str, ...] | None = None
    pattern: str | None = None
    least: int = 0
    most: int | None = None
    items: "Shapes" = ()
    members: Mapping[str, "Shapes"] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    others: "Shapes" = ()
    names: "Shapes" = ()


Shapes = tuple[Shape, ...]
"""What a value may be: any one of these; nothing when empty, as the schema `false` says."""

ANYTHING: Shapes = (Shape(ANY),)


def read(document: Mapping[str, Any]) -> Shapes:
    """The shapes of a whole JSON Schema document. Raises `Unsupported`."""
    return _Reader(document).shapes(document, "#")


class _Reader:
    """Follows the references of one document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._definitions = document.get("$defs", {})
        self._following: list[str] = []

    def shapes(self, schema: Any, where: str, types: list[str] | None = None) -> Shapes:
        """`types` are those of a schema that has no choice, such as a member's name."""
        if isinstance(schema, bool):
            return self._typed({}, where, types) if schema else ()
        said = {name: value for name, value in schema.items() if name not in ANNOTATIONS}
        for combiner in ("$ref", "anyOf"):
            if combiner in said:
                if len(said) > 1:
                    raise Unsupported(f"{where}: {combiner} beside {sorted(said)}")
                break
        if "$ref" in said:
            return self._referred(said["$ref"], where)
        if "anyOf" in said:
            choices = enumerate(said["anyOf"])
            return tuple(s for n, c in choices for s in self.shapes(c, f"{where}/anyOf/{n}", types))
        if unknown := sorted(said.keys() - CONSTRAINTS):
            raise Unsupported(f"{where}: the keyword {unknown[0]} is not known here")
        return self._typed(said, where, types)

    def _referred(self, reference: str, where: str) -> Shapes:
        name = reference.removeprefix("#/$defs/")
        if name not in self._definitions:
            raise Unsupported(f"{where}: {reference} leads nowhere in $defs")
        if name in self._following:
            raise Unsupported(f"{where}: {name} holds itself")
        self._following.append(name)
        try:
            return self.shapes(self._definitions[name], f"#/$defs/{name}")
        finally:
            self._following.pop()

    def _typed(self, said: dict[str, Any], where: str, types: list[str] | None) -> Shapes:
        values = [said["const"]] if "const" in said else said.get("enum")
        if "const" in said and "enum" in said:
            raise Unsupported(f"{where}: const beside enum")
        if values is not None and not all(type(value) in SCALARS for value in values):
            raise Unsupported(f"{where}: only null, booleans, integers and texts can be compared")
        stated = said.get("type", types)
        if stated is None and values is not None:
            stated = sorted({SCALARS[type(value)] for value in values})
        if stated is None:
            if said:
                raise Unsupported(f"{where}: {sorted(said)} without a type")
            return ANYTHING
        names = [stated] if isinstance(stated, str) else stated
        return tuple(self._shape(name, values, said, where) for name in names)

    def _shape(self, type_: str, values: Any, said: dict[str, Any], where: str) -> Shape:
        if values is not None:
            own = [v for v in values if takes(type_, SCALARS[type(v)])]
            values = tuple(json.dumps(value) for value in own)
        limited = LIMITED.get(type_, "")
        return Shape(
            type_,
            values,
            said.get("pattern") if type_ == "string" else None,
            said.get(f"min{limited}", 0),
            said.get(f"max{limited}"),
            self._part(said, "items", where) if type_ == "array" else (),
            **(self._object(said, where) if type_ == "object" else {}),
        )

    def _object(self, said: dict[str, Any], where: str) -> dict[str, Any]:
        members = said.get("properties", {}).items()
        return {
            "members": {n: self.shapes(s, f"{where}/properties/{n}") for n, s in members},
            "required": frozenset(said.get("required", ())),
            "others": self._part(said, "additionalProperties", where),
            "names": self._part(said, "propertyNames", where, ["string"]),
        }

    def _part(
        self, said: dict[str, Any], keyword: str, where: str, types: list[str] | None = None
    ) -> Shapes:
        return self.shapes(said.get(keyword, True), f"{where}/{keyword}", types)


def takes(reader: str, writer: str) -> bool:
    """Whether every value of the type `writer` is one of the type `reader`."""
    return reader in (writer, ANY) or (reader, writer) == ("number", "integer")
