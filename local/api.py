"""`python -m local.api`: ingest and query on one port, as a proxy joins them in production."""

import contextlib
from collections.abc import AsyncIterator

from starlette.types import ASGIApp

from ingest.app import Edge
from ingest.settings import IngestSettings
from query.app import Reader
from query.settings import QuerySettings
from service.http.app import Front, asgi_app, serve
from service.http.asgi import Resources
from service.logs import configure
from service.settings import explain, load_or_exit


def create_app(ingest: IngestSettings, query: QuerySettings) -> ASGIApp:
    """The ASGI application: both services' handlers by path and method."""
    edge, reader = Edge(ingest), Reader(query)
    resources: Resources = {}
    for path, handlers in [*edge.resources().items(), *reader.resources().items()]:
        resources.setdefault(path, {}).update(handlers)

    async def waiting_for() -> list[str]:
        return [*await edge.waiting_for(), *await reader.waiting_for()]

    @contextlib.asynccontextmanager
    async def running() -> AsyncIterator[None]:
        async with edge.running(), reader.running():
            yield

    measured = [*edge.collectors(), *reader.collectors()]
    return asgi_app(resources, waiting_for, running, Front(ingest.http, measured))


if __name__ == "__main__":
    explain("python -m local.api", "Ingest and query on one port.", IngestSettings, QuerySettings)
    configure("api")
    settings = load_or_exit(IngestSettings)
    serve(create_app(settings, load_or_exit(QuerySettings)), settings.http)
