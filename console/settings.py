"""Settings of the console, read from the environment once, by `__main__`."""

from urllib.parse import urlsplit

from pydantic import BaseModel, Field, field_validator

from console.access.metadata import is_protected
from console.access.settings import SessionSettings, SignInSettings
from service.connections import Access, Http
from service.settings import Settings


class Console(BaseModel, frozen=True):
    """How the pages are made."""

    url: str = Field(
        "http://127.0.0.1:8810",
        description="The console's own address as browsers see it: https, or http on this machine alone.",
    )
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
    tails_of_tenant_max: int = Field(
        1_000, ge=1, description="Live tails of one tenant in a process; more are answered 429."
    )

    @field_validator("url")
    @classmethod
    def _is_an_origin(cls, url: str) -> str:
        parts = urlsplit(url)
        if not is_protected(url) or f"{parts.scheme}://{parts.netloc}" != url.rstrip("/"):
            raise ValueError("must be https://host or http://127.0.0.1:port, without a path")
        return url.rstrip("/")


class ConsoleSettings(Settings):
    """The console."""

    http: Http = Http()
    console: Console = Console()
    access: Access = Access()
    sign_in: SignInSettings = SignInSettings()
    session: SessionSettings = SessionSettings()
