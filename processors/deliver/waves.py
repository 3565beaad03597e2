"""Which messages of one subscription may be sent side by side."""

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence

from contracts.deliveries import SQS_BATCH_ENTRIES_MAX, Delivery
from contracts.destinations import SqsDestination


def waves(
    deliveries: Sequence[Delivery], destination: SqsDestination, calls: int
) -> Iterator[list[list[Delivery]]]:
    """`deliveries` in tens; `calls` of them, a wave, may be sent side by side, behind the wave before.

    A FIFO queue may take an entry of a batch behind one that it does not take, so an entity has one
    message in a wave there. A standard queue promises no order.
    """
    rounds: list[list[Delivery]] = [[*deliveries]]
    if destination.is_fifo:
        rounds, had = [], Counter[str]()
        for each in deliveries:
            if had[each.entity] == len(rounds):
                rounds.append([])
            rounds[had[each.entity]].append(each)
            had[each.entity] += 1
    for each_round in rounds:
        tens = range(0, len(each_round), SQS_BATCH_ENTRIES_MAX)
        batches = (each_round[at : at + SQS_BATCH_ENTRIES_MAX] for at in tens)
        while wave := list(itertools.islice(batches, calls)):
            yield wave
