"""Protobuf written by hand, where `onnx` would not write what a hostile file holds."""


def number(value: int) -> bytes:
    """Return a number in base 128, lowest first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def key(field: int, wire: int) -> bytes:
    """Return what is before a field's value."""
    return number(field << 3 | wire)


def odd_key(field: int, wire: int) -> bytes:
    """Return the same with a bit beyond the 32nd, which protobuf's own reader drops."""
    plain = field << 3 | wire
    return bytes(plain >> shift & 0x7F | 0x80 for shift in (0, 7, 14, 21)) + bytes([plain >> 28 & 0x0F | 0x10])


def message(field: int, data: bytes, *, odd: bool = False) -> bytes:
    """Return a field that holds a message, text or bytes."""
    return (odd_key if odd else key)(field, 2) + number(len(data)) + data
