"""`python -m tests.forkserver`: runs modules of ours without the second that Python takes to import them.

Reads lines of JSON (`module`, `arguments`, `environment`, `folder` and the paths `stdin`, `stdout` and
`stderr`), forks a child that is `python -m module arguments`, and answers with its exit code at its end.
With the path `ended`, a pipe, it answers with its process id at once and writes the exit code there.
"""

import gc
import importlib
import json
import os
import runpy
import sys
from typing import IO, Any

from tests import certificates

BROUGHT = (
    *("httpx", "psutil", "prompt_toolkit", "rich.box", "rich.console", "rich.table", "rich.text"),
    *("local.jars", "local.learned", "local.settings", "local.state", "cli.servers", "cli.sender"),
    *("processors.upkeep.commands", "processors.upkeep.deliveries.command"),
    *("processors.upkeep.migrating", "processors.upkeep.operator"),
)
"""What commands import when they are run."""
ROUTER = ("boto3", "processors.deliver.destinations.sqs.queues", "processors.deliver.router")
"""What a processor imports when it is the router."""
MORE = {"cli": BROUGHT, "processors": ROUTER}


def bring(module: str) -> None:
    """Import all that it does, not itself: the child runs it as `__main__`."""
    name = module
    if hasattr(importlib.import_module(module), "__path__"):
        name = f"{module}.__main__"
        importlib.import_module(name)
    for more in MORE.get(module, ()):
        importlib.import_module(more)
    del sys.modules[name]
    gc.freeze()


def become(request: dict[str, Any]) -> None:
    """Stand as a process that a shell has just started, and run to its end."""
    written = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    opened = (("stdin", os.O_RDONLY), ("stdout", written), ("stderr", written))
    for standard, (name, how) in enumerate(opened):
        descriptor = os.open(request[name], how)
        os.dup2(descriptor, standard)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    sys.argv = [request["module"], *request["arguments"]]
    if request["module"] == "cli":  # by the name that it is installed under
        from cli.main import app

        app(request["arguments"], prog_name="events")
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
    sys.exit(0)


def run(request: dict[str, Any], answers: IO[str]) -> int:
    """The exit code of a child that is run to its end."""
    child = os.fork()
    if child == 0:
        answers.close()
        become(request)  # exits
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def start(request: dict[str, Any], answers: IO[str]) -> None:
    """Have a child that goes on, and one that waits for its end."""
    while _ended_before():
        pass
    if os.fork():
        return
    ended = os.open(request["ended"], os.O_WRONLY)
    child = os.fork()
    if child == 0:
        os.close(ended)
        answers.close()
        become(request)  # exits
    print(child, file=answers, flush=True)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.write(ended, b"%d" % code)
    os._exit(0)


def _ended_before() -> bool:
    """Whether one that waited has ended, of which the system keeps nothing then."""
    try:
        return os.waitpid(-1, os.WNOHANG)[0] > 0
    except ChildProcessError:
        return False


def main() -> None:
    """Serve requests until the input ends."""
    certificates.read_once()
    brought: set[str] = set()
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        request = json.loads(line)
        if request["module"] not in brought:
            bring(request["module"])
            brought.add(request["module"])
        if "ended" in request:
            start(request, answers)
        else:
            print(run(request, answers), file=answers, flush=True)


if __name__ == "__main__":
    main()
