"""The values inside a payload or fault, in ClickHouse: an array of (path, place, JSON).

A place has a step for each object and array that the value lies in: the member's number, or `#` and
the element's. Two values agree unless they part in an array, as in `naive.py`.
"""

from collections.abc import Sequence

from contracts.filters.view import LEVELS_MAX

LEAVES = """arrayFilter(found -> NOT match(found.3, '^[[{{]'), arrayFold(
    (open, level) -> arrayFilter(
        found -> arrayExists(
            path -> path = found.1 OR startsWith(path, found.1 || '.') OR found.1 = '', {paths}),
        arrayFlatten(arrayMap(found -> multiIf(
            startsWith(found.3, '{{'), arrayMap(
                (member, number) -> (
                    found.1 || '.' || member.1, arrayPushBack(found.2, toString(number)), member.2),
                JSONExtractKeysAndValuesRaw(found.3),
                arrayEnumerate(JSONExtractKeysAndValuesRaw(found.3))),
            startsWith(found.3, '['), arrayMap(
                (element, number) -> (found.1, if(match(element, '^[[{{]'),
                    arrayPushBack(found.2, '#' || toString(number)), found.2), element),
                JSONExtractArrayRaw(found.3), arrayEnumerate(JSONExtractArrayRaw(found.3))),
            [found]), open))),
    range({levels}),
    [CAST(('', [], JSONExtractRaw(ifNull({column}, ''))),
        'Tuple(String, Array(String), String)')]))"""


WITH_MISSING = """arrayMap(these -> arrayConcat(these, arrayMap(path -> (path, CAST([], 'Array(String)'), ''),
    arrayFilter(path -> NOT arrayExists(found -> found.1 = path, these), {paths}))), [{leaves}])[1]"""
"""A path without a value has one that is no JSON, and lies nowhere."""


def leaves(column: str, paths: Sequence[str]) -> str:
    """The values at `paths`, which are expressions; each path has a dot before its first name."""
    listed = f"[{', '.join(paths)}]"
    found = LEAVES.format(column=column, paths=listed, levels=LEVELS_MAX)
    return WITH_MISSING.format(paths=listed, leaves=found)


def agreeing(one: str, other: str) -> str:
    """Whether two values lie in the same element of every array that both lie in."""
    steps = (
        f"arrayFirst(step -> step.1 != step.2, arrayZip({_cut(one, other)}, {_cut(other, one)}))"
    )
    return f"NOT startsWith({steps}.1, '#')"


def _cut(one: str, other: str) -> str:
    """The steps of `one`, as many as the other has."""
    return f"arraySlice({one}.2, 1, least(length({one}.2), length({other}.2)))"
