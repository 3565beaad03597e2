"""The progress bar of a job, on standard error; nothing of it where that is no terminal."""

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class JobBar:
    """Shows how many of a job's events are handled, and what became of them."""

    def __init__(self, job: dict[str, Any]) -> None:
        console = Console(stderr=True)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[told]}"),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, console=console, disable=not console.is_terminal)
        self._task = self._progress.add_task("", total=job["count"], told="")
        self.show(job)

    def __enter__(self) -> "JobBar":
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def show(self, job: dict[str, Any]) -> None:
        """How far it is now."""
        done = sum(each["done"] for each in job["partitions"])
        told = ", ".join(f"{job[name]:,} {name}" for name in ("dead", "missing") if job[name])
        self._progress.update(self._task, description=job["state"], completed=done, told=told)
