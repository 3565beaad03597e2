"""`python -m query`: settings, application, server."""

from query.app import create_app
from query.settings import QuerySettings
from service.app import serve
from service.logs import configure

if __name__ == "__main__":
    configure("query")
    settings = QuerySettings()
    serve(create_app(settings), settings.http)
