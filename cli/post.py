"""`events post`: one event or many, from a file or standard input."""

import itertools
import re
import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from cli.answers import complain, fail
from cli.endpoints import endpoints
from cli.event_file import PAUSE, Unreadable, read_events, size_bytes
from cli.options import HOME, PORT_BASE, TENANT, HomeOption, PortBaseOption, TenantOption

if TYPE_CHECKING:
    from cli.batch import Batch
    from cli.sender import Sender

INTERRUPTED = 130
AT_A_TERMINAL = (
    "Waiting for events, JSON or NDJSON. Ctrl-D on a line of its own ends them, Ctrl-C leaves."
)


def a_key(text: str | None) -> str | None:
    """`text` if a header takes it, with a batch's number behind it."""
    if text is not None and not re.fullmatch(r"[!-~]{1,200}", text):
        raise typer.BadParameter("1 to 200 visible ASCII characters")
    return text


def post(
    file: Annotated[
        typer.FileBinaryRead,
        typer.Argument(
            default_factory=lambda: "-",
            show_default=False,
            help="A JSON event, an array of them or NDJSON. Left out, or -: standard input.",
        ),
    ],
    tenant: TenantOption = TENANT,
    idempotency_key: Annotated[
        str | None,
        typer.Option(
            callback=a_key,
            help="Names these events: posted again under it, from the same file with the same"
            " --batch-size, each still counts once. A new one for each run when left out.",
        ),
    ] = None,
    batch_size: Annotated[
        int, typer.Option(min=1, max=10_000, help="Most events of one request.")
    ] = 1000,
    at_once: Annotated[int, typer.Option(min=1, max=64, help="Requests at the same time.")] = 4,
    retry_for_s: Annotated[
        float, typer.Option("--retry-for", min=0, help="Seconds to go on trying with one request.")
    ] = 60,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Post events; exit code 1 when any of them was not accepted.

    Many are sent in compressed batches. What is refused is named on standard error by its line and
    its fields; the rest goes on. What fails for a while is sent again and counts once.

    \b
    events post examples/event.json        one event; prints what the API answers
    events post events.ndjson              many, with a progress bar and a summary
    zcat old.gz | events post -            from standard input, of any length
    events post --at-once 1 events.ndjson  in the order of the file
    events post --idempotency-key monday events.ndjson
                                           may be repeated, after a crash too: what was accepted
                                           counts once, as does a file that has grown since
    """
    from cli.batch import cut
    from cli.posting import post_one
    from cli.sender import Sender

    where, name = endpoints(home, port_base), getattr(file, "name", "standard input")
    total_bytes = size_bytes(file)
    if file.isatty():
        typer.echo(AT_A_TERMINAL, err=True)
    try:
        events = read_events(file)
        head = list(itertools.islice((item for item in events if item is not PAUSE), 2))
    except Unreadable as error:
        fail(f"{name}: {error}")
    if not head:
        fail(f"{name} holds no event.")
    key = idempotency_key or str(uuid.uuid4())
    if len(head) == 1:

        def again(reason: str) -> None:
            complain(f"{reason}; trying again, for {retry_for_s:g} s at the most")

        with Sender(where, tenant, retry_for_s, again) as sender:
            post_one(sender, head[0], f"{key}-1")
        return
    is_repeatable = idempotency_key is not None or total_bytes is not None
    if is_repeatable and idempotency_key is None:
        typer.echo(f"Should this end early, repeat it with --idempotency-key {key}", err=True)
    batches = cut(itertools.chain(head, events), key, batch_size, at_pauses=not is_repeatable)
    _post_many(batches, partial(Sender, where, tenant, retry_for_s), at_once, total_bytes)


def _post_many(
    batches: "Iterator[Batch]",
    sender_of: "Callable[[Callable[[str], None]], Sender]",
    at_once: int,
    total_bytes: int | None,
) -> None:
    """Post `batches` and say what came of them. Exits 1 unless all events were accepted."""
    from cli.bar import Bar
    from cli.posting import Report, post_all

    began_s = time.monotonic()
    with Bar(total_bytes) as bar:
        report = Report(bar)
        try:
            with sender_of(report.retry) as sender:
                post_all(sender, batches, at_once, report)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        finally:
            bar.line(report.summary(time.monotonic() - began_s))
    if report.stopped:
        fail(f"Stopped at {report.stopped}. What follows it was not sent. See: events status")
    if report.rejected:
        raise typer.Exit(1)
