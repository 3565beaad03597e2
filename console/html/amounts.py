"""How much, in as many digits as a person reads: large counts and sizes are rounded."""

MANY = (("billion", 10**9), ("million", 10**6))
SIZES = (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3))


def count(number: int) -> str:
    """A count: `12,345`, `1.2 million`, `35 million`."""
    return _rounded(number, MANY) or f"{number:,}"


def size(number: int) -> str:
    """Bytes: `950 bytes`, `3.4 MB`, `120 MB`."""
    return _rounded(number, SIZES) or f"{number:,} bytes"


def taken(rows: int, bytes_: int) -> str:
    """What was read, of an answer that says so; empty where it does not."""
    return f"{count(rows)} row{'s' if rows != 1 else ''}, {size(bytes_)}" if rows else ""


def _rounded(number: int, units: tuple[tuple[str, int], ...]) -> str:
    for name, unit in units:
        if number >= unit:
            return f"{number / unit:.{0 if number >= 10 * unit else 1}f} {name}"
    return ""
