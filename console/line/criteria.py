"""A search line as parameters of the API's counts, which take exact values alone."""

from console.line.parse import Line


def criteria(line: Line, without: str | None = None) -> dict[str, str] | None:
    """The parameters, None when the line says more than they can; the member `without` is left out."""
    found = {} if line.q is None else {"q": line.q}
    for member, asked in line.pattern.items():
        if member == without:
            continue
        below = (
            {member: asked}
            if isinstance(asked, list)
            else {f"{member}.{name}": operators for name, operators in asked.items()}
        )
        for name, operators in below.items():
            exact = len(operators) == 1 and isinstance(operators[0], str)
            if not exact or name.partition(".")[0] in ("payload", "fault"):
                return None
            found[name] = operators[0]
    return found
