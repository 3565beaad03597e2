"""Sessions of the local ClickHouse endpoint: what one sets, nobody else sees; each has its end."""

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.local.endpoint import ask, code, running
from tests.stack import eventually

SHOWN = "SELECT getSetting('max_threads'), getSetting('join_use_nulls'), currentDatabase()"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("clickhouse")) as url:
        yield url


@pytest.fixture
def name() -> str:
    return uuid.uuid4().hex


def test_settings_database_and_temporary_tables_are_the_sessions_alone(url: str, name: str) -> None:
    before, mine = ask(url, SHOWN).text, {"session_id": name}
    for statement in (
        "SET max_threads = 3",
        "USE system",
        "CREATE TEMPORARY TABLE kept (a UInt8)",
        "INSERT INTO kept FORMAT CSV\n1\n2\n",
    ):
        assert ask(url, statement, **mine).status_code == 200
    assert ask(url, SHOWN, **mine).text == "3\tfalse\tsystem\n"
    assert ask(url, "SELECT sum(a) FROM kept", **mine).text == "3\n"
    others: list[dict[str, str]] = [{}, {"session_id": "other"}, mine | {"user": "somebody else"}]
    for other in others:
        assert {ask(url, SHOWN, **other).text for _ in range(10)} == {before}
        assert code(ask(url, "SELECT * FROM kept", **other)) == 60
    assert ask(url, SHOWN, **mine, database="default").text == "3\tfalse\tdefault\n"
    assert ask(url, SHOWN, **mine).text == "3\tfalse\tsystem\n"


def test_a_temporary_table_without_a_session_ends_with_its_request(url: str, name: str) -> None:
    for _ in range(10):
        assert ask(url, f"CREATE TEMPORARY TABLE `{name}` (a UInt8)").status_code == 200
    assert code(ask(url, f"SELECT * FROM `{name}`")) == 60


def test_the_urls_settings_reach_any_statement_and_end_with_it(url: str, name: str) -> None:
    mine = {"session_id": name}
    ask(url, "SET join_use_nulls = 1", **mine)
    made = "CREATE TABLE {} ENGINE = Memory AS SELECT getSetting('max_threads') AS threads"
    for place in ({}, mine):
        table = f"`{name}{len(place)}`"
        assert ask(url, made.format(table), **place, max_threads="7").status_code == 200
        assert ask(url, f"SELECT threads FROM {table}").text == "7\n"
    made = "CREATE TEMPORARY TABLE t AS SELECT 1 AS a"
    assert ask(url, made, **mine, max_threads="7", join_use_nulls="0").status_code == 200
    assert ask(url, "SELECT a FROM t", **mine).text == "1\n"
    assert ask(url, SHOWN, **mine).text.split("\t")[1] == "true"
    assert ask(url, SHOWN, **mine).text.split("\t")[0] == ask(url, SHOWN).text.split("\t")[0]
    assert code(ask(url, "CREATE TABLE x (a UInt8) ENGINE = Null", not_a_setting="1")) == 115


def test_a_session_ends_when_it_is_told(url: str, name: str) -> None:
    asked = {"session_id": name, "session_check": "1"}
    assert code(ask(url, "SELECT 1", **asked)) == 372
    assert ask(url, "SET max_threads = 3", session_id=name).status_code == 200
    assert code(ask(url, "SELECT 1", **asked, close_session="1")) == 0
    assert code(ask(url, "SELECT 1", **asked)) == 372


@pytest.mark.parametrize("timeout", ["3601", "-1", "x", "1.5", "²"])
def test_a_timeout_that_is_none_is_refused(url: str, name: str, timeout: str) -> None:
    assert code(ask(url, "SELECT 1", session_id=name, session_timeout=timeout)) == 374


def test_one_request_of_a_session_at_a_time_and_its_neighbours_are_not_held_up(
    url: str, name: str
) -> None:
    go_on = threading.Event()

    def rows() -> Iterator[bytes]:
        yield b"INSERT INTO FUNCTION null('a UInt8') FORMAT CSV\n1\n"
        assert go_on.wait(60)

    def insert(number: int) -> httpx.Response:
        mine = {"session_id": f"{name}{number}"}
        return httpx.post(url, params=mine, content=rows(), timeout=60)

    with ThreadPoolExecutor(12) as threads:
        busy = [threads.submit(insert, number) for number in range(12)]  # more than have a turn
        eventually(lambda: code(ask(url, "SELECT 1", session_id=f"{name}0")) == 373)
        assert {ask(url, "SELECT 1").text for _ in range(10)} == {"1\n"}
        go_on.set()
        assert {code(one.result(60)) for one in busy} == {0}
    assert ask(url, "SELECT 1", session_id=f"{name}0").text == "1\n"


def test_clients_that_leave_free_what_they_held(url: str, name: str) -> None:
    slow = "SELECT number, repeat('x', 20) FROM numbers(100000000)"
    for number in range(11):  # more without a session than there are connections
        mine = {"session_id": name} if number > 8 else {}
        with httpx.stream("POST", url, params=mine, content=slow) as answer:
            next(answer.iter_raw())
        eventually(lambda: code(ask(url, "SELECT 1", session_id=name)) == 0)
    assert {ask(url, "SELECT 42").text for _ in range(20)} == {"42\n"}
