"""A filter as a condition of ClickHouse over the columns of the table `events`.

Every value is bound as a parameter, never written into the SQL. Payload and fault are taken apart in
the query: one array of the values at the paths that the filter names, each with its place, from
which the same choice is made as in `naive.py`. Numbers there are doubles or integers of 64 bits,
for that is what ClickHouse reads: what no double holds is known by its spelling no more.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from contracts.filters.predicates import (
    AnythingBut,
    Cidr,
    Exact,
    Exists,
    IgnoreCase,
    Numeric,
    Predicate,
    Prefix,
    Suffix,
    Wildcard,
    width,
)
from contracts.filters.sql_values import Attribute, Column, Json, SqlValue
from contracts.filters.tree import ATTRIBUTES, DOCUMENTS, EVENT, Clause, Conjunction, Filter
from contracts.filters.values import NUMBER, Odd, literal_pattern
from contracts.filters.view import LEVELS_MAX

NOT_MATCHING, MATCHING = "false", "true"

IS_OPEN = "match(raw, '^[[{{]')"


def to_sql(filter_: Filter, prefix: str = "filter") -> tuple[str, dict[str, str]]:
    """The condition, in parentheses, and its parameters, whose names begin with `prefix`."""
    writer = _Writer(prefix)
    alternatives = [writer.conjunction(each) for each in filter_.conjunctions]
    return f"({' OR '.join(alternatives)})", writer.parameters


class _Writer:
    """Writes conditions and collects their parameters; a value that comes again is bound once."""

    def __init__(self, prefix: str) -> None:
        self.parameters: dict[str, str] = {}
        self._prefix = prefix
        self._names: dict[str, str] = {}
        self._variables = 0

    def bind(self, text: str) -> str:
        """A parameter with this text. Numbers are texts too: JSONExtractFloat reads them exactly."""
        if text not in self._names:
            name = self._names[text] = f"{self._prefix}_{len(self._names)}"
            self.parameters[name] = text
        return f"{{{self._names[text]}:String}}"

    def conjunction(self, conjunction: Conjunction) -> str:
        """All clauses, those of the documents last: they cost most."""
        columns = [each for each in conjunction if each.field.part not in DOCUMENTS]
        conditions = [self._of_column(clause) for clause in columns]
        for part in DOCUMENTS:
            if clauses := [each for each in conjunction if each.field.part == part]:
                conditions.append(self._of_document(part, clauses))
        return f"({' AND '.join(conditions)})" if conditions else MATCHING

    def _of_column(self, clause: Clause) -> str:
        name = clause.field.name
        value: SqlValue
        if clause.field.part == ATTRIBUTES:
            value = Attribute(self.bind(name))
        else:
            assert clause.field.part == EVENT
            value = Column(name)
        return self.clause(clause, value)
