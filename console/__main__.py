"""`python -m console`: settings, application, server."""

from console.settings import ConsoleSettings
from service.http.app import serve
from service.logs import configure
from service.settings import explain, load_or_exit

if __name__ == "__main__":
    explain("python -m console", "The console: pages over the public API.", ConsoleSettings)
    configure("console")
    serve("console.app:from_environment", load_or_exit(ConsoleSettings).http)
