"""docs/reference/settings.md, from the models of the settings."""

from cli.settings import as_markdown
from docs.make.markdown import GENERATED

TEXT = """# Settings

{generated}Environment variables, read once at start. `events settings` lists them, `python -m ingest --help` those of one service.

- A value that cannot be, or an unknown name with `__` (`EVENTS_HTTP__PORTT`), ends the start with exit code 2 and a line that
  names the variable. Other unknown `EVENTS_` names are warned of: Kubernetes sets some by itself.
- `EVENTS_SECRETS_DIR` names a folder of files that are named like variables and hold their values: [secrets](../operate/deploy.md#secrets).
- The local stack takes none from the shell: `events up --set NAME=VALUE` (kept in its home, shown by `events status`) and
  `events up --unset NAME`.
- AWS credentials come from the standard chain (environment, profile, role).

{table}
"""


def page() -> str:
    """The page."""
    return TEXT.format(generated=GENERATED, table=as_markdown())
