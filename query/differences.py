"""What sets the events of a group apart: how much more frequent something is there than elsewhere.

Shares of few events are worth little, so each is taken with its confidence interval (Wilson: Probable
Inference, the Law of Succession, and Statistical Inference, 1927) and only what the intervals leave
between them counts: three of three is no news, three hundred of three hundred is.
"""

import math
from collections.abc import Iterable

from contracts.clickhouse.fault_features import SUPPORT_MIN, StoredFeature
from contracts.faults import Difference

Z = 3.29
"""99.9 %: some hundred values are compared at once, and chance alone must not fill the list."""
SCORE_MIN = 0.02
DIFFERENCES_MAX = 20


def interval(count: int, of: int) -> tuple[float, float]:
    """The bounds of Wilson's confidence interval for a share; all that is possible without an event."""
    if not of:
        return 0.0, 1.0
    share, square = count / of, Z * Z / of
    middle = (share + square / 2) / (1 + square)
    half = Z * math.sqrt(share * (1 - share) / of + square / of / 4) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)


def difference(feature: StoredFeature, group: int, rest: int) -> Difference:
    """How a value of `group` events compares to the `rest`."""
    low, _ = interval(feature.in_group, group)
    _, high = interval(feature.in_rest, rest)
    lift = ((feature.in_group + 0.5) / (group + 1)) / ((feature.in_rest + 0.5) / (rest + 1))
    return Difference(
        field=feature.field,
        value=feature.value,
        in_group=feature.in_group,
        in_rest=feature.in_rest,
        group_share=round(feature.in_group / group, 4),
        rest_share=round(feature.in_rest / rest, 4) if rest else 0.0,
        lift=round(lift, 2),
        score=round(low - high, 4),
    )


def differences(features: Iterable[StoredFeature], group: int, rest: int) -> list[Difference]:
    """What is clearly more frequent in the group, the clearest first; nothing without others."""
    if not rest:
        return []
    told = (each for each in features if each.field and each.in_group >= SUPPORT_MIN)
    found = [difference(each, group, rest) for each in told]
    clear = [each for each in found if each.score >= SCORE_MIN]
    clear.sort(key=lambda each: (-each.score, -each.lift, each.field, each.value))
    return clear[:DIFFERENCES_MAX]
