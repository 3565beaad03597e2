"""`python -m query`: settings, application, server."""

from query.settings import QuerySettings
from service.http.app import serve
from service.logs import configure
from service.settings import explain, load_or_exit

if __name__ == "__main__":
    explain("python -m query", "The query service: events by id, searches.", QuerySettings)
    configure("query")
    serve("query.app:from_environment", load_or_exit(QuerySettings).http)
