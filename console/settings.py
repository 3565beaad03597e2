"""Settings of the console, read from the environment once, by `__main__`."""

from pydantic import BaseModel, Field

from service.connections import Http
from service.settings import Settings


class Console(BaseModel, frozen=True):
    """How the pages are made."""

    api_url: str = Field(
        "http://127.0.0.1:8800", description="The public API that the console is a client of."
    )
    api_timeout_s: float = Field(
        15, gt=0, description="Deadline of one of its answers; above EVENTS_SEARCH_TIMEOUT_S."
    )
    api_connections_max: int = Field(
        100, ge=1, description="Connections to it; requests beyond wait within their deadline."
    )
    search_s: float = Field(
        20, gt=0, description="How long one page looks for events; it can be continued from there."
    )
    tails_max: int = Field(
        2_000, ge=1, description="Live tails of one process; more are answered 503."
    )


class ConsoleSettings(Settings):
    """The console."""

    http: Http = Http()
    console: Console = Console()
