"""Filters: EventBridge event patterns over our events, parsed to one tree that is read three ways.

- `parse(pattern)` makes a `Filter` of decoded JSON, or raises `Refused`, whose `errors` (pointer,
  detail, and size or score and limit) are those of a problem document. What was stored before is
  read with `limited=False`.
- `matches(filter, View(event))` is the specification in code; `explain(filter, view)` names for each
  alternative the clauses that do not hold.
- `Index` answers for all subscriptions of a tenant at once: `put(tenant, id, filter)`,
  `remove(tenant, id)`, `matching(tenant, view)` -> ids, and a `Failure` in place of an id whose
  filter fails. `has(tenant)` saves decoding the event of a tenant without subscriptions.
- `to_sql(filter)` -> a condition over the columns of the table `events`, and its parameters.

A `View` is one event with its defaults filled; payload and fault are decoded when first asked for.
An earlier subscription's accepted values per field are a pattern that means the same.
docs/reference/filters.md describes the language.
"""

from contracts.filters.index import Index
from contracts.filters.naive import Unmet, explain, matches
from contracts.filters.parse import Refused, parse
from contracts.filters.sql import to_sql
from contracts.filters.tree import Filter
from contracts.filters.view import View
from contracts.filters.visit import Failure

__all__ = [
    "Failure",
    "Filter",
    "Index",
    "Refused",
    "Unmet",
    "View",
    "explain",
    "matches",
    "parse",
    "to_sql",
]
