"""`events erase`: an event goes for good, on somebody's request."""

from typing import Annotated

import typer

from cli.answers import fail, why
from cli.endpoints import endpoints
from cli.options import HOME, PORT_BASE, TENANT, HomeOption, PortBaseOption, TenantOption


def erase(
    event_id: Annotated[str, typer.Argument(metavar="ID", help="The event's id.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    tenant: TenantOption = TENANT,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Erase one event: it is found no more, and a rebuild does not bring it back.

    Kafka keeps its bytes until the topic's retention ends, and what was delivered to queues stays there.

    \b
    events erase 0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2b
    events erase 0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2b --tenant acme --yes
    """
    import httpx

    where = endpoints(home, port_base)
    if not yes:
        typer.confirm(f"Erase event {event_id} of {tenant} at {where.api}?", abort=True)
    answer = where.ask_about(event_id, "DELETE", tenant)
    if answer.status_code != httpx.codes.NO_CONTENT:
        fail(f"Not erased: {why(answer)}")
