"""A request's SQL taken apart as far as HTTP needs it: an INSERT's data, formats, settings."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

# URL parameters that mean something to the HTTP server and are no settings
RESERVED = frozenset(
    "query user password database default_format query_id session_id session_timeout session_check"
    " close_session compress decompress quota_key role buffer_size wait_end_of_query stacktrace"
    " send_progress_in_http_headers http_headers_progress_interval_ms enable_http_compression"
    " client_protocol_version cancel_http_readonly_queries_on_client_close".split()
)

_BLANK = r"(?:\s|--[^\n]*\n|/\*.*?\*/)*"
_FIRST_WORD = re.compile(_BLANK + r"\(*\s*([A-Za-z0-9_]+)", re.DOTALL)
_INSERT = re.compile(
    _BLANK
    + r"(?P<into>INSERT\s+INTO\s+(?:TABLE\s+)?(?:FUNCTION\s+)?[A-Za-z0-9_.`\"]+\s*(?:\([^()]*\)\s*)?)"
    r"(?:SETTINGS\s+(?P<settings>.*?))?\s*FORMAT\s+(?P<format>[A-Za-z0-9_]+)(?:[ \t;]*(?:\r?\n|$)|\s+)",
    re.DOTALL | re.IGNORECASE,
)
_FORMAT = re.compile(
    r"\bFORMAT\s+([A-Za-z0-9_]+)\s*(?:SETTINGS\b.*)?;?\s*$", re.DOTALL | re.IGNORECASE
)
_TEMPORARY = re.compile(
    _BLANK + r"CREATE\s+(?:OR\s+REPLACE\s+)?TEMPORARY\s", re.DOTALL | re.IGNORECASE
)
_PROCESSES = re.compile(r"\bsystem\s*\.\s*`?processes\b|\bSHOW\s+PROCESSLIST\b", re.IGNORECASE)
_SELECTS = frozenset(("SELECT", "WITH", "FROM"))
_READS = _SELECTS | {"SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS", "CHECK"}

# Formats of which two answers in a row are one answer: only these can be streamed block by block.
STREAMED = frozenset(
    "native tabseparated tsv tabseparatedraw tsvraw csv jsoneachrow ndjson jsonlines"
    " jsoncompacteachrow jsonstringseachrow rowbinary tskv values vertical linesasstring".split()
)


@dataclass(frozen=True)
class Statement:
    """One SQL statement with what the URL says of it."""

    sql: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    default_format: str = "TabSeparated"

    @property
    def first_word(self) -> str:
        """The statement's verb in upper case."""
        found = _FIRST_WORD.match(self.sql)
        return found[1].upper() if found else ""

    @property
    def reads_only(self) -> bool:
        """Whether a GET request may run it."""
        return self.first_word in _READS

    @property
    def format(self) -> str:
        """The format of the answer."""
        found = _FORMAT.search(self.sql)
        return found[1] if found else self.default_format

    @property
    def reads_processes(self) -> bool:
        """Whether it asks what is running."""
        return bool(_PROCESSES.search(self.sql))

    @property
    def stays(self) -> bool:
        """Whether it changes its connection: a setting, the current database, a temporary table."""
        return self.first_word in ("SET", "USE") or bool(_TEMPORARY.match(self.sql))

    @property
    def needs_set(self) -> bool:
        """Whether the URL's settings are set before it and brought back after it: it has no clause."""
        has_clause = self.reads_only or self.first_word in ("INSERT", "SET", "USE")
        return bool(self.settings) and not has_clause

    @property
    def streams(self) -> bool:
        """Whether the answer can be sent while it is computed."""
        return self.first_word in _SELECTS and self.format.lower() in STREAMED

    @property
    def text(self) -> str:
        """The SQL to run: the URL's settings become a SETTINGS clause, so none outlives it."""
        sql = self.sql.strip().rstrip(";")
        if self.settings and self.reads_only:
            return f"{sql}\nSETTINGS {clause(self.settings)}"
        if self.settings and self.first_word == "INSERT":
            return re.sub(
                r"\b(SELECT|WITH|VALUES)\b",
                lambda verb: f"SETTINGS {clause(self.settings)} {verb[1]}",
                sql,
                count=1,
                flags=re.IGNORECASE,
            )
        return sql


@dataclass(frozen=True)
class Insert:
    """An INSERT whose data follows it: `INSERT INTO ...`, settings, format, where the data begins."""

    into: str
    settings: str
    format: str
    data_starts: int

    def from_file(self, path: str) -> str:
        """The statement that takes its data from a file."""
        settings = f" SETTINGS {self.settings}" if self.settings else ""
        # the name says nothing of a compression: the data has been decoded
        return f"{self.into} FROM INFILE {quoted(path)}{settings} FORMAT {self.format}"


def insert_of(statement: Statement) -> Insert | None:
    """The INSERT ... FORMAT at the head of the statement; None when it is anything else."""
    found = _INSERT.match(statement.sql)
    if not found:
        return None
    given = (found["settings"] or "").strip()
    settings = ", ".join(part for part in (given, clause(statement.settings)) if part)
    return Insert(found["into"], settings, found["format"], found.end())


def clause(settings: Mapping[str, str]) -> str:
    """Settings as the inside of a SETTINGS clause; every value quoted, which ClickHouse converts."""
    return ", ".join(f"{name} = {quoted(value)}" for name, value in settings.items())


def quoted(value: str) -> str:
    """A string literal."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
