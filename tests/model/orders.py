"""The rules of the machine in random orders, some hundreds a second; one that fails is made short.

Hypothesis chooses more cleverly and reduces anything; each of its orders costs it fifty times as much as
the machine. Here an order is a list of (rule, arguments), and reducing it is to leave steps out.
"""

import random
import traceback
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from tests.model.machine import HOURS, Events
from tests.model.world import HOUR_MS, PROCESSES

LENGTHS = (8, 110)
ARGUMENTS: dict[str, Callable[[random.Random], Any]] = {
    "at": lambda it: it.randrange(60),
    "batch": lambda it: it.randint(1, 4),
    "body": lambda it: it.randrange(2),
    "damage": lambda it: it.choice(["altered", "lost", "doubled"]),
    "entity": lambda it: it.choice("ab"),
    "fails": lambda it: it.random() < 0.5,
    "fate": lambda it: it.choice(["finished", "dropped", "paused"]),
    "hours": lambda it: it.choice(HOURS),
    "key": lambda it: it.choice(["", "k", "k"]),
    "kind": lambda it: it.choice(["new", "copy"]),
    "lost": lambda it: it.randrange(3),
    "restored": lambda it: it.random() < 0.5,
    "room": lambda it: it.random() < 0.5,
    "shares": lambda it: it.randrange(PROCESSES**3),
    "skew_ms": lambda it: it.choice([0, 0, -HOUR_MS, HOUR_MS, 60_000]),
    "steps": lambda it: it.randint(1, 60),
    "ttl": lambda it: it.random() < 0.5,
}
"""What an argument of this name may be."""
RULES: dict[str, Any] = {
    name: value.hypothesis_stateful_rule
    for name, value in vars(Events).items()
    if hasattr(value, "hypothesis_stateful_rule")
}

Step = tuple[str, dict[str, Any]]
Order = list[Step]


def found(orders: int, seed: int) -> tuple[Order, Exception] | None:
    """The first of so many orders that fails, and how."""
    for number in range(seed, seed + orders):
        order: Order = []
        if error := failure(_random(random.Random(number)), order):
            return order, error
    return None


def _random(chance: random.Random) -> Iterator[Step]:
    names = sorted(RULES)
    for _ in range(chance.randint(*LENGTHS)):
        name = chance.choice(names)
        yield name, {each: ARGUMENTS[each](chance) for each in sorted(RULES[name].arguments)}


def failure(steps: Iterator[Step], done: Order) -> Exception | None:
    """What a step, or else the end, raises; those that their preconditions let happen are `done`."""
    machine, first = Events(), None
    try:
        for name, arguments in steps:
            if all(holds(machine) for holds in RULES[name].preconditions):
                done.append((name, arguments))
                getattr(machine, name)(**arguments)
                machine.what_was_erased_is_not_shown()
    except Exception as error:
        first = error
    try:
        machine.teardown()
    except Exception as error:
        first = first or error
    return first


def shortened(order: Order, error: Exception) -> Order:
    """`order` without what it does not need to fail where `error` was raised."""
    place = _place(error)
    length = len(order) // 2
    while length:
        for at in count(0, length):
            if at >= len(order):
                break
            while at < len(order):
                tried = order[:at] + order[at + length :]
                its = failure(iter(tried), [])
                if its is None or _place(its) != place:
                    break
                order = tried
        length //= 2
    return order


def told(order: Order) -> str:
    """The order, a line for each step."""
    steps = [
        f"  {name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"
        for name, arguments in order
    ]
    return "\n".join(["this order fails:", *steps])


def _place(error: Exception) -> object:
    return type(error), traceback.extract_tb(error.__traceback__)[-1][:2]
