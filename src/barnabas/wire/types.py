"""Primitive types of the Kafka protocol and their errors.

Owns varints, UUID text and the names that message declarations use for their field types. Doesn't own messages (`schema`) nor their
encoding (`codec`). Source: the protocol guide, "Protocol Primitive Types"; KIP-482 for the compact forms.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from codecs import register_error
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Records = bytes | bytearray | memoryview
else:
    Records = bytes

Int8 = int
Int16 = int
Uint16 = int
Int32 = int
Uint32 = int
Int64 = int
Float64 = float
Bool = bool
String = str
Bytes = bytes
Uuid = bytes
Array = list

ZERO_UUID = bytes(16)
_MAX_UVARINT_BYTES = 5


class DecodeError(ValueError):
    """Bytes that aren't what the declaration says: truncated, oversized or malformed. Nothing was allocated beyond the bytes given."""


class EncodeError(ValueError):
    """A value that the version asked for can't carry."""


def read_uvarint(buffer: bytes | bytearray | memoryview, position: int) -> tuple[int, int]:
    """Unsigned 32-bit varint at `position`: (value, position behind it). Raises DecodeError beyond five bytes; IndexError past the end."""
    value = shift = 0
    for at in range(position, position + _MAX_UVARINT_BYTES):
        byte = buffer[at]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFF, at + 1
        shift += 7
    raise DecodeError(f"unsigned varint at byte {position} is longer than {_MAX_UVARINT_BYTES} bytes")


def write_uvarint(value: int) -> bytes:
    """`value` (0 to 2^32-1) as an unsigned varint."""
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_length(buffer: bytes | bytearray | memoryview, position: int) -> tuple[int, int]:
    """A compact length, or a count of tags. From 2^31 on Java holds a negative number, which means null, or none: here 0, which means the same."""
    value, position = read_uvarint(buffer, position)
    return value if value < 1 << 31 else 0, position


def read_varlong(buffer: bytes | bytearray | memoryview, position: int) -> tuple[int, int]:
    """Zigzag varint of up to ten bytes at `position`: (signed value, position behind it)."""
    value = shift = 0
    for at in range(position, position + 10):
        byte = buffer[at]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            value &= 0xFFFFFFFFFFFFFFFF
            return (value >> 1) ^ -(value & 1), at + 1
        shift += 7
    raise DecodeError(f"varint at byte {position} is longer than 10 bytes")


def write_varlong(value: int) -> bytes:
    """A signed 64-bit value as a zigzag varint."""
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _replace_as_java(error: UnicodeError) -> tuple[str, int]:
    """One mark for what Java replaces by one: as Python does, but a surrogate counts as a whole, not as three bytes."""
    assert isinstance(error, UnicodeDecodeError)
    start, end, data = error.start, error.end, error.object
    if data[start] == 0xED and end < len(data) and 0xA0 <= data[end] <= 0xBF:
        end += 2 if end + 1 < len(data) and 0x80 <= data[end + 1] <= 0xBF else 1
    return "\ufffd", end


AS_JAVA = "barnabas.as-java"
"""How strings that aren't UTF-8 are read: `data.decode("utf-8", AS_JAVA)`."""
register_error(AS_JAVA, _replace_as_java)


def uuid_text(uuid: bytes) -> str:
    """The 22 characters that Kafka prints for a UUID: URL-safe base64 without padding (D9)."""
    return b2a_base64(uuid, newline=False)[:22].decode().replace("+", "-").replace("/", "_")


def uuid_from_text(text: str) -> bytes:
    """The 16 bytes behind Kafka's text of a UUID. Raises ValueError with what is wrong."""
    try:
        uuid = a2b_base64(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), strict_mode=True)
    except ValueError as error:
        raise ValueError(f"{text!r} is no UUID in URL-safe base64: {error}") from None
    if len(uuid) != 16:
        raise ValueError(f"{text!r} holds {len(uuid)} bytes; a UUID has 16 (22 characters)")
    return uuid
