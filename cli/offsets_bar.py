"""The progress bar of `events audit` and `events rebuild`, on standard error; only on a terminal."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class OffsetsBar:
    """Shows what is being done and how many offsets of it are done."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("offsets"),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, console=console, disable=not console.is_terminal)
        self._task = self._progress.add_task("connecting", total=None)

    def __enter__(self) -> "OffsetsBar":
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def __call__(self, doing: str, done: int, total: int) -> None:
        """See `processors.consume.replay.Progress`."""
        self._progress.update(self._task, description=doing, completed=done, total=total)
