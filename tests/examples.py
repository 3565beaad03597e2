"""How many examples of a property are tried: all of them by `make test-long`, a quarter by `make test`.

TESTS_EXAMPLES=all asks for all. Which ones is chosen anew each time, so that days of runs see them all too.
"""

import os

ALL = os.environ.get("TESTS_EXAMPLES") == "all"
SHARE = 4
FEWEST = 5


def examples(all_: int) -> int:
    """How many of `all_` are tried now."""
    return all_ if ALL else max(all_ // SHARE, FEWEST)
