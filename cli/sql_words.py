"""What may be typed next in SQL: tables and columns as the server knows them, functions, keywords."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from cli.clickhouse import answered
from cli.statements import is_quoted

SHOWN_MAX = 100
WORDS = """
SELECT 'column', table, name, type FROM system.columns WHERE database = currentDatabase()
UNION ALL SELECT 'table', name, '', engine FROM system.tables WHERE database = currentDatabase()
UNION ALL SELECT 'function', '', name, 'function' FROM system.functions
UNION ALL SELECT 'keyword', '', keyword, '' FROM system.keywords
"""
_WORD = re.compile(r"[A-Za-z0-9_]+")
_TABLE_FOLLOWS = re.compile(r"\b(?:FROM|JOIN|INTO|TABLE|DESCRIBE|DESC|EXISTS)\s+\Z", re.IGNORECASE)
_MEMBER = re.compile(r"([A-Za-z0-9_]+)\.\Z")


@dataclass
class Words:
    """Words of a server by what they are, each with what is said beside it."""

    columns: dict[str, dict[str, str]] = field(default_factory=dict)  # by table
    tables: dict[str, str] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, url: str) -> "Words":
        """Ask the server. Raises as `answered`."""
        words = cls()
        with answered(url, WORDS, "TabSeparated") as answer:
            for line in answer.read().decode().splitlines():
                kind, table, name, said = line.split("\t")
                if kind == "column":
                    words.columns.setdefault(table, {})[name] = said
                elif kind == "table":
                    words.tables[table] = said
                else:
                    words.others.setdefault(name, said)
        return words

    def following(self, before: str, all_of_it: str) -> Iterator[tuple[str, str]]:
        """Words that may come behind `before`, the likeliest first."""
        if member := _MEMBER.search(before):
            yield from self.columns.get(member[1], {}).items()
            return
        if _TABLE_FOLLOWS.search(before):
            yield from self.tables.items()
            return
        used = set(_WORD.findall(all_of_it))
        for table in sorted(self.columns, key=lambda name: name not in used):
            yield from self.columns[table].items()
        yield from self.tables.items()
        yield from self.others.items()


class SqlCompleter(Completer):
    """Completes the word at the cursor: while it is typed, from nothing only when asked to (Tab)."""

    def __init__(self, words: Words) -> None:
        self._words = words

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        """See `Completer`."""
        word = document.get_word_before_cursor(pattern=_WORD)
        before = document.text_before_cursor.removesuffix(word)
        asked = complete_event.completion_requested or before.endswith(".")
        if not (word or asked) or is_quoted(before):
            return
        seen: set[str] = set()
        for name, said in self._words.following(before, document.text):
            if name.lower().startswith(word.lower()) and name not in seen:
                seen.add(name)
                yield Completion(name, -len(word), display_meta=said)
                if len(seen) == SHOWN_MAX:
                    return
