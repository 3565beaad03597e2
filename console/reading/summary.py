"""An event in one line of a list: what a reader needs to know whether to open it."""

import base64
import binascii
import html
import re
from typing import Any

ENCODED_MAX = 4096
"""Characters of base64 that are looked at: what names a failure stands near its beginning."""
SHOWN_MAX = 240
NAMES = ("message", "detail", "error_description", "reason", "error", "title", "errors")
"""Members that say what failed, the best first."""
MESSAGE = re.compile(rf'"({"|".join(NAMES)})"\s*:\s*"((?:[^"\\]|\\.){{1,400}})')
STATUS = re.compile(
    r'"(?:status|code|status_code|statusCode|http_status)"\s*:\s*"?([A-Za-z0-9_.-]{1,40})"?'
)
OF_FIELD = re.compile(
    r'"errors"\s*:\s*\{\s*"((?:[^"\\]|\\.){1,100})"\s*:\s*\[?\s*"((?:[^"\\]|\\.){1,400})'
)
MARKED = re.compile(r"(?is)<(?:title|h1|faultstring)(?:\s[^>]{0,200})?>\s*([^<]{1,400})")
"""What a page of a proxy, or a SOAP fault, says."""
ESCAPES = {r"\"": '"', r"\\": "\\", r"\/": "/", r"\n": " ", r"\t": " "}
ESCAPE = re.compile(r'\\["\\/nt]')
BLANKS = re.compile(r"\s+")


def summary(event: dict[str, Any]) -> str:
    """The fault's status and message where there is one, else how the payload begins."""
    payload = event["event_payload"]
    fault = _beginning(payload.get("base64_encoded_fault_json"))
    if fault:
        status, messages = STATUS.search(fault), dict(MESSAGE.findall(fault))
        best = next((messages[name] for name in NAMES if name in messages), None)
        if best is None and (of_field := OF_FIELD.search(fault)):
            best = f"{of_field[1]}: {of_field[2]}"
        if best is not None:
            told = f"{status[1]} {best}" if status else best
            return _short(ESCAPE.sub(lambda found: ESCAPES[found[0]], told))
        if fault.lstrip().startswith("<") and (marked := MARKED.search(fault)):
            return _short(html.unescape(marked[1]))
        return _short(fault)
    return _short(_beginning(payload.get("base64_encoded_payload_json")))


def _beginning(encoded: str | None) -> str:
    if not encoded:
        return ""
    try:
        return base64.b64decode(encoded[:ENCODED_MAX]).decode(errors="replace")
    except (binascii.Error, ValueError):
        return ""


def _short(text: str) -> str:
    return BLANKS.sub(" ", text[: 2 * SHOWN_MAX]).strip()[:SHOWN_MAX]
