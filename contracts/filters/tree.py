"""The tree: a filter is an OR of conjunctions of clauses; a clause is a field and an OR of predicates.

`$or` is multiplied out when a pattern is parsed, so that every reading sees one shape.
"""

from dataclasses import dataclass
from typing import NamedTuple, get_args

from contracts.events import EventSource, EventType, Operation
from contracts.filters.predicates import Exists, Predicate, any_accepts
from contracts.filters.values import Value

EVENT, ATTRIBUTES = "event", "key_attributes"
DOCUMENTS = ("payload", "fault")

FIELDS = ("event_type", "event_source", "operation", "entity_id", "entity_name")
CLOSED = {
    "event_type": get_args(EventType),
    "event_source": get_args(EventSource),
    "operation": get_args(Operation),
}
"""The fields that have one of few values, and those."""


class Field(NamedTuple):
    """`part` is event, key_attributes, payload or fault; `name` a path with dots in the last two."""

    part: str
    name: str

    def __str__(self) -> str:
        return self.name if self.part == EVENT else f"{self.part}.{self.name}"


@dataclass(frozen=True, slots=True)
class Clause:
    """One field and what its value may be."""

    field: Field
    predicates: tuple[Predicate, ...]

    def accepts(self, value: Value) -> bool:
        """Whether one of the predicates accepts the one value."""
        return any_accepts(self.predicates, value)

    @property
    def wants_absence(self) -> bool:
        """Whether it holds where the field is missing."""
        return Exists(False) in self.predicates


Conjunction = tuple[Clause, ...]
"""All must hold; no field twice. Without a clause it holds for every event."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What `parse` makes of a pattern: one of the conjunctions must hold."""

    conjunctions: tuple[Conjunction, ...]
