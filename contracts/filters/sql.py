"""A filter as a condition of ClickHouse over the columns of the table `events`.

Every value is bound as a parameter, never written into the SQL. Payload and fault are taken apart in
the query (`sql_documents.py`). Numbers in them are doubles and integers of 64 bits, for that is what
ClickHouse reads: a number that no double holds is another one there, or a text.
"""

from contracts.filters.sql_documents import agreeing, leaves
from contracts.filters.sql_values import Attribute, Bind, Column, Json, SqlValue, condition
from contracts.filters.tree import ATTRIBUTES, DOCUMENTS, Clause, Conjunction, Filter


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

    def bind(self, text: str) -> str:
        """A parameter with this text."""
        if text not in self._names:
            name = self._names[text] = f"{self._prefix}_{len(self._names)}"
            self.parameters[name] = text
        return f"{{{self._names[text]}:String}}"

    def conjunction(self, conjunction: Conjunction) -> str:
        """All clauses, those of the documents last: they cost most."""
        conditions = []
        for clause in conjunction:
            if clause.field.part not in DOCUMENTS:
                conditions.append(_either(clause, self._column(clause), self.bind))
        for part in DOCUMENTS:
            if clauses := [each for each in conjunction if each.field.part == part]:
                conditions.append(self._document(part, clauses))
        return f"({' AND '.join(conditions)})" if conditions else "true"

    def _column(self, clause: Clause) -> SqlValue:
        name = clause.field.name
        return Attribute(self.bind(name)) if clause.field.part == ATTRIBUTES else Column(name)

    def _document(self, part: str, clauses: list[Clause]) -> str:
        """Nested: a leaf for the first clause, of those that agree with it one for the next."""
        paths = [f".{clause.field.name}" for clause in clauses]
        found = leaves(part, [self.bind(path) for path in dict.fromkeys(paths)])
        written = "true"
        for number in reversed(range(len(clauses))):
            leaf = f"leaf_{number}"
            path = self.bind(paths[number])
            here = [f"{leaf}.1 = {path}", _either(clauses[number], Json(f"{leaf}.3"), self.bind)]
            here += [agreeing(f"leaf_{other}", leaf) for other in range(number)]
            written = f"arrayExists({leaf} -> {' AND '.join([*here, written])}, leaves)"
        return f"arrayExists(leaves -> {written}, [{found}])"  # which are thus read once


def _either(clause: Clause, value: SqlValue, bind: Bind) -> str:
    return f"({' OR '.join(condition(each, value, bind) for each in clause.predicates)})"
