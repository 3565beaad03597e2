"""A full disk, said in words: the errors that mean it, and how much is left."""

import errno
import shutil
from pathlib import Path

START_BYTES_MIN = 10_000_000
"""A start writes 1 MB; with less than this it would end soon after, at many places at once."""
MARKS = ("NOT_ENOUGH_SPACE", "No space left on device", "Disk quota exceeded")
"""How the servers' logs say it."""


def is_cause(error: OSError) -> bool:
    """Whether `error` says that a disk, or the share of it that one may use, is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def is_reported(log: str) -> bool:
    """Whether a server's `log` says so."""
    return any(mark in log for mark in MARKS)


def sentence(folder: Path) -> str:
    """The sentence about the disk that holds `folder`, which may not exist yet."""
    free_mb = free_bytes(folder) / 1e6
    return f"The disk is full: {free_mb:,.1f} MB are free where {folder} lies. Make room there."


def free_bytes(folder: Path) -> int:
    """What is free on the disk that holds `folder`, which may not exist yet."""
    there = next(each for each in (folder, *folder.parents) if each.is_dir())
    return shutil.disk_usage(there).free
