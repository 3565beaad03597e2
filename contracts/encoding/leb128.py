"""Unsigned LEB128, the variable-length numbers of Kafka's records and of ClickHouse's Native format."""


def leb128(number: int) -> bytes:
    """`number`, at least 0, seven bits a byte, the lowest first."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
