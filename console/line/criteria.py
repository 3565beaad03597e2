"""A search line as parameters of the API's counts, which take exact values alone."""

from console.line.parse import Line


def criteria(line: Line) -> dict[str, str] | None:
    """The parameters, None when the line says more than they can."""
    found, is_all = sayable(line)
    return found if is_all else None


def sayable(line: Line, without: str | None = None) -> tuple[dict[str, str], bool]:
    """What of the line the parameters can say, and whether that is all; the member `without` is left out."""
    found, is_all = dict(line.beside), True
    for member, asked in line.pattern.items():
        if member == without:
            continue
        below = asked if isinstance(asked, dict) else {"": asked}
        for name, operators in below.items():
            exact = operators if isinstance(operators, str) else _only(operators)
            if exact is None or member in ("$or", "payload", "fault"):
                is_all = False
            else:
                found[f"{member}.{name}" if name else member] = exact
    return found, is_all


def _only(operators: object) -> str | None:
    if isinstance(operators, list) and len(operators) == 1 and isinstance(operators[0], str):
        return operators[0]
    return None
