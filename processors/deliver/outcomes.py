"""What became of one delivery, as the queue's side tells it."""

from typing import Literal, NamedTuple

from contracts.deliveries import Delivery

State = Literal["sent", "refused", "failed"]


class Outcome(NamedTuple):
    """`sent`: the queue has it; `refused`: trying again does not help; `failed`: it may."""

    delivery: Delivery
    state: State
    reason: str
