"""Payload and fault as a person reads them: what a search for text looks at beside the bytes.

Texts and what is asked for are folded alike, by Unicode's full case folding (`str.casefold`, section
3.13 of the Unicode Standard), and accents are kept. Escapes of JSON strings (RFC 8259 section 7) are
what they stand for, in every layer of JSON within JSON. Bytes that are no UTF-8 are U+FFFD.
"""

import re

APART = "\0"
"""Between texts, so that nothing is found across two of them; in a text U+FFFD stands for it."""
LAYERS_MAX = 4
READINGS_SHARE, READINGS_MIN_BYTES = 3, 64 * 1024
"""All readings of a text have at most so many times its bytes, or so many; the rest is left out."""

BEYOND_SHARE, FOLDS_MAX = 16, 4
"""Text is folded letter by letter if at most one byte of so many is not ASCII and so few letters change."""

_APART, _INSTEAD = APART.encode(), "\ufffd".encode()
_ASCII = bytes(range(128))
_BACKSLASH = "\udc5c"  # half a character, which no decoded text holds
_UNITS = re.compile(
    r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|\\u([0-9a-fA-F]{4})"
)
_ESCAPES = {r"\"": '"', r"\/": "/", r"\n": "\n", r"\t": "\t", r"\r": "\r", r"\b": "\b", r"\f": "\f"}


def folded(text: str) -> str:
    """`text` so that two spellings that differ in case alone are equal."""
    return text.casefold().replace(APART, "\ufffd")


def _folded(text: str) -> bytes:
    """`folded` in UTF-8. Most JSON has few letters beyond ASCII, and bytes are folded much faster."""
    if text.isascii():
        return folded(text).encode()
    stored = text.encode()
    beyond = stored.translate(None, delete=_ASCII)
    if len(beyond) * BEYOND_SHARE > len(stored):
        return folded(text).encode()
    folds = {letter: letter.casefold() for letter in set(beyond.decode())}
    changed = [letter for letter, fold in folds.items() if letter != fold]
    if len(changed) > FOLDS_MAX:
        return folded(text).encode()
    stored = stored.lower().replace(_APART, _INSTEAD)
    for letter in changed:  # what one becomes is not folded any further
        stored = stored.replace(letter.encode(), folds[letter].encode())
    return stored


def search_text(payload: bytes | None, fault: bytes | None) -> bytes:
    """What both say where their bytes do not say it, in UTF-8: empty for ASCII without a backslash.

    ASCII with its escapes as they are is not repeated here: it can be searched where it is stored.
    """
    if (payload is None or (b"\\" not in payload and payload.isascii())) and (
        fault is None or (b"\\" not in fault and fault.isascii())
    ):
        return b""
    return _APART.join([read for text in (payload, fault) if text and (read := _read(text))])


def _read(stored: bytes) -> bytes:
    """All readings of one text, within their bound: escapes and letters can be made to grow fifteenfold."""
    most = max(READINGS_MIN_BYTES, READINGS_SHARE * len(stored))
    found = _APART.join(_readings(stored, most))
    if len(found) > most:
        return found[:most].decode(errors="ignore").encode()  # no half of a character
    return found


def _readings(stored: bytes, most: int) -> list[bytes]:
    """The text read layer by layer, outermost first, until all that is read has `most` bytes."""
    is_ascii = stored.isascii()
    if is_ascii and b"\\" not in stored:
        return []
    text = stored.decode("utf-8", "replace")
    found = [] if is_ascii else [_folded(text)]
    for _ in range(LAYERS_MAX):
        if "\\" not in text or sum(map(len, found)) >= most:
            break
        text, before = _unescaped(text), text
        if text == before:
            break
        found.append(_folded(text))
    return found


def _unescaped(text: str) -> str:
    r"""`text` with the escapes of one layer resolved; of what is none, as in C:\new, it makes a guess."""
    text = text.replace("\\\\", _BACKSLASH)
    for escape, meant in _ESCAPES.items():
        text = text.replace(escape, meant)
    if "\\u" in text:
        text = _UNITS.sub(_character, text)
    return text.replace(_BACKSLASH, "\\")


def _character(units: re.Match[str]) -> str:
    """What one escape stands for, or two halves of a character; a half alone is U+FFFD."""
    if units[3] is None:
        return chr(0x10000 + ((int(units[1], 16) & 0x3FF) << 10) + (int(units[2], 16) & 0x3FF))
    code = int(units[3], 16)
    return "\ufffd" if 0xD800 <= code < 0xE000 else chr(code)
