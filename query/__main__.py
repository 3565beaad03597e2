"""`python -m query`: settings, application, server."""

from query.settings import QuerySettings
from service.app import serve
from service.logs import configure

if __name__ == "__main__":
    configure("query")
    serve("query.app:from_environment", QuerySettings().http)
