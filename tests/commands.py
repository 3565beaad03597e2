"""`python -m tests.commands SOCKET`: runs `events` for the shells of tests, without the import for each.

`on_path` puts an `events` into a folder that hands its arguments, environment and open files to this
process, which forks the command, and ends as that one does. Ended by a signal, it ends the command.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.forkserver import become, bring

COMMAND = """\
#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    asked = {{"arguments": sys.argv[1:], "environment": dict(os.environ), "folder": os.getcwd()}}
    socket.send_fds(server, [json.dumps(asked).encode() + b"\\n"], [0, 1, 2])
    sys.exit(int(server.recv(16)))
"""
BYTES_MAX = 1 << 20


@contextlib.contextmanager
def on_path(folder: Path) -> Iterator[Path]:
    """The folder of an `events` that runs in no time, as long as the context is open."""
    places = folder / "commands"
    places.mkdir()
    address = str(places / "socket")
    command = places / "events"
    command.write_text(COMMAND.format(python=sys.executable, address=address))
    command.chmod(0o755)
    argv = [sys.executable, "-m", "tests.commands", address]
    pipe = subprocess.PIPE  # its own input too: Python remembers of it that it cannot be sought in
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        try:
            yield places
        finally:
            server.kill()


def serve(connection: socket.socket) -> None:
    """Run one command to its end, and say its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    asked, (stdin, stdout, stderr), _, _ = socket.recv_fds(connection, BYTES_MAX, 3)
    while not asked.endswith(b"\n"):
        asked += connection.recv(BYTES_MAX)
    files = {"stdin": stdin, "stdout": stdout, "stderr": stderr}
    opened = {name: f"/dev/fd/{number}" for name, number in files.items()}
    child = os.fork()
    if child == 0:
        connection.close()
        become({"module": "cli"} | json.loads(asked) | opened)  # exits
    for each in files.values():
        os.close(each)
    threading.Thread(target=_end_with_its_shell, args=(connection, child), daemon=True).start()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with contextlib.suppress(BrokenPipeError):
        connection.sendall(b"%d" % code)


def _end_with_its_shell(connection: socket.socket, child: int) -> None:
    if not connection.recv(1):
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGTERM)


def main() -> None:
    """Serve shells until killed."""
    bring("cli")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children leave no zombies
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(sys.argv[1])
        listening.listen(16)
        print("ready", flush=True)
        while True:
            connection, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                serve(connection)
                os._exit(0)
            connection.close()


if __name__ == "__main__":
    main()
