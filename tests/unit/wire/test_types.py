"""Varints, UUID text, and strings that aren't UTF-8."""

from __future__ import annotations

import pytest

from barnabas.wire.types import (
    AS_JAVA,
    ZERO_UUID,
    DecodeError,
    read_length,
    read_uvarint,
    read_varlong,
    uuid_from_text,
    uuid_text,
    write_uvarint,
    write_varlong,
)


@pytest.mark.parametrize(
    ("value", "data"),
    [(0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (300, "ac02"), (16383, "ff7f"), (16384, "808001"), (2**32 - 1, "ffffffff0f")],
)
def test_unsigned_varints(value: int, data: str) -> None:
    assert write_uvarint(value).hex() == data
    assert read_uvarint(b"x" + bytes.fromhex(data) + b"y", 1) == (value, 1 + len(data) // 2)


def test_an_unsigned_varint_has_five_bytes_at_most() -> None:
    with pytest.raises(DecodeError, match="longer than 5"):
        read_uvarint(b"\x80" * 5 + b"\0", 0)
    assert read_uvarint(b"\xff\xff\xff\xff\x7f", 0) == (2**32 - 1, 5)  # what doesn't fit is cut


def test_a_length_is_none_from_2_to_the_31() -> None:
    assert read_length(b"\xff\xff\xff\xff\x07", 0) == (2**31 - 1, 5)
    assert read_length(b"\x80\x80\x80\x80\x08", 0) == (0, 5)
    assert read_length(b"\xff\xff\xff\xff\x0f", 0) == (0, 5)


@pytest.mark.parametrize("value", [0, -1, 1, 63, 64, -64, -65, 2**31, -(2**31), 2**63 - 1, -(2**63)])
def test_zigzag_varints(value: int) -> None:
    data = write_varlong(value)
    assert read_varlong(data + b"more", 0) == (value, len(data))


def test_a_zigzag_varint_has_ten_bytes_at_most() -> None:
    with pytest.raises(DecodeError, match="longer than 10"):
        read_varlong(b"\x80" * 10 + b"\0", 0)


def test_uuid_text() -> None:
    uuid = bytes.fromhex("fbff00112233445566778899aabbccdd")
    assert uuid_text(uuid) == "-_8AESIzRFVmd4iZqrvM3Q"
    assert uuid_from_text("-_8AESIzRFVmd4iZqrvM3Q") == uuid
    assert uuid_text(ZERO_UUID) == "AAAAAAAAAAAAAAAAAAAAAA"


@pytest.mark.parametrize(
    ("text", "said"), [("", "0 bytes"), ("AAAA", "3 bytes"), ("AAAAAAAAAAAAAAAAAAAAAA!!", "no UUID"), ("A" * 30, "22 characters")]
)
def test_what_is_no_uuid(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        uuid_from_text(text)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"a\xffb", "a\ufffdb"),
        (b"\xe4\xba", "\ufffd"),
        (b"\xed\xa0\x80", "\ufffd"),  # a surrogate: Python alone would make three marks of it
        (b"\xed\xa0x", "\ufffdx"),
        (b"\xed\xa0", "\ufffd"),
        (b"\xed\xa0\x80\xed\xb0\x80!", "\ufffd\ufffd!"),
        (b"\xc0\x80", "\ufffd\ufffd"),
        (b"\xed", "\ufffd"),
    ],
)
def test_strings_that_are_no_utf_8(data: bytes, text: str) -> None:
    assert data.decode("utf-8", AS_JAVA) == text
