"""JSON as HTML that folds: objects and lists are `<details>`, so it works without script. Bounded.

Keys and texts are from outside: hidden characters are named, directions isolated.
"""

from typing import Any

from markupsafe import Markup, escape

from console.html.text import marked

NODES_MAX = 2_000
NODES_OF_ALL_MAX = 50_000
"""When all is asked for: about ten megabytes of HTML; beyond, the document is to be downloaded."""
DEPTH_MAX = 60
TEXT_MAX = 4_000
CHARACTERS = 100
"""A text of so many counts as another node, as does a label of a hidden character."""
OPEN_DEPTH = 3

WORDS = {True: "true", False: "false"}


class _Writer:
    def __init__(self, nodes_max: int, text_max: int) -> None:
        self._parts: list[str] = []
        self._left = nodes_max
        self._text_max = text_max

    def html(self, value: Any) -> tuple[Markup, bool]:
        """The value, and whether all of it is there."""
        self._write(value, 0, "")
        return Markup("").join(map(Markup, self._parts)), self._left > 0

    def _write(self, value: Any, depth: int, comma: str) -> None:
        self._left -= 1
        if isinstance(value, dict | list) and value and depth < DEPTH_MAX:
            self._nested(value, depth, comma)
        else:
            self._parts.append(f"{self._leaf(value)}{comma}")

    def _nested(self, value: Any, depth: int, comma: str) -> None:
        opening, closing = ("{", "}") if isinstance(value, dict) else ("[", "]")
        word = ("key" if isinstance(value, dict) else "item") + "s" * (len(value) != 1)
        state = " open" if depth < OPEN_DEPTH and len(value) <= 200 else ""
        self._parts.append(
            f'<details{state}><summary>{opening}<span class="fold"> {len(value):,} {word} {closing}</span>'
            '</summary><div class="inner">'
        )
        last = len(value) - 1
        pairs = value.items() if isinstance(value, dict) else ((None, each) for each in value)
        for number, (name, each) in enumerate(pairs):
            if self._left <= 0:
                self._parts.append(f'<div class="cut">… {len(value) - number:,} more</div>')
                break
            key = "" if name is None else f'<span class="k">"{self._text(name, 500)}"</span>: '
            self._parts.append(f"<div>{key}")
            self._write(each, depth + 1, "," if number < last else "")
            self._parts.append("</div>")
        self._parts.append(f"</div>{closing}{comma}</details>")

    def _leaf(self, value: Any) -> str:
        if isinstance(value, bool):
            return f'<span class="w">{WORDS[value]}</span>'
        if value is None:
            return '<span class="w">null</span>'
        if type(value) is str:
            return f'<span class="s">"{self._text(value, self._text_max)}"</span>'
        if isinstance(value, dict | list):
            return "{…}" if value else "{}" if isinstance(value, dict) else "[]"
        return f'<span class="n">{escape(str(value))}</span>'  # a number as it was spelled

    def _text(self, text: str, limit: int) -> Markup:
        shown = marked(text[:limit])
        self._left -= len(shown) // CHARACTERS
        if len(text) > limit:
            shown += Markup('<span class="cut">… {:,} characters</span>').format(len(text))
        return Markup("<bdi>{}</bdi>").format(shown)


def json_html(value: Any, whole: bool = False) -> tuple[Markup, bool]:
    """The value as HTML and whether all of it is shown; `whole` asks for all that a page can hold."""
    limits = (NODES_OF_ALL_MAX, 10**9) if whole else (NODES_MAX, TEXT_MAX)
    return _Writer(*limits).html(value)
