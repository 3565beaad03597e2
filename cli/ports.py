"""Whether the stack's ports are free, who holds one that is not, and which ones would do instead."""

import socket

from cli.answers import fail
from local.stack import Ports

BASE_STEP = 100
BASE_MAX = 65000


def require_free_ports(port_base: int) -> None:
    """Exit 1 with one sentence when a port of the stack is taken."""
    for name, port in Ports(port_base).by_name.items():
        if not _is_free(port):
            bases = range(port_base + BASE_STEP, BASE_MAX, BASE_STEP)
            free = (b for b in bases if all(map(_is_free, Ports(b).by_name.values())))
            fail(
                f"Port {port} for {name} is taken{_holder(port)}. Stop that, or choose other"
                f" ports: events up --port-base {next(free, 'N')}"
            )


def _is_free(port: int) -> bool:
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _holder(port: int) -> str:
    """Who listens on `port`, as far as this user may know."""
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:
        return ""
    return ""
