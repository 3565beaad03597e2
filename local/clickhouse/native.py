"""The Native format as `client_protocol_version` asks for it: a head before each block.

The engine writes version 0, plain blocks. Over HTTP a server writes the block's information in front
of each for any version, and from 54454 on a byte of each column that says how it is serialized. To
know where a column ends it has to be walked. After src/Formats/NativeWriter.cpp of ClickHouse.
"""

import re
from dataclasses import dataclass, field

from local.clickhouse.errors import UNSUPPORTED_METHOD, refused

BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"  # no overflow rows, no bucket, end
WITH_SERIALIZATION = 54454  # DBMS_MIN_REVISION_WITH_CUSTOM_SERIALIZATION
_USUAL = b"\x00"

_BYTES_OF = {
    1: "Int8 UInt8 Bool Enum8 Nothing",
    2: "Int16 UInt16 BFloat16 Date Enum16",
    4: "Int32 UInt32 Float32 Date32 DateTime IPv4 Time Decimal32",
    8: "Int64 UInt64 Float64 DateTime64 Time64 Decimal64",
    16: "Int128 UInt128 UUID IPv6 Decimal128",
    32: "Int256 UInt256 Decimal256",
}
_BYTES = {name: size for size, names in _BYTES_OF.items() for name in names.split()}
_GEO = {
    "Point": "Tuple(Float64, Float64)",
    "Ring": "Array(Point)",
    "LineString": "Array(Point)",
    "MultiLineString": "Array(LineString)",
    "Polygon": "Array(Ring)",
    "MultiPolygon": "Array(Polygon)",
}
_NAMED = re.compile(r"(?:`(?:[^`\\]|\\.)*`|[A-Za-z_][A-Za-z0-9_.]*)\s+(?=[A-Z])")


@dataclass(frozen=True)
class Type:
    """A column's type: `Array(Tuple(a UInt8, String))` as a tree."""

    name: str
    inner: tuple["Type", ...] = ()
    arguments: tuple[str, ...] = field(default=())


def parsed(text: str) -> Type:
    """The type of that name."""
    name, _, rest = text.strip().partition("(")
    if name in _GEO:
        return parsed(_GEO[name])
    arguments = split(rest.rstrip()[:-1]) if rest else ()
    if name == "Nested":
        return Type("Array", (Type("Tuple", _inner(arguments)),))
    if name == "Map":
        return Type("Array", (Type("Tuple", _inner(arguments)),))
    if name == "SimpleAggregateFunction":
        return parsed(arguments[1])
    if name in ("Array", "Tuple", "Nullable", "LowCardinality"):
        return Type(name, _inner(arguments))
    return Type(name, (), arguments)


def _inner(arguments: tuple[str, ...]) -> tuple[Type, ...]:
    return tuple(parsed(_NAMED.sub("", each, count=1)) for each in arguments)


def split(arguments: str) -> tuple[str, ...]:
    """At the commas that lie in no parenthesis and no quotes."""
    parts, depth, begin = [], 0, 0
    for token in re.finditer(r"'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`|[(),]", arguments):
        depth += {"(": 1, ")": -1}.get(token[0], 0)
        if token[0] == "," and depth == 0:
            parts.append(arguments[begin : token.start()].strip())
            begin = token.end()
    return (*parts, arguments[begin:].strip())


def versioned(data: bytes, version: int) -> bytes:
    """Plain Native blocks as the client's version has them. Raises `QueryFailed` for some types."""
    walk, made = _Walk(data), []
    while walk.at < len(data):
        made += [BLOCK_INFO, walk.block(version >= WITH_SERIALIZATION)]
    return b"".join(made)


class _Walk:
    """A position in Native data that moves on column by column."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def block(self, with_serialization: bool) -> bytes:
        """The block that begins here, with the byte that says that a column is written as usual."""
        begin, made = self.at, []
        columns, rows = self._varint(), self._varint()
        for _ in range(columns):
            name, type_ = self._string(), parsed(self._string())
            if with_serialization:
                made += [self.data[begin : self.at], _USUAL]
                begin = self.at
            try:
                self._prefix(type_)
                self._values(type_, rows)
            except _Unknown as error:
                raise refused(
                    UNSUPPORTED_METHOD,
                    f"Column {name} is a {error}, which this local server cannot write for"
                    " client_protocol_version; select toString() of it, or use FORMAT RowBinary",
                    "UNSUPPORTED_METHOD",
                ) from None
        return b"".join((*made, self.data[begin : self.at]))

    def _varint(self) -> int:
        number = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
            shift += 7

    def _string(self) -> str:
        size = self._varint()
        self.at += size
        return self.data[self.at - size : self.at].decode("utf-8", "replace")

    def _number(self) -> int:
        self.at += 8
        return int.from_bytes(self.data[self.at - 8 : self.at], "little")

    def _prefix(self, type_: Type) -> None:
        """What lies before the values: of each LowCardinality a version."""
        if type_.name == "LowCardinality":
            self.at += 8
        else:
            for inner in type_.inner:
                self._prefix(inner)

    def _values(self, type_: Type, rows: int) -> None:
        if rows == 0:
            return
        name = type_.name
        if name == "Nullable":
            self.at += rows
            self._values(type_.inner[0], rows)
        elif name == "Array":
            self.at += 8 * (rows - 1)
            self._values(type_.inner[0], self._number())
        elif name == "Tuple":
            for inner in type_.inner:
                self._values(inner, rows)
            self.at += 0 if type_.inner else rows
        elif name == "LowCardinality":
            self._dictionary(type_.inner[0])
        elif name == "String":
            self._strings(rows)
        else:
            self.at += rows * _size(type_)

    def _dictionary(self, type_: Type) -> None:
        """Flags with the width of an index, the distinct values, an index for each row."""
        width = 1 << (self._number() & 0xFF)
        self._values(type_.inner[0] if type_.name == "Nullable" else type_, self._number())
        rows = self._number()
        self.at += rows * width

    def _strings(self, rows: int) -> None:
        data, at = self.data, self.at
        for _ in range(rows):
            size = data[at]
            at += 1
            if size >= 0x80:
                self.at = at - 1
                size = self._varint()
                at = self.at
            at += size
        self.at = at


class _Unknown(Exception):
    """A type whose values cannot be walked."""


def _size(type_: Type) -> int:
    """Bytes of one value."""
    name = type_.name
    if name == "FixedString":
        return int(type_.arguments[0])
    if name == "Decimal":
        digits = int(type_.arguments[0])
        return next(size for most, size in ((9, 4), (18, 8), (38, 16), (76, 32)) if digits <= most)
    if name.startswith("Interval"):
        return 8
    if name not in _BYTES:
        raise _Unknown(name)
    return _BYTES[name]
