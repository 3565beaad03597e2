"""The certificates of all authorities are read once, however many clients there are."""

import ssl

import httpx


def test_clients_share_a_context_and_who_names_its_own_file_has_its_own() -> None:
    assert httpx.create_ssl_context() is httpx.create_ssl_context()
    assert ssl.create_default_context() is not httpx.create_ssl_context()
