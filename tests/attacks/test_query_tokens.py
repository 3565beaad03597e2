"""A token in the query string is refused (RFC 6750 section 2.3). To add a spelling: a line."""

import pytest

from contracts.problems import Problem
from service.http.asgi import refuse_token_in

REFUSED = [
    b"access_token=abc",
    b"access_token=",
    b"access_token",
    b"limit=5&access_token=abc",
    b"access%5Ftoken=abc",
    b"%61ccess_%74oken=abc",
]
HARMLESS = [
    b"q=access_token",
    b"q=a%26access_token",
    b"my_access_token=abc",
    b"limit=5",
    b"%",
    b"=",
]


@pytest.mark.parametrize("query", REFUSED)
def test_a_token_in_the_query_is_a_bad_request(query: bytes) -> None:
    with pytest.raises(Problem) as refused:
        refuse_token_in(query)
    assert refused.value.status == 400
    assert 'error="invalid_request"' in refused.value.headers["WWW-Authenticate"]


@pytest.mark.parametrize("query", HARMLESS)
def test_any_other_query_goes_on(query: bytes) -> None:
    refuse_token_in(query)
