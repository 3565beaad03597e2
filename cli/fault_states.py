"""`events faults resolve|known|quiet|reopen`: what is said of a kind of failure."""

from typing import Annotated, Any

import typer

from cli.answers import show_json
from cli.endpoints import endpoints
from cli.options import HOME, PORT_BASE, TENANT, HomeOption, PortBaseOption, TenantOption
from cli.subscription_requests import ask, quoted
from contracts import paths

KindArgument = Annotated[str, typer.Argument(metavar="ID", help="The kind's id.")]
NoteOption = Annotated[str, typer.Option("--note", help="Why, for whoever sees it next.")]


def resolve(
    fingerprint: KindArgument,
    note: NoteOption = "",
    tenant: TenantOption = TENANT,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Say that a kind is mended: it opens again with the next failure."""
    _say("resolved", fingerprint, note, tenant, home, port_base)


def known(
    fingerprint: KindArgument,
    note: NoteOption = "",
    tenant: TenantOption = TENANT,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Say that a kind is known: it stays so until somebody says something else."""
    _say("known", fingerprint, note, tenant, home, port_base)


def quiet(
    fingerprint: KindArgument,
    until_count: Annotated[int, typer.Option("--until-count", min=1, help="Failures from now on.")],
    note: NoteOption = "",
    tenant: TenantOption = TENANT,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Say that a kind is of no interest until so many failures more have come."""
    _say("quiet", fingerprint, note, tenant, home, port_base, until_count=until_count)


def reopen(
    fingerprint: KindArgument,
    note: NoteOption = "",
    tenant: TenantOption = TENANT,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Take back what was said of a kind."""
    _say("open", fingerprint, note, tenant, home, port_base)


def _say(
    state: str, fingerprint: str, note: str, tenant: str, home: Any, port_base: Any, **more: Any
) -> None:
    said = {"state": state, "note": note} | more
    path = paths.FAULT_STATE.format(fingerprint=quoted(fingerprint))
    show_json(ask(endpoints(home, port_base), tenant, "PUT", path, json=said).text)
