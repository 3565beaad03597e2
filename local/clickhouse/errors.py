"""ClickHouse's errors as its HTTP server answers them: code, text, status."""

import re

_CODE = re.compile(r"Code: ([0-9]+)\.")

# src/Server/HTTP/exceptionCodeToHTTPStatus.cpp of ClickHouse, grouped by status
_STATUS_BY_CODE = {
    401: (194,),
    403: (192, 193, 497, 511, 516),
    404: (16, 46, 47, 48, 50, 56, 60, 63, 73, 81, 115, 152, 336, 394),
    408: (159, 160),
    413: (307,),
    400: (
        *(6, 25, 26, 27, 33, 34, 35, 36, 38, 39, 41, 42, 43, 44, 53, 62, 69, 70, 71, 72, 117),
        *(130, 131, 167, 168, 321, 427, 441, 455, 456, 457, 467),
    ),
    501: (48,),
    503: (74, 202, 209, 210),
}
_STATUS = {code: status for status, codes in _STATUS_BY_CODE.items() for code in codes}

TOO_MANY_SIMULTANEOUS_QUERIES = 202
READONLY = 164
TIMEOUT_EXCEEDED = 159
BAD_ARGUMENTS = 36
UNKNOWN_FORMAT = 73
UNSUPPORTED_METHOD = 1


class QueryFailed(Exception):
    """A statement that ClickHouse refused or could not finish."""

    def __init__(self, text: str) -> None:
        found = _CODE.search(text)
        self.code = int(found[1]) if found else 1002  # UNKNOWN_EXCEPTION
        self.text = text[found.start() :] if found else f"Code: 1002. DB::Exception: {text}"
        super().__init__(self.text)

    @property
    def status(self) -> int:
        """The HTTP status that ClickHouse's server answers for this code."""
        return _STATUS.get(self.code, 500)


def refused(code: int, message: str, name: str) -> QueryFailed:
    """An error of this server's own, in ClickHouse's form."""
    return QueryFailed(f"Code: {code}. DB::Exception: {message} ({name})")
