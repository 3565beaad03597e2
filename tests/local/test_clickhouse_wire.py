"""How answers of the local ClickHouse endpoint are written: figures, blocks, versions; who may ask."""

import json
from collections.abc import Iterator

import clickhouse_connect
import httpx
import lz4.block
import pytest
import zstandard

from local.clickhouse.blocks import NONE, ZSTD, Blocks, checksum
from local.clickhouse.native import BLOCK_INFO
from tests.local.endpoint import ask, code, running


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("clickhouse")) as url:
        ask(url, "CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
        yield url


def figures(answer: httpx.Response) -> dict[str, int]:
    assert answer.status_code == 200, answer.text
    told = json.loads(answer.headers["X-ClickHouse-Summary"])
    assert all(isinstance(figure, str) for figure in told.values())
    return {name: int(figure) for name, figure in told.items()}


def test_a_summary_tells_what_was_read_and_written(url: str) -> None:
    ask(url, "TRUNCATE TABLE t")
    rows = "".join(f"{n}\n" for n in range(1000))
    written = figures(ask(url, f"INSERT INTO t FORMAT CSV\n{rows}"))
    assert written.pop("elapsed_ns") > 0
    assert written == {
        "read_rows": 1000, "read_bytes": 8000, "written_rows": 1000, "written_bytes": 8000,
        "total_rows_to_read": 0, "result_rows": 1000, "result_bytes": 8000,
    }  # fmt: skip
    copied = figures(ask(url, "INSERT INTO t SELECT a FROM t"))
    assert (copied["read_rows"], copied["written_rows"]) == (1000, 1000)
    read = figures(ask(url, "SELECT a FROM t LIMIT 3 BY a % 2"))
    assert (read["read_rows"], read["result_rows"], read["written_rows"]) == (2000, 6, 0)
    assert read["total_rows_to_read"] == 2000
    assert figures(ask(url, "SELECT a FROM t WHERE a > 5000"))["result_rows"] == 0
    assert figures(ask(url, "SELECT a FROM t FORMAT JSON"))["result_rows"] == 2000
    many = figures(
        ask(url, "SELECT number FROM numbers(3000000)")
    )  # its head goes out before its end
    assert 0 < many["read_rows"] <= 3_000_000


def test_what_a_statement_read_is_no_figure_of_the_next(url: str) -> None:
    for _ in range(20):
        ask(url, "SELECT sum(number) FROM numbers(1000000)")
        assert figures(ask(url, "SELECT 1"))["read_rows"] == 1


def blocks_of(body: bytes) -> bytes:
    """An independent reader: LZ4 alone."""
    plain = b""
    while body:
        size, raw = int.from_bytes(body[17:21], "little"), int.from_bytes(body[21:25], "little")
        assert (body[:16], body[16]) == (checksum(body[16 : 16 + size]), 0x82)
        plain += lz4.block.decompress(body[25 : 16 + size], uncompressed_size=raw)
        body = body[16 + size :]
    return plain


@pytest.mark.parametrize("rows", [0, 1, 300_000])
def test_an_answer_comes_in_clickhouses_own_blocks(url: str, rows: int) -> None:
    query = f"SELECT number, repeat('x', 20) FROM numbers({rows})"
    answer = ask(url, query, compress="1")
    assert blocks_of(answer.content) == ask(url, query).content


def test_an_error_comes_in_blocks_too(url: str) -> None:
    answer = ask(url, "SELECT * FROM nowhere", compress="1")
    assert blocks_of(answer.content).startswith(b"Code: 60. DB::Exception: ")


def other(method: int, data: bytes) -> bytes:
    packed = zstandard.compress(data) if method == ZSTD else data
    head = bytes([method]) + (len(packed) + 9).to_bytes(4, "little")
    body = head + len(data).to_bytes(4, "little") + packed
    return checksum(body) + body


def test_blocks_that_another_writer_made_are_read(url: str) -> None:
    """Of clickhouse-go, one in each method."""
    made = (
        "313a9de2ee3a6ff5adf2c99503772971022900000020000000"
        "436c69636b486f75736520436c69636b486f75736520436c69636b486f757365"
        "6429d125190c2513a9019451289b5df2822700000020000000"
        "b1436c69636b486f757365200b00000b00c06520436c69636b486f757365"
        "a5830b553a1766cfd2a0a4084272bf0e902800000020000000"
        "28b52ffd040095000058436c69636b486f7573652001540b03120e6f7a9175"
    )
    select = b"SELECT '", bytes.fromhex(made), b"'"
    body = Blocks().compress(select[0]) + select[1] + Blocks().compress(select[2])
    answer = httpx.post(url, params={"decompress": "1"}, content=body)
    assert answer.text == "ClickHouse ClickHouse ClickHouse" * 3 + "\n"


def test_an_insert_may_come_in_blocks_of_each_method(url: str) -> None:
    ask(url, "TRUNCATE TABLE t")
    body = Blocks().compress(b"1\n2\n") + other(ZSTD, b"3\n4\n5") + other(NONE, b"6\n7\n")
    insert = {"query": "INSERT INTO t FORMAT CSV", "decompress": "1"}
    assert httpx.post(url, params=insert, content=body).status_code == 200
    assert ask(url, "SELECT groupArray(a) FROM t").text == "[1,2,3,4,7,56]\n"
    cut = httpx.post(url, params=insert, content=body[:-1])
    changed = httpx.post(url, params=insert, content=body[:-1] + b"x")
    unknown = httpx.post(url, params=insert, content=other(0x77, b"1"))
    huge = checksum(b"") + b"\x82" + (2**31).to_bytes(4, "little") * 2
    long = httpx.post(url, params=insert, content=huge)
    assert [code(answer) for answer in (cut, changed, unknown, long)] == [271, 40, 89, 271]
    assert ask(url, "SELECT count() FROM t").text == "6\n"


TYPES = {
    "n": "number",
    "s": "repeat('ü', number % 200)",
    "fixed": "toFixedString(toString(number % 9), 3)",
    "maybe": "if(number % 3 = 0, NULL, toString(number))",
    "list": "arrayMap(x -> toString(x), range(number % 4))",
    "lists": "arrayMap(x -> range(x), range(number % 4))",
    "low": "toLowCardinality(toString(number % 300))",
    "maybe_low": "CAST(if(number % 2 = 0, NULL, 'x'), 'LowCardinality(Nullable(String))')",
    "lows": "CAST([toString(number % 5), ''], 'Array(LowCardinality(String))')",
    "map": "map('a', number, toString(number), 2)",
    "low_map": "CAST(map('a', 1), 'Map(LowCardinality(String), UInt8)')",
    "pair": "tuple(number, 'x')",
    "named": "CAST((number, 'x'), 'Tuple(`a, (b` UInt64, UInt String)')",
    "nested": "CAST([(1, 'x')], 'Nested(a UInt8, b String)')",
    "small": "CAST('a(,', 'Enum8(\\'a(,\\' = 1, \\'b\\\\\\')\\' = 2)')",
    "money": "toDecimal64(number, 4)",
    "much": "toDecimal256(number, 10)",
    "day": "toDate32('2020-01-01')",
    "time": "toDateTime64('2020-01-01', 6, 'Europe/Berlin')",
    "seconds": "toDateTime('2020-01-01', 'UTC')",
    "uuid": "toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0')",
    "address": "toIPv6('::1')",
    "old_address": "toIPv4('1.2.3.4')",
    "place": "CAST((1.5, 2.5), 'Point')",
    "shape": "CAST([[(0., 0.), (1., 1.)]], 'Polygon')",
    "truth": "number % 2 = 0",
    "simple": "CAST(number, 'SimpleAggregateFunction(sum, UInt64)')",
    "wide": "toInt256(number)",
}
VERSIONS = {54405: b"", 54454: b"\0", 54485: b"\0"}


def varint(number: int) -> bytes:
    return bytes([number & 127 | 128]) + varint(number >> 7) if number > 127 else bytes([number])


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("rows", [1, 700])
def test_native_has_the_head_of_the_clients_version(url: str, version: int, rows: int) -> None:
    native = {"default_format": "Native"}
    count, names = varint(rows), [*TYPES, "nothing", "span"]
    columns = ", ".join(f"{expression} AS `{name}`" for name, expression in TYPES.items())
    # stored first: what lies below a NULL is else another thing in another query
    made = f"CREATE OR REPLACE TABLE types ENGINE = Memory AS SELECT {columns} FROM numbers({rows})"
    assert code(ask(url, made)) == 0
    query = "SELECT {} FROM (SELECT *, NULL AS nothing, toIntervalDay(n) AS span FROM types)"
    expected = BLOCK_INFO + varint(len(names)) + count
    for name in names:
        alone = ask(url, query.format(f"`{name}`"), **native).content.removeprefix(b"\1" + count)
        type_size = alone[len(name) + 1]
        head = 2 + len(name) + type_size
        expected += alone[:head] + VERSIONS[version] + alone[head:]
    asked = query.format(", ".join(f"`{name}`" for name in names))
    answer = ask(url, asked, **native, client_protocol_version=str(version))
    assert answer.content == expected


@pytest.mark.parametrize("version", VERSIONS)
def test_every_native_block_has_its_head(url: str, version: int) -> None:
    parts = "SELECT 1 AS a UNION ALL SELECT number FROM numbers(200000) UNION ALL SELECT 3"
    asked = {"default_format": "Native", "client_protocol_version": str(version)}
    plain = ask(url, parts, default_format="Native").content
    extra = len(BLOCK_INFO) + len(VERSIONS[version])
    content = ask(url, parts, **asked).content
    assert (len(content) - len(plain)) % extra == 0
    assert content.count(b"\1a\6UInt64" + VERSIONS[version]) == (len(content) - len(plain)) / extra
    shown = ask(url, "SHOW TABLES LIKE 't'", **asked).content
    assert shown.startswith(BLOCK_INFO + b"\1\1\4name\6String" + VERSIONS[version])


def test_a_type_that_cannot_be_written_for_the_version_says_what_to_do(url: str) -> None:
    query = "SELECT CAST(1, 'Variant(UInt8, String)') AS odd FORMAT Native"
    answer = ask(url, query, client_protocol_version="54485")
    assert code(answer) == 1
    assert "Column odd is a Variant" in answer.text
    assert "toString()" in answer.text
    assert code(ask(url, query, client_protocol_version="54405")) == 0


def test_any_user_is_taken_but_not_two_at_once(url: str) -> None:
    asked = {"query": "SELECT 1"}
    named = {"X-ClickHouse-User": "a", "X-ClickHouse-Key": "b"}
    for headers in ({}, named, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer x"}):
        assert httpx.get(url, params=asked, headers=headers).text == "1\n"
    assert ask(url, "SELECT 1", user="a", password="b", role="analyst").text == "1\n"
    both = named | {"Authorization": "Basic YTpi"}
    assert code(httpx.get(url, params=asked, headers=both)) == 516
    assert code(httpx.get(url, params=asked | {"user": "a"}, headers=named)) == 516
    assert code(httpx.get(url, params=asked, headers={b"Authorization": "Basic ü".encode()})) == 516


def test_format_and_database_may_come_in_headers(url: str) -> None:
    headers = {"X-ClickHouse-Format": "JSONCompactEachRow", "X-ClickHouse-Database": "system"}
    answer = httpx.post(url, content="SELECT currentDatabase()", headers=headers)
    assert answer.text == '["system"]\n'
    assert answer.headers["X-ClickHouse-Timezone"]


@pytest.mark.parametrize("path", ["/ping", "/replicas_status", "/"])
def test_it_says_that_it_is_there(url: str, path: str) -> None:
    assert httpx.get(url + path).text == "Ok.\n"
    assert httpx.head(url + path).status_code == 200


def test_clickhouse_connect_reads_many_types_back(url: str) -> None:
    columns = ", ".join(f"{expression} AS `{name}`" for name, expression in TYPES.items())
    with clickhouse_connect.get_client(dsn=url) as client:
        rows = client.query(f"SELECT {columns} FROM numbers(300)").result_rows
    assert [row[0] for row in rows] == list(range(300))
    assert rows[299][list(TYPES).index("low")] == "299"
