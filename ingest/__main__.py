"""`python -m ingest`: settings, application, server."""

from ingest.settings import IngestSettings
from service.http.app import serve
from service.logs import configure
from service.settings import explain, load_or_exit

if __name__ == "__main__":
    explain("python -m ingest", "The edge: HTTP in, Kafka out.", IngestSettings)
    configure("ingest")
    serve("ingest.app:from_environment", load_or_exit(IngestSettings).http)
