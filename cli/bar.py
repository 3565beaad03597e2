"""The progress bar of `events post`, on standard error; nothing of it where that is no terminal."""

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

NOTE_CHARACTERS_MAX = 60


class Bar:
    """Counts events and bytes of `total_bytes`, None when only the end of a stream tells."""

    def __init__(self, total_bytes: int | None) -> None:
        console = Console(stderr=True)
        columns = (
            BarColumn(),
            DownloadColumn(),
            TextColumn("{task.fields[events]:,} events"),
            TimeRemainingColumn(),
            TextColumn("{task.description}", markup=False),
        )
        self._progress = Progress(*columns, console=console, disable=not console.is_terminal)
        self._events = 0
        self._task: TaskID = self._progress.add_task("", total=total_bytes, events=0)

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def note(self, text: str) -> None:
        """Show `text` beside the bar."""
        self._progress.update(self._task, description=text[:NOTE_CHARACTERS_MAX])

    def line(self, text: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def advance(self, events: int, size_bytes: int) -> None:
        """So many events are done."""
        self._events += events
        self._progress.update(self._task, advance=size_bytes, events=self._events, description="")
