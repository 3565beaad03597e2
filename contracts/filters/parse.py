"""A pattern, decoded from JSON, becomes a filter or is refused with every reason.

What EventBridge refuses is refused, and what would never match is not guessed at; the deviations are
listed in docs/reference/filters.md.
"""

from collections.abc import Iterator
from typing import Any

from contracts.filters.cost import COUNTED_MAX, SCORE_MAX, Steps, bound, score
from contracts.filters.operators import OPERATORS, Bad, read_predicate
from contracts.filters.predicates import Exact, Predicate
from contracts.filters.tree import (
    ATTRIBUTES,
    CLOSED,
    DOCUMENTS,
    EVENT,
    FIELDS,
    Clause,
    Field,
    Filter,
)

DEPTH_MAX = 16
"""Objects inside one another."""
VALUES_MAX = 100
"""Of one field."""
CLAUSES_MAX = 64
"""Of a pattern whose `$or` is multiplied out, in all alternatives together."""
NAME_MAX = 256
"""Characters of a field's name."""


class Refused(Exception):
    """A pattern that is no filter: `errors` as a problem document has them, one for each fault.

    Each has `pointer` (RFC 6901, from the pattern's root) and `detail`; `size` and `limit`, or
    `score` and `limit`, where there is a limit.
    """

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__("; ".join(f"{each['pointer']}: {each['detail']}" for each in errors))
        self.errors = errors


def parse(pattern: object, *, limited: bool = True) -> Filter:
    """The filter that `pattern` describes. Raises `Refused`.

    Numbers may be `Decimal`, which keeps what a double does not hold. Without `limited` the limits
    of score and size do not apply: what was stored under other limits stays readable.
    """
    parser = _Parser(limited)
    conjunctions = parser.alternatives(pattern)
    if parser.errors:
        raise Refused(parser.errors)
    return Filter(tuple(dict.fromkeys(tuple(each.values()) for each in conjunctions)))


Fields = dict[Field, Clause]


class _Parser:
    """Reads on after a fault, so that one answer names them all."""

    def __init__(self, limited: bool) -> None:
        self.errors: list[dict[str, Any]] = []
        self._limited = limited
        self._steps = Steps()

    def alternatives(self, pattern: object) -> list[Fields]:
        """The conjunctions of the whole pattern."""
        if isinstance(pattern, dict) and not pattern:
            return [{}]
        return list(self._object(pattern, "", EVENT, "", 1))

    def _fault(self, pointer: str, detail: str, **more: int) -> list[Fields]:
        self.errors.append({"pointer": pointer, "detail": detail} | more)
        return []

    def _object(
        self, pattern: object, pointer: str, part: str, path: str, depth: int
    ) -> list[Fields]:
        """`path` is where in its part the object lies: the names so far, each with a dot after it."""
        if not isinstance(pattern, dict):
            return self._fault(pointer, "must be an object of fields")
        if not pattern:
            return self._fault(pointer, "must name a field; only the whole filter may be empty")
        if depth > DEPTH_MAX:
            return self._fault(pointer, "objects lie too deep", size=depth, limit=DEPTH_MAX)
        found: list[Fields] = [{}]
        for name, value in pattern.items():
            where = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
            if name == "$or":
                more = list(self._or(value, where, part, path, depth))
            else:
                more = self._member(name, value, where, part, path, depth)
            found = self._both(found, more, where)
        return found

    def _both(self, some: list[Fields], more: list[Fields], pointer: str) -> list[Fields]:
        """Every alternative of `some` with every one of `more`."""
        clauses = sum(len(one) + len(other) for one in some for other in more)
        if self._limited and clauses > CLAUSES_MAX:
            detail = "alternatives of $or, multiplied out, are too many"
            return self._fault(pointer, detail, size=clauses, limit=CLAUSES_MAX)
        for one in some:
            for other in more:
                if twice := one.keys() & other.keys():
                    name = str(next(iter(twice)))[:NAME_MAX]
                    return self._fault(pointer, f"{name} is there twice; one field, one list")
        return [one | other for one in some for other in more]

    def _or(
        self, branches: object, pointer: str, part: str, path: str, depth: int
    ) -> Iterator[Fields]:
        if not isinstance(branches, list) or len(branches) < 2:
            self._fault(pointer, "must be a list of two objects or more; $or is no field's name")
            return
        for number, branch in enumerate(branches):
            where = f"{pointer}/{number}"
            if isinstance(branch, dict) and (names := OPERATORS.keys() & branch.keys()):
                self._fault(where, f"{min(names)} is an operator, and no field's name inside $or")
                continue
            yield from self._object(branch, where, part, path, depth + 1)

    def _member(
        self, name: str, value: object, pointer: str, part: str, path: str, depth: int
    ) -> list[Fields]:
        if len(name) > NAME_MAX:
            return self._fault(pointer, "name is too long", size=len(name), limit=NAME_MAX)
        if part == EVENT:
            if name == ATTRIBUTES or name in DOCUMENTS:
                return self._object(value, pointer, name, "", depth + 1)
            if name not in FIELDS:
                known = ", ".join([*FIELDS, ATTRIBUTES, *DOCUMENTS])
                return self._fault(pointer, f"is no field of an event; they are {known}")
        elif part in DOCUMENTS and isinstance(value, dict):
            return self._object(value, pointer, part, f"{path}{name}.", depth + 1)
        return self._clause(Field(part, path + name), value, pointer)

    def _clause(self, field: Field, values: object, pointer: str) -> list[Fields]:
        """`values` is the list of accepted ones, or one that stands for a list of one."""
        if isinstance(values, dict):
            return self._fault(pointer, "must be a list of values and operators")
        listed = values if isinstance(values, list) else [values]
        if not listed:
            return self._fault(pointer, "must not be empty")
        if self._limited and len(listed) > VALUES_MAX:
            detail = "has too many values"
            return self._fault(pointer, detail, size=len(listed), limit=VALUES_MAX)
        predicates: dict[Predicate, None] = {}  # in the order of the pattern, each once
        before = len(self.errors)
        for number, value in enumerate(listed):
            where = f"{pointer}/{number}" if isinstance(values, list) else pointer
            try:
                predicate = read_predicate(
                    value, field, where, VALUES_MAX if self._limited else None
                )
            except Bad as bad:
                self._fault(bad.pointer, str(bad), **bad.more)
                continue
            predicates[predicate] = None
            if field.part == EVENT and isinstance(predicate, Exact):
                self._known(field.name, predicate, where)
        if len(self.errors) == before:
            self._score(tuple(predicates), pointer)
        return [{field: Clause(field, tuple(predicates))}]

    def _known(self, name: str, predicate: Exact, pointer: str) -> None:
        """A value that the field never has is a slip; it would never match."""
        values = CLOSED.get(name)
        if values and isinstance(predicate.value, str) and predicate.value not in values:
            self._fault(pointer, f"{name} is one of {', '.join(values)}")

    def _score(self, predicates: tuple[Any, ...], pointer: str) -> None:
        if not self._limited or bound(predicates) <= SCORE_MAX:
            return
        found = score(predicates, self._steps)
        if found is None:
            detail = "wildcards of the filter are too many or too long to be scored; use fewer"
            self._fault(pointer, detail)
        elif found > SCORE_MAX:
            least = " at least" if found == COUNTED_MAX else ""
            detail = f"wildcards are too complex: they score {found}{least}, allowed is {SCORE_MAX}"
            self._fault(pointer, detail, score=found, limit=SCORE_MAX)
