"""The generated pages of docs/reference/: file name to text. `python -m docs.make` writes them."""

from pathlib import Path

from docs.make import http_api, metrics, settings, topics

REFERENCE = Path(__file__).parents[1] / "reference"


def pages() -> dict[str, str]:
    """Every generated page that needs no database; `docs.make.tables` has the one that does."""
    return {
        "http-api.md": http_api.page(),
        "metrics.md": metrics.page(),
        "settings.md": settings.page(),
        "topics.md": topics.page(),
    }
