"""Static files: read once at start, named by their content, compressed, kept by browsers for ever.

A module that imports another names it by its plain name; the name in what is served is the hashed one.
"""

import gzip
import hashlib
import re
from pathlib import Path
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

FOLDER = Path(__file__).parent.parent / "static"
KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
FOR_EVER = "public, max-age=31536000, immutable"
IMPORT = re.compile(rb'(?<=")\./([a-z_]+\.js)(?=")')


class Asset(NamedTuple):
    """One file as it is served."""

    name: str
    kind: str
    content: bytes
    compressed: bytes


class Assets:
    """All static files by their plain and by their hashed names."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self._by_plain: dict[str, Asset] = {}
        for path in sorted(folder.iterdir()):
            self._load(path.name)
        self._by_name = {asset.name: asset for asset in self._by_plain.values()}

    def _load(self, plain: str) -> Asset:
        """The file `plain`, after those that it imports."""
        if plain not in self._by_plain:
            path = self._folder / plain
            content = IMPORT.sub(
                lambda found: b"./" + self._load(found[1].decode()).name.encode(),
                path.read_bytes(),
            )
            digest = hashlib.sha256(content).hexdigest()[:12]
            name = f"{path.stem}.{digest}{path.suffix}"
            compressed = gzip.compress(content, 9, mtime=0)
            self._by_plain[plain] = Asset(name, KINDS[path.suffix], content, compressed)
        return self._by_plain[plain]

    def url(self, plain: str) -> str:
        """Where the file `plain` is served. Raises `KeyError`."""
        return f"/static/{self._by_plain[plain].name}"

    async def serve(self, request: Request) -> Response:
        """Answer GET of one static file."""
        asset = self._by_name.get(request.path_params["name"])
        if asset is None:
            return PlainTextResponse("There is no such file.\n", 404)
        headers = {"Content-Type": asset.kind, "Cache-Control": FOR_EVER, "Vary": "Accept-Encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(asset.compressed, headers=headers | {"Content-Encoding": "gzip"})
        return Response(asset.content, headers=headers)
