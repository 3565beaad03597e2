"""Options of `events subscriptions create` and `edit` that say how events are delivered.

Each is a member of the subscription's `delivery`; bounds are the API's to judge.
"""

import re
from typing import Annotated, Any

import typer

UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"([0-9]{1,7})([smhd]?)")


def seconds(text: str) -> int:
    """`90`, `90s`, `15m`, `36h` or `7d` in seconds. Raises `typer.BadParameter`."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise typer.BadParameter("a whole number of seconds, or one with s, m, h or d behind it")
    return int(found[1]) * UNITS_S[found[2]]


FairnessOption = Annotated[
    str | None,
    typer.Option(
        metavar="none|tenant|entity",
        help="Whose messages a standard queue holds back when they crowd out others.",
        show_default=False,
    ),
]
MessagesPerSOption = Annotated[
    int | None,
    typer.Option(min=0, help="Most messages a second; 0: no limit.", show_default=False),
]
RetryForOption = Annotated[
    int | None,
    typer.Option(
        parser=seconds,
        metavar="DURATION",
        help="How long an event is tried before it is given up: 90s, 15m, 36h, 7d; 0: the operator's.",
        show_default=False,
    ),
]
RetryPauseOption = Annotated[
    int | None,
    typer.Option(
        "--retry-pause-max",
        parser=seconds,
        metavar="DURATION",
        help="The longest pause between two tries; 0: the operator's.",
        show_default=False,
    ),
]
DeadLetterOption = Annotated[
    str | None,
    typer.Option(
        metavar="ARN", help="A queue that gets what is given up; '': none.", show_default=False
    ),
]


def settings_given(
    fairness: str | None,
    messages_per_s: int | None,
    retry_for: int | None,
    retry_pause: int | None,
    dead_letter: str | None,
) -> dict[str, Any]:
    """The members that were given; 0 and '' are null, which takes a member back to its default."""
    queue = {"type": "sqs", "arn": dead_letter} if dead_letter else dead_letter
    given = {
        "fairness": fairness,
        "messages_per_s": messages_per_s,
        "retry_for_s": retry_for,
        "retry_pause_max_s": retry_pause,
        "dead_letter": queue,
    }
    return {name: value or None for name, value in given.items() if value is not None}
