"""Files for their owner alone: secrets that are made at the first start and stay."""

import os
import secrets
from pathlib import Path


def kept_secret(path: Path) -> str:
    """The secret in the file at `path`, made when there is none."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(path, secrets.token_urlsafe(24).encode())
    return path.read_text()


def write_private(path: Path, content: bytes) -> None:
    """Write a file with mode 0600 that is either there and whole or not there, also after a crash."""
    scratch = path.with_name(path.name + ".new")
    scratch.unlink(missing_ok=True)  # a crash left it
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    scratch.replace(path)
