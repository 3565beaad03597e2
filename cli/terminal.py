"""What a terminal is shown: texts that cannot steer it, times of the local zone, JSON laid out."""

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text


def is_shown() -> bool:
    """Whether a person reads standard output."""
    return sys.stdout.isatty()


def printable(text: str, besides: str = "") -> str:
    """`text` with a replacement for what is no letter: an id from outside may hold escapes or line ends."""
    return "".join(
        each if each.isprintable() or each in besides else "\N{REPLACEMENT CHARACTER}"
        for each in text
    )


def local_time(time_ms: int) -> str:
    """Ms since 1970 as a time of the local zone, and in UTC where that is another."""
    utc = datetime.fromtimestamp(time_ms / 1000, UTC)
    local = utc.astimezone()
    shown = f"{_to_ms(local, '%Y-%m-%d %H:%M:%S')} {local.tzname()}"
    if not local.utcoffset():
        return shown
    days = "%H:%M:%S" if local.date() == utc.date() else "%Y-%m-%d %H:%M:%S"
    return f"{shown} ({_to_ms(utc, days)} UTC)"


def local_offset(time_ms: int, precision: str = "milliseconds") -> str:
    """Ms since 1970 as ISO 8601 has it: a time of the local zone and its distance from UTC."""
    utc = datetime.fromtimestamp(time_ms / 1000, UTC)
    return utc.astimezone().isoformat(sep=" ", timespec=precision)


def laid_out(text: str) -> "Text":
    """JSON objects and lists indented and coloured, any other text as it is."""
    from rich.highlighter import JSONHighlighter
    from rich.text import Text

    if text.lstrip()[:1] in ("{", "["):
        try:
            indented = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
            return JSONHighlighter()(Text(printable(indented, "\n")))
        except (ValueError, RecursionError):
            pass
    return Text(printable(text.replace("\t", "    "), "\n"))


def _to_ms(time: datetime, form: str) -> str:
    return f"{time.strftime(form)}.{time.microsecond // 1000:03d}"
