"""The templates: Jinja2, everything escaped, a name that is missing an error."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from console.html import charts, text, times
from console.html.assets import Assets
from contracts.criteria import instant_ms, rfc_3339

FOLDER = Path(__file__).parent.parent / "templates"


def environment(assets: Assets) -> Environment:
    """The templates' environment; each is compiled when it is first used."""
    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "foreign": text.foreign,
        "marked": text.marked,
        "plain": text.plain,
        "number": number,
        "ago": times.ago,
        "duration": times.duration,
        "rfc_3339": rfc_3339,
        "ms": instant_ms,
        "json": text.json_text,
        "labels": text.labels,
        "queue_name": text.queue_name,
        "made_at": times.made_at,
    }
    shared: dict[str, Any] = {
        "asset": assets.url,
        "chart": charts.chart,
        "sparkline": charts.sparkline,
        "RELATIVE": times.RELATIVE,
        "quoted": text.quoted,
    }
    made.globals |= shared
    return made


def number(count: float) -> str:
    """A count with its thousands apart."""
    return f"{count:,}"
