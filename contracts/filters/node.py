"""A node of the index: plans by the keys of their next clause, and a few that are only verified.

Up to `FEW` plans under a key lie in a list and are verified one by one; more become a node, in which
they are filed by the clause that comes next.
"""

import logging
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, NamedTuple, Union

from contracts.filters.checks import Checks, holds, path_of
from contracts.filters.keys import ABOVE, BELOW, EXACT, Shape, cutter
from contracts.filters.plan import KEYS_MAX, Plan
from contracts.filters.tree import ATTRIBUTES, EVENT, Field
from contracts.filters.values import Value
from contracts.filters.view import View
from contracts.filters.visit import Entries, Failure, Found, visit

log = logging.getLogger(__name__)

FEW, FIELDS = 8, 4
"""Plans that lie in one tuple, and how much of it each takes."""


Child = Union[Entries, "Node"]


class Table:
    """The children of one field by key, a dictionary for each shape."""

    __slots__ = ("_of_text", "_shapes", "above", "below", "cuts", "exact")

    def __init__(self, of_text: bool) -> None:
        self._of_text = of_text
        self.exact: dict[Any, Child] = {}
        self._shapes: dict[Shape, dict[Any, Child]] = {EXACT: self.exact}
        self.cuts: tuple[tuple[Callable[[Value], Iterable[Any]], dict[Any, Child]], ...] = ()
        self.above: list[float] = []
        self.below: list[float] = []

    def add(self, shape: Shape, key: Any, plan: Plan, subscription_id: str) -> None:
        """File what is left of a plan under `key`."""
        children = self._shapes.get(shape)
        if children is None:
            children = self._shapes[shape] = {}
            self._cut()
        child = children.get(key)
        if isinstance(child, Node):
            child.add(plan, subscription_id)
            return
        entries: Entries = child or ()
        if not entries and shape in (ABOVE, BELOW):
            insort(self.above if shape == ABOVE else self.below, key)
        entries = (*entries, plan.barred, plan.checks, subscription_id, plan)
        if len(entries) <= FEW * FIELDS:
            children[key] = entries
            return
        node = children[key] = Node()
        for at in range(0, len(entries), FIELDS):
            node.add(entries[at + 3], entries[at + 2])

    def discard(self, shape: Shape, key: Any, plan: Plan, subscription_id: str) -> None:
        """Undo `add`."""
        children = self._shapes.get(shape, {})
        child = children.get(key)
        if isinstance(child, Node):
            child.discard(plan, subscription_id)
        elif child is not None:
            child = children[key] = tuple(
                each
                for at in range(0, len(child), FIELDS)
                if child[at + 2] != subscription_id
                for each in child[at : at + FIELDS]
            )
        if child is None or child:
            return
        del children[key]
        if shape in (ABOVE, BELOW):
            limits = self.above if shape == ABOVE else self.below
            del limits[bisect_left(limits, key)]
        if not children and shape != EXACT:
            del self._shapes[shape]
            self._cut()

    def _cut(self) -> None:
        self.cuts = tuple(
            (cutter(shape, self._of_text), children)
            for shape, children in self._shapes.items()
            if shape not in (EXACT, ABOVE, BELOW)
        )

    def __bool__(self) -> bool:
        return bool(self.exact) or len(self._shapes) > 1

    def collect(self, value: Value, view: View, bits: int, found: Found) -> None:
        """Add what one value of the field leads to."""
        child = self.exact.get(value)
        if child is not None:
            visit(child, view, bits, found)
        for cut, children in self.cuts:
            for key in cut(value):
                child = children.get(key)
                if child is not None:
                    visit(child, view, bits, found)
        if self.above or self.below:
            self._collect_bounds(value, view, bits, found)

    def collect_each(self, values: Iterable[Value], view: View, bits: int, found: Found) -> None:
        """The same for all values of one path: what many of them lead to is visited once."""
        reached: dict[int, Child] = {}
        numbers: list[float] = []
        for value in dict.fromkeys(values):
            if (child := self.exact.get(value)) is not None:
                reached[id(child)] = child
            for cut, children in self.cuts:
                for key in cut(value):
                    if (child := children.get(key)) is not None:
                        reached[id(child)] = child
            if self.above or self.below:
                numbers += cutter(ABOVE, self._of_text)(value)
        if numbers:
            for limit in self.above[: bisect_right(self.above, max(numbers))]:
                child = self._shapes[ABOVE][limit]
                reached[id(child)] = child
            for limit in self.below[bisect_left(self.below, min(numbers)) :]:
                child = self._shapes[BELOW][limit]
                reached[id(child)] = child
        for child in reached.values():
            visit(child, view, bits, found)

    def _collect_bounds(self, value: Value, view: View, bits: int, found: Found) -> None:
        for number in cutter(ABOVE, self._of_text)(value):
            for limit in self.above[: bisect_right(self.above, number)]:
                visit(self._shapes[ABOVE][limit], view, bits, found)
            for limit in self.below[bisect_left(self.below, number) :]:
                visit(self._shapes[BELOW][limit], view, bits, found)


class Scanned(NamedTuple):
    """Those who have the same left to verify."""

    barred: int
    checks: Checks
    ids: dict[str, None]


class Node:
    """Plans that all lie under the same keys so far; the root of a tenant lies under none."""

    __slots__ = ("_attributes", "_documents", "_events", "_keys_max", "_scanned")

    def __init__(self, keys_max: int | None = KEYS_MAX) -> None:
        self._keys_max = keys_max
        # what is only verified, if anything is left: once for all who have the same left
        self._scanned: dict[tuple[object, ...], Scanned] = {}
        self._events: dict[str, tuple[Callable[[Any], Any], Table]] = {}
        self._attributes: dict[str, Table] = {}
        self._documents: dict[str, dict[str, Table]] = {}

    def __bool__(self) -> bool:
        return bool(self._scanned or self._events or self._attributes or self._documents)

    def add(self, plan: Plan, subscription_id: str) -> None:
        """File a plan."""
        if (step := plan.lookup(self._keys_max)) is None:
            scanned = self._scanned.setdefault(plan.key, Scanned(plan.barred, plan.checks, {}))
            scanned.ids[subscription_id] = None
        else:
            lookup, rest = step
            table = self._table(lookup.field) or self._new_table(lookup.field)
            for shape, key in lookup.keys:
                table.add(shape, key, rest, subscription_id)

    def discard(self, plan: Plan, subscription_id: str) -> None:
        """Undo `add`."""
        if (step := plan.lookup(self._keys_max)) is None:
            if scanned := self._scanned.get(plan.key):
                scanned.ids.pop(subscription_id, None)
                if not scanned.ids:
                    del self._scanned[plan.key]
        elif table := self._table(step[0].field):
            lookup, rest = step
            for shape, key in lookup.keys:
                table.discard(shape, key, rest, subscription_id)
            if not table:
                self._drop_table(lookup.field)

    def _table(self, field: Field) -> Table | None:
        if field.part == EVENT:
            return self._events[field.name][1] if field.name in self._events else None
        if field.part == ATTRIBUTES:
            return self._attributes.get(field.name)
        return self._documents.get(field.part, {}).get(field.name)

    def _new_table(self, field: Field) -> Table:
        table = Table(field.part == ATTRIBUTES)
        if field.part == EVENT:
            self._events[field.name] = attrgetter(path_of(field.name)), table
        elif field.part == ATTRIBUTES:
            self._attributes[field.name] = table
        else:
            self._documents.setdefault(field.part, {})[field.name] = table
        return table

    def _drop_table(self, field: Field) -> None:
        if field.part == EVENT:
            del self._events[field.name]
        elif field.part == ATTRIBUTES:
            del self._attributes[field.name]
        else:
            del self._documents[field.part][field.name]
            if not self._documents[field.part]:
                del self._documents[field.part]

    def collect(self, view: View, bits: int, found: Found) -> None:
        """Add to `found` the ids whose filters accept the event, some perhaps twice."""
        event = view.event
        for get, table in self._events.values():
            table.collect(get(event), view, bits, found)
        if attributes := self._attributes:
            for name, text in event.event_payload.key_attributes.items():  # type: ignore[union-attr]
                if name in attributes:
                    attributes[name].collect(text, view, bits, found)
        for part, tables in self._documents.items():
            document = view.document(part)
            for path in document.keys() & tables.keys():
                values = [each.value for each in document[path]]
                if len(values) == 1:
                    tables[path].collect(values[0], view, bits, found)
                else:
                    tables[path].collect_each(values, view, bits, found)
        for barred, checks, ids in self._scanned.values():
            if barred & bits:
                continue
            try:
                if holds(checks, view):
                    found.extend(ids)
            except Exception as cause:
                log.exception("the filter of %d subscriptions fails", len(ids))
                found.extend(Failure(each, cause) for each in ids)
