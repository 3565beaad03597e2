"""`events sql`: given, from a pipe, and typed at a prompt on a terminal; on the real engine."""

from pathlib import Path

import httpx
import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from cli.clickhouse import short
from cli.sql_words import SqlCompleter, Words
from cli.statements import is_complete, is_quoted, statements
from tests.cli.clickhouse import clickhouse
from tests.cli.conftest import UNUSED, Events
from tests.cli.terminal import Terminal
from tests.processes import wait_until

__all__ = ["clickhouse"]


def test_sql_answers_in_the_format_asked_for_and_with_names_when_piped(
    events: Events, clickhouse: str
) -> None:
    events.point(clickhouse=clickhouse)
    query = "SELECT number AS n, 'Ä' AS text FROM numbers(2)"
    assert events("sql", query).stdout == "n\ttext\n0\tÄ\n1\tÄ\n"
    assert events("sql", query, "--format", "CSV").stdout == '0,"Ä"\n1,"Ä"\n'
    assert events("sql", "SELECT currentDatabase()").stdout == "currentDatabase()\nevents\n"
    assert events("sql", "SELECT * FROM events").stdout.startswith("entity_id\tfault\n7\t")


def test_sql_reads_its_statements_from_a_pipe(events: Events, clickhouse: str) -> None:
    events.point(clickhouse=clickhouse)
    assert events("sql", stdin="SELECT 1").stdout == "1\n1\n"
    two = events("sql", "-", "--format", "CSV", stdin="SELECT ';' -- a; b\n;\n\nSELECT 2;\n")
    assert (two.exit_code, two.stdout) == (0, '";"\n2\n')
    failed = events("sql", stdin="SELECT 1; SELECT nothing; SELECT 3")
    assert (failed.exit_code, failed.stdout) == (1, "1\n1\n")
    assert "Standard input holds no statement." in events("sql", stdin=" -- nothing\n").stderr


def test_sql_prints_what_clickhouse_refuses_in_one_line_on_standard_error(
    events: Events, clickhouse: str
) -> None:
    events.point(clickhouse=clickhouse)
    result = events("sql", "SELECT nothing FROM system.one")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Code: 47, UNKNOWN_IDENTIFIER: Unknown expression")
    syntax = events("sql", "SELECT 1 FORM x y")
    assert syntax.stderr.startswith(
        "Code: 62, SYNTAX_ERROR: Syntax error: failed at position 15 (x)"
    )
    assert syntax.stderr.endswith(": x y\n")


def test_an_error_with_a_version_and_a_stack_is_short() -> None:
    text = (
        "Code: 60. DB::Exception: No table a.b. (UNKNOWN_TABLE) (version 26.9.1 (official build))"
    )
    assert short(text + "\n") == "Code: 60, UNKNOWN_TABLE: No table a.b."
    assert short("Code: 1. DB::Exception: Bad. Stack trace:\n\n0. main\n1. x") == "Code: 1: Bad"
    assert short("502\nBad Gateway") == "502 Bad Gateway"
    assert len(short("Code: 1. DB::Exception: " + "x" * 9999)) < 300


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("SELECT 1", ["SELECT 1"]),
        (" ;; SELECT 1 ; -- end;\n", ["SELECT 1"]),
        ("SELECT ';', \"a;b\", `c;d`, 'it''s;', 'a\\';' ; SELECT 2", None),
        ("/* a; */ SELECT 1; # b;\nSELECT 2", ["/* a; */ SELECT 1", "# b;\nSELECT 2"]),
        (
            "SELECT 1; INSERT INTO t FORMAT CSV\na;b\n",
            ["SELECT 1", "INSERT INTO t FORMAT CSV\na;b"],
        ),
        ("SELECT 'open;", ["SELECT 'open;"]),
    ],
)
def test_statements_end_at_semicolons_that_are_none_of_a_text(
    text: str, found: list[str] | None
) -> None:
    assert statements(text) == (
        ["SELECT ';', \"a;b\", `c;d`, 'it''s;', 'a\\';'", "SELECT 2"] if found is None else found
    )


def test_a_statement_is_complete_with_its_semicolon() -> None:
    assert all(map(is_complete, ("", "  ", "SELECT 1;", "SELECT ';' ; -- end")))
    assert not any(map(is_complete, ("SELECT 1", "SELECT ';", "SELECT 1 -- ;")))
    assert all(map(is_quoted, ("SELECT '", "SELECT 'a", 'SELECT "a b', "SELECT 1 -- a", "/* a")))
    assert not any(map(is_quoted, ("SELECT 'a'", "SELECT 1 /* a */", "")))


def test_completion_offers_what_may_stand_there(clickhouse: str) -> None:
    completer = SqlCompleter(Words.of(clickhouse))

    def offered(text: str, behind: str = "", *, asked: bool = False) -> list[str]:
        document = Document(text + behind, len(text))
        found = completer.get_completions(document, CompleteEvent(completion_requested=asked))
        return [each.text for each in found]

    assert offered("SELECT fau") == ["fault", "fault_status", "fault_fingerprint"]
    assert offered("SELECT events.enti") == ["entity_id"]
    assert offered("SELECT * FROM ", asked=True) == ["events"]
    assert offered("select", asked=True)[0] == "SELECT"
    assert "uniqExact" in offered("SELECT uniqE", " FROM events")
    assert offered("SELECT ") == []
    assert offered("SELECT 'fau") == []


def test_on_a_terminal_all_columns_are_shown_and_no_text_steers_it(
    events: Events, clickhouse: str
) -> None:
    events.point(clickhouse=clickhouse)
    for columns in (200, 50):
        with Terminal(
            "sql", "SELECT * FROM events", "--home", str(events.home), columns=columns
        ) as shown:
            assert shown.end() == 0
        for text in ("fault_status", "fault_fingerprint", "503", "f1", "no stock", "NULL"):
            assert text in shown.seen
        assert "8\ufffd[31m" in shown.seen
        assert "2 rows in " in shown.seen
        assert ("row 2 " in shown.seen) == (columns == 50)
        assert max(map(len, shown.seen.splitlines())) <= columns


def test_the_prompt_runs_statements_of_many_lines_remembers_and_completes(
    events: Events, clickhouse: str, tmp_path: Path
) -> None:
    events.point(clickhouse=clickhouse)
    with Terminal("sql", "--home", str(events.home), XDG_STATE_HOME=str(tmp_path)) as terminal:
        terminal.until("events>")
        terminal.type("SELECT 40 +\r2 AS answer;\r")
        terminal.until("1 row in ")
        assert "42" in terminal.seen
        for typed, said in (
            ("SELECT nothing;\r", "Code: 47, UNKNOWN_IDENTIFIER"),
            ("SELECT 1; SELECT 2\r\r", "1 row in "),
            ("help\r", "Ctrl-C leaves a line"),
            ("SELECT 'left\x03", "events>"),
        ):
            since = len(terminal.seen)
            terminal.type(typed)
            shown = terminal.until(said, since)
            terminal.until("events>", shown.index(said, since))  # the next prompt
        since = len(terminal.seen)
        terminal.type("SELECT 'still ' || 'there';\r")
        shown = terminal.until("still there", since)
        terminal.until("events>", shown.index("still there", since))
        terminal.type("\x04")  # a Ctrl-D before the prompt is the terminal's own, and lost
        assert terminal.end() == 0
    history = (tmp_path / "events" / "sql_history").read_text()
    assert "+SELECT 40 +\n+2 AS answer;\n" in history


def test_a_long_answer_goes_to_the_pager(events: Events, clickhouse: str, tmp_path: Path) -> None:
    events.point(clickhouse=clickhouse)
    with Terminal(
        "sql", "--home", str(events.home), XDG_STATE_HOME=str(tmp_path), PAGER="wc -l"
    ) as terminal:
        terminal.until("events>")
        terminal.type("SELECT number FROM numbers(1500);\r")
        terminal.until("1005\n")  # of 1,000 rows, and what stands around them
        since = len(terminal.seen)
        terminal.type("exit\r")
        assert terminal.end() == 0, terminal.seen[since:]


@pytest.mark.parametrize("at_prompt", [True, False])
def test_ctrl_c_ends_the_query_in_clickhouse(
    events: Events, clickhouse: str, tmp_path: Path, at_prompt: bool
) -> None:
    events.point(clickhouse=clickhouse)
    endless = "SELECT sum(sipHash64(number)) FROM numbers(1000000000000)"

    def running() -> str:
        ask = "SELECT count() FROM system.processes WHERE query LIKE 'SELECT sum(sip%'"
        return httpx.post(clickhouse, content=ask).text.strip()

    given = () if at_prompt else (endless,)
    with Terminal("sql", *given, "--home", str(events.home), XDG_STATE_HOME=str(tmp_path)) as shown:
        if at_prompt:
            shown.until("events>")
            shown.type(endless + ";\r")
        wait_until(lambda: running() == "1", "it runs", 60)
        shown.type("\x03")
        shown.until("Stopped.")
        wait_until(lambda: running() == "0", "it has ended", 60)
        if at_prompt:
            shown.type("\x04")
        assert shown.end() == (0 if at_prompt else 130)


def test_a_prompt_on_a_server_that_is_away_says_so(events: Events) -> None:
    with Terminal("sql", "--home", str(events.home)) as shown:
        assert shown.end() == 1, shown.seen
    assert f"Nothing answers at {UNUSED}" in shown.seen
