"""`python -m tests.faults.forkserver`: starts materializers in milliseconds, by fork.

Reads lines of JSON `{"entry": "module:coroutine", "environment": {...}, "log": path}` and answers each
with a process id. A child is the materializer as `python -m processors materialize` runs it, without
the second that Python takes to import it. When the input ends, every child is killed.
"""

import importlib
import json
import os
import signal
import sys
import traceback
from functools import partial
from typing import Any
from unittest import mock

import psutil
import uvloop
from faststream.kafka import KafkaBroker

import processors.consume.run
import tests.faults.unprotected  # noqa: F401  # all is imported once, before the fork
from processors.settings import LedgerSettings
from service.logs import configure


def client_id(pid: int) -> str:
    """The Kafka client id of the materializer in the process `pid`."""
    return f"materialize-{pid}"


def become(request: dict[str, Any]) -> int:
    """Run the entry to its end, in the child; its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for opened, standard in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(opened, standard)
    os.environ.update(request["environment"])
    configure("materialize")
    module, name = request["entry"].split(":")
    entry = getattr(importlib.import_module(module), name)
    named = partial(KafkaBroker, client_id=client_id(os.getpid()))  # so that it can be evicted
    try:
        with mock.patch.object(processors.consume.run, "KafkaBroker", named):
            uvloop.run(entry(LedgerSettings()))
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def main() -> None:
    """Serve requests until the input ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children leave no zombies
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os._exit(become(json.loads(line)))
        print(child, flush=True)
    for left in psutil.Process().children():
        left.kill()


if __name__ == "__main__":
    main()
