"""`python -m ingest`: settings, application, server."""

from ingest.app import create_app
from ingest.settings import IngestSettings
from service.app import serve
from service.logs import configure

if __name__ == "__main__":
    configure("ingest")
    settings = IngestSettings()
    serve(create_app(settings), settings.http)
