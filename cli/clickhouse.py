"""One statement sent to ClickHouse over HTTP: answered in pieces, ended with Ctrl-C, refused in short."""

import contextlib
import re
import uuid
from collections.abc import Iterator, Mapping

import httpx

from cli.answers import TIMEOUT_S

DATABASE = "events"
QUERY_TIMEOUT_S = 600.0  # between two parts of an answer
KILL_TIMEOUT_S = 5.0
MESSAGE_CHARACTERS_MAX = 240

_ERROR = re.compile(
    r"Code: (?P<code>[0-9]+)\. DB::Exception: (?P<message>.*?)"
    r"(?: \((?P<name>[A-Z][A-Z0-9_]+)\))?(?: \(version .*\))?\s*",
    re.DOTALL,
)
_TOO_LONG = re.compile(
    r"\. Expected one of: .*|\.? *\n?Stack trace:.*"
    r"|\s+SETTINGS log_comment = .*",  # what the local server puts behind the statement
    re.DOTALL,
)


class Refused(Exception):
    """ClickHouse's reason, short enough for a line or two."""


@contextlib.contextmanager
def answered(
    url: str, sql: str, format_: str, settings: Mapping[str, str] | None = None
) -> Iterator[httpx.Response]:
    """The answer, to be read while this is open. Interrupted, ClickHouse is told to stop.

    Raises `Refused`, and `httpx.TransportError` where nobody answers or the answer breaks off.
    """
    mark = f"events sql {uuid.uuid4()}"
    parameters = {"database": DATABASE, "default_format": format_, "log_comment": mark}
    timeout = httpx.Timeout(TIMEOUT_S, read=QUERY_TIMEOUT_S)
    try:
        with httpx.stream(
            "POST",
            url,
            params=parameters | dict(settings or {}),
            content=sql.encode(),
            timeout=timeout,
        ) as answer:
            if answer.status_code != httpx.codes.OK:
                raise Refused(short(answer.read().decode(errors="replace")))
            yield answer
    except KeyboardInterrupt:
        _stop(url, mark)
        raise


def short(text: str) -> str:
    """An error of ClickHouse without its version, stack and list of all that could have stood there."""
    found = _ERROR.fullmatch(text.strip())
    code, name = (found["code"], found["name"]) if found else ("", "")
    message = " ".join(_TOO_LONG.sub("", found["message"] if found else text).split())
    if len(message) > MESSAGE_CHARACTERS_MAX:
        message = message[:MESSAGE_CHARACTERS_MAX] + "\N{HORIZONTAL ELLIPSIS}"
    what = ", ".join(part for part in (f"Code: {code}" if code else "", name or "") if part)
    return f"{what}: {message}" if what else message


def _stop(url: str, mark: str) -> None:
    """Kill the query of this mark, as well as can be: it may have ended, or the server be away.

    A comment finds it, not its id: the local server gives queries ids of its own.
    """
    kill = f"KILL QUERY WHERE Settings['log_comment'] = '{mark}' ASYNC"
    with contextlib.suppress(httpx.TransportError):
        httpx.post(url, content=kill, timeout=KILL_TIMEOUT_S)
