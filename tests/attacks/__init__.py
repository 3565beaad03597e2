"""What a hostile client sends, as a table: each line says what is sent and what must come of it.

To add one, append a `Case` (see `table.py`) to the `CASES` of the file that fits, or begin a file:

    CASES = (
        # name, what is sent, the status that is answered (None: closed without an answer)
        Case("HTTP/0.9", b"GET /healthz\\r\\n\\r\\n", 505),
        # what takes more than bytes is a function of an `Attacker`, which has a socket and a token
        Case("a body that never comes", half_a_body, 408),
        # costs: sent again and again while a neighbour, another tenant, posts; its p99 stays within 2x
        Case("a head of 40 MB", b"GET / HTTP/1.1\\r\\nA: " + b"a" * 40_000_000, 431, costs=True),
    )

    @pytest.mark.parametrize("case", CASES, ids=str)
    def test_an_attack(case: Case, door: Door) -> None:
        run(case, door)

`door` is an edge of its own before the servers of the session's stack, with the settings that it
comes with. `neighbour.py` measures what the other tenant feels; use its `unharmed` where a table
does not do.
"""
