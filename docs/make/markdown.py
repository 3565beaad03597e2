"""Pieces of Markdown."""

from collections.abc import Iterable, Sequence

GENERATED = "<!-- written by `python -m docs.make`; a test compares -->\n\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; `|` in a cell is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines
    )


def code(text: object) -> str:
    """Set as code; nothing for nothing."""
    return f"`{text}`" if text not in ("", None) else ""
