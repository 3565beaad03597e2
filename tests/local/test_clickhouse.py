"""The local ClickHouse endpoint as its clients see it: clickhouse-connect, curl, plain HTTP."""

import asyncio
import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import clickhouse_connect
import httpx
import lz4.frame
import psutil
import pytest
import zstandard
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from tests.processes import free_port, running_module


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """URL and process id of a server of its own."""
    port, path = free_port(), tmp_path_factory.mktemp("clickhouse")
    arguments = ("--path", str(path), "--port", str(port))
    url = f"http://127.0.0.1:{port}"
    with running_module("local.clickhouse", *arguments, ready=f"{url}/ping") as child:
        yield url, child.pid


@pytest.fixture(scope="module")
def url(server: tuple[str, int]) -> str:
    return server[0]


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    made = clickhouse_connect.get_client(dsn=url, autogenerate_session_id=False)
    made.command("DROP TABLE IF EXISTS t")
    made.command("CREATE TABLE t (a UInt64, s String) ENGINE = MergeTree ORDER BY a")
    yield made
    made.close()


def ask(url: str, query: str, **parameters: str) -> httpx.Response:
    return httpx.post(url, params=parameters, content=query.encode(), timeout=60)


def test_parameters_and_settings_reach_the_engine_and_settings_end_with_their_query(
    url: str,
) -> None:
    assert (
        ask(url, "SELECT {a:UInt8} + 1, {s:String}", param_a="2", param_s="x'\\\\").text
        == "3\tx\\'\\\\\n"
    )
    shown = "SELECT getSetting('max_threads')"
    before = ask(url, shown).text
    assert ask(url, shown, max_threads="7").text == "7\n"
    assert {ask(url, shown).text for _ in range(20)} == {before}


def test_set_and_use_end_with_their_request(url: str) -> None:
    shown = "SELECT getSetting('max_threads'), currentDatabase()"
    before = ask(url, shown).text
    assert ask(url, "SET max_threads = 9").status_code == 200
    assert ask(url, "USE system").status_code == 200
    assert {ask(url, shown).text for _ in range(20)} == {before}


def test_a_client_that_leaves_a_stream_does_not_disturb_the_next_query(url: str) -> None:
    slow = (
        "SELECT number, sleepEachRow(0.00001) FROM numbers(300000) SETTINGS max_block_size = 20000"
    )
    for _ in range(10):
        with httpx.stream("POST", url, content=slow) as answer:
            next(answer.iter_raw())
        assert ask(url, "SELECT 42").text == "42\n"


@pytest.mark.parametrize("compress", [False, "lz4", "zstd", "gzip"])
def test_clickhouse_connect_inserts_native_blocks_in_every_compression(
    client: Client, url: str, compress: bool | str
) -> None:
    other = clickhouse_connect.get_client(dsn=url, compress=compress, autogenerate_session_id=False)
    other.insert("t", [[n, f"text {n}"] for n in range(100_000)], column_names=["a", "s"])
    assert other.query("SELECT count(), uniqExact(s) FROM t").result_rows == [(100_000, 100_000)]
    other.close()


ROWS = b"".join(json.dumps({"a": n, "s": "x" * 50}).encode() + b"\n" for n in range(5000))
ENCODED = {
    "identity": ROWS,
    "gzip": gzip.compress(ROWS[:90_000], 1) + gzip.compress(ROWS[90_000:], 1),
    "zstd": zstandard.compress(ROWS[:90_000]) + zstandard.compress(ROWS[90_000:]),
    "lz4": lz4.frame.compress(ROWS[:90_000]) + lz4.frame.compress(ROWS[90_000:]),
}


@pytest.mark.parametrize("encoding", ENCODED)
def test_a_body_of_several_frames_is_inserted_whole_as_one_part(
    client: Client, url: str, encoding: str
) -> None:
    answer = httpx.post(
        url,
        params={"query": "INSERT INTO t FORMAT JSONEachRow", "async_insert": "0"},
        content=ENCODED[encoding],
        headers={"Content-Encoding": encoding},
    )
    assert answer.status_code == 200, answer.text
    assert json.loads(answer.headers["X-ClickHouse-Summary"])["written_rows"] == "5000"
    parts = "SELECT count(), sum(rows) FROM system.parts WHERE active AND table = 't'"
    assert client.query(parts).result_rows == [(1, 5000)]


def test_an_insert_with_data_behind_its_text_and_settings_of_its_own(
    client: Client, url: str
) -> None:
    text = 'INSERT INTO t (a, s) SETTINGS async_insert = 0 FORMAT JSONEachRow\n{"a": 1, "s": "FORMAT x"}'
    assert ask(url, text).status_code == 200
    assert ask(url, "INSERT INTO t VALUES (2, 'v')", async_insert="0").status_code == 200
    assert ask(url, "INSERT INTO t SELECT 3, 's'", max_threads="1").status_code == 200
    assert client.query("SELECT a, s FROM t ORDER BY a").result_rows == [
        (1, "FORMAT x"), (2, "v"), (3, "s"),
    ]  # fmt: skip


def test_an_insert_that_fails_in_a_default_expression_says_so_and_stores_nothing(
    client: Client, url: str
) -> None:
    client.command("DROP TABLE IF EXISTS d")
    client.command(
        "CREATE TABLE d (a UInt8, b String EPHEMERAL, c String DEFAULT base64Decode(b))"
        " ENGINE = MergeTree ORDER BY a"
    )
    answer = ask(
        url, 'INSERT INTO d (a, b) FORMAT JSONEachRow\n{"a": 1, "b": "QQ=="}\n{"a": 2, "b": "?"}'
    )
    assert (answer.status_code, answer.headers["X-ClickHouse-Exception-Code"]) == (400, "117")
    assert client.query("SELECT count() FROM d").result_rows == [(0,)]


def test_a_body_that_is_broken_in_the_middle_stores_nothing(client: Client, url: str) -> None:
    answer = httpx.post(
        url, params={"query": "INSERT INTO t FORMAT JSONEachRow"}, content=ROWS[:-20] + b"\x00"
    )
    assert answer.status_code == 400
    assert client.query("SELECT count() FROM t").result_rows == [(0,)]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("SELECT * FROM nowhere", 404, 60),
        ("SELECT * FROM nodb.t", 404, 81),
        ("SELEC 1", 400, 62),
        ("SELECT nofunction(1)", 404, 46),
        ("SELECT toUInt8('x')", 400, 6),
    ],
)
def test_an_error_has_clickhouses_code_status_and_form(
    url: str, query: str, status: int, code: int
) -> None:
    answer = ask(url, query)
    assert answer.status_code == status
    assert answer.headers["X-ClickHouse-Exception-Code"] == str(code)
    assert answer.text.startswith(f"Code: {code}. DB::Exception: ")


def test_clickhouse_connect_raises_the_error_with_its_code(client: Client) -> None:
    with pytest.raises(DatabaseError) as raised:
        client.query("SELECT * FROM nowhere")
    assert raised.value.code == 60


def test_a_get_may_read_and_not_write(client: Client, url: str) -> None:
    assert httpx.get(url, params={"query": "SELECT 1"}).text == "1\n"
    refused = httpx.get(url, params={"query": "DROP TABLE t"})
    assert refused.headers["X-ClickHouse-Exception-Code"] == "164"


def test_curl_asks_and_inserts(client: Client, url: str) -> None:
    subprocess.run(
        [
            "curl",
            "-sSf",
            f"{url}/?query=INSERT%20INTO%20t%20FORMAT%20CSV",
            "--data-binary",
            "1,x\n2,y\n",
        ],
        check=True,
    )
    run = subprocess.run(
        ["curl", "-sSf", url, "-d", "SELECT * FROM t ORDER BY a FORMAT JSON"],
        check=True, capture_output=True,
    )  # fmt: skip
    assert json.loads(run.stdout)["data"] == [{"a": 1, "s": "x"}, {"a": 2, "s": "y"}]


@pytest.mark.parametrize("format_", ["JSONCompact", "CSVWithNames", "TabSeparatedWithNames"])
def test_an_answer_with_a_head_is_one_document(url: str, format_: str) -> None:
    answer = ask(url, f"SELECT number FROM numbers(200000) FORMAT {format_}")
    assert answer.text.count("number") == 1
    assert answer.headers["X-ClickHouse-Format"] == format_


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_an_answer_is_compressed_when_that_is_asked_for(url: str, encoding: str) -> None:
    answer = httpx.post(
        url,
        params={"enable_http_compression": "1"},
        content="SELECT number FROM numbers(1000)",
        headers={"Accept-Encoding": encoding},
    )
    assert answer.headers["Content-Encoding"] == encoding
    assert answer.text.splitlines() == [str(n) for n in range(1000)]


def test_a_large_answer_is_streamed_in_little_memory(server: tuple[str, int]) -> None:
    url, pid = server
    process, most, total = psutil.Process(pid), 0, 0
    before = process.memory_info().rss
    query = "SELECT number, repeat('x', 100) FROM numbers(5000000) FORMAT TabSeparated"  # 540 MB
    with httpx.stream("POST", url, content=query, timeout=120) as answer:
        for part in answer.iter_raw():
            total += len(part)
            if total % 64 == 0:
                most = max(most, process.memory_info().rss)
    assert total > 500_000_000
    assert most - before < 300_000_000


async def test_the_async_client_runs_queries_side_by_side(url: str) -> None:
    async def ask_all() -> list[int]:
        client = await clickhouse_connect.get_async_client(dsn=url, autogenerate_session_id=False)
        try:
            answers = await asyncio.gather(
                *(client.query(f"SELECT {n}, sleep(0.2)") for n in range(20))
            )
            return [answer.result_rows[0][0] for answer in answers]
        finally:
            await client.close()

    assert await ask_all() == list(range(20))


def test_an_insert_that_runs_is_seen_by_its_comment(client: Client, url: str) -> None:
    slow = "INSERT INTO t SELECT number, '' FROM numbers(3) WHERE sleepEachRow(0.5) = 0"
    seen = "SELECT count() FROM system.processes WHERE Settings['log_comment'] = 'the slow one'"
    with subprocess.Popen(
        ["curl", "-sS", f"{url}/?log_comment=the%20slow%20one&max_block_size=1", "-d", slow]
    ) as insert:
        while ask(url, seen).text != "1\n":
            assert insert.poll() is None, "the insert ended and was never seen"
        insert.wait(30)
    assert ask(url, seen).text == "0\n"
    assert client.query("SELECT count() FROM t").result_rows == [(3,)]


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    arguments = ("--path", str(tmp_path), "--port", str(port))
    with running_module("local.clickhouse", *arguments, ready=f"{url}/ping") as child:
        assert (
            ask(url, "CREATE TABLE k (a UInt64) ENGINE = MergeTree ORDER BY a").status_code == 200
        )
        assert ask(url, "INSERT INTO k SELECT number FROM numbers(1000)").status_code == 200
        os.kill(child.pid, signal.SIGKILL)
        child.wait(60)
    with running_module("local.clickhouse", *arguments, ready=f"{url}/ping"):
        assert ask(url, "SELECT count() FROM k").text == "1000\n"


def test_a_second_process_on_the_folder_is_refused_in_one_sentence(tmp_path: Path) -> None:
    port = free_port(2)
    arguments = ("--path", str(tmp_path), "--port", str(port))
    ready = f"http://127.0.0.1:{port}/ping"
    with running_module("local.clickhouse", *arguments, ready=ready):
        command = [sys.executable, "-m", "local.clickhouse", *arguments[:-1], str(port + 1)]
        second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode != 0
    assert "Another process serves" in second.stderr
