"""`python -m ingest`: settings, application, server."""

from ingest.settings import IngestSettings
from service.app import serve
from service.logs import configure

if __name__ == "__main__":
    configure("ingest")
    serve("ingest.app:from_environment", IngestSettings().http)
