"""`python -m cli`: the `events` command without its script."""

from cli.main import app

if __name__ == "__main__":
    app(prog_name="events")
