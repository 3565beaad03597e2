"""SQL text cut into statements at its semicolons, those in quotes and comments left out."""

import re

_TOKEN = re.compile(
    r"(?P<blank>\s+|--[^\n]*|\#[ !][^\n]*|/\*.*?(?:\*/|\Z))"
    r"|(?P<end>;)"
    r"|(?P<quoted>'(?:[^'\\]|\\(?:.|\Z)|'')*(?:'|\Z)"
    r'|"(?:[^"\\]|\\(?:.|\Z))*(?:"|\Z)'
    r"|`(?:[^`\\]|\\(?:.|\Z))*(?:`|\Z))"
    r"|(?P<other>[^\s;'\"`/#-]+|.)",
    re.DOTALL,
)


def statements(text: str) -> list[str]:
    """The statements, without their semicolons. What follows an INSERT belongs to it: it may be data."""
    found, begin, is_blank = [], 0, True
    for token in _TOKEN.finditer(text):
        if token.lastgroup == "end":
            if not is_blank:
                found.append(text[begin : token.start()].strip())
            begin, is_blank = token.end(), True
        elif token.lastgroup != "blank":
            if is_blank and token[0].upper() == "INSERT":
                return [*found, text[begin:].strip()]
            is_blank = False
    return found if is_blank else [*found, text[begin:].strip()]


def is_complete(text: str) -> bool:
    """Whether `text` ends with a semicolon that ends a statement, or holds nothing."""
    last = [token for token in _TOKEN.finditer(text) if token.lastgroup != "blank"][-1:]
    return not last or last[0].lastgroup == "end"


def is_quoted(text: str) -> bool:
    """Whether what is typed behind `text` would stand in quotes or a comment."""
    found = [token[0] for token in _TOKEN.finditer(text)][-1:]
    if not found:
        return False
    if found[0].startswith(("--", "/*")):
        return not found[0].endswith("*/")
    return found[0][0] in "'\"`" and (len(found[0]) == 1 or found[0][-1] != found[0][0])
