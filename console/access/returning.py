"""Where a browser comes back to after a sign-in: a page of the console, and nowhere else."""

import re
from urllib.parse import urlsplit

from starlette.requests import Request

PATH_CHARACTERS_MAX = 2_000
_path = re.compile(
    r"/(?![/\\])[!-\[\]-~]*"
)  # printable ASCII but the backslash, which browsers turn
_own = re.compile(r"/(sign-in|sign-out|signed-out)(?![^/?#])")


def safe_path(text: str) -> str:
    """`text` if it is a path of the console, else the first page."""
    is_path = len(text) <= PATH_CHARACTERS_MAX and _path.fullmatch(text) is not None
    return text if is_path and not _own.match(text) else "/"


def here(request: Request) -> str:
    """The page that `request` asks for; for what is no page the one that it came from."""
    if request.method in ("GET", "HEAD") and is_navigation(request):
        query = request.scope["query_string"].decode("latin-1")
        path = request.scope["raw_path"].decode("latin-1")
        return safe_path(f"{path}?{query}" if query else path)
    came_from = urlsplit(request.headers.get("referer", ""))
    if came_from.netloc != request.headers.get("host"):
        return "/"
    query = f"?{came_from.query}" if came_from.query else ""
    return safe_path(came_from.path + query)


def is_navigation(request: Request) -> bool:
    """Whether a person goes to a page; else a script asks, who cannot follow to the issuer."""
    mode = request.headers.get("sec-fetch-mode")
    if mode is not None:
        return mode == "navigate"
    return "x-part" not in request.headers
