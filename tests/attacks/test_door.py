"""Attacks on the connection and on the head of a request: before there is a tenant."""

import pytest

from tests.attacks.table import Case, Door, run

GET = b"GET /healthz HTTP/1.1\r\nHost: edge\r\n"

CASES = (
    Case("a head of 40 MB", GET + b"A: " + b"a" * 40_000_000 + b"\r\n\r\n", 431, costs=True),
    Case("nothing hostile", GET + b"\r\n", 200, costs=True),
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_attack(case: Case, door: Door) -> None:
    run(case, door)
