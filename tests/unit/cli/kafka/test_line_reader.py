"""Lines to records."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnabas.cli.kafka.line_reader import Line, LineFormat, LineReader, ReaderError


def read(data: bytes, cuts: list[int] | None = None, **settings: str) -> list[Line]:
    reader = LineReader(LineFormat.of({key.replace("_", "."): value for key, value in settings.items()}))
    places = sorted({0, *(cut for cut in cuts or () if cut < len(data)), len(data)})
    pieces = [data[start:end] for start, end in pairwise(places)]
    return [line for piece in [*pieces, b""] for line in reader.feed(piece)]


def test_plain() -> None:
    assert [line.value for line in read("a\n\nb\r\nc\rzwölf".encode())] == [b"a", b"", b"b", b"c", "zwölf".encode()]
    assert read(b"") == []


def test_key_and_headers() -> None:
    lines = read(b"h1:v1,h2:v2\tk\tv\tw\nNULL\tNULL\tNULL\n", parse_key="true", parse_headers="true", null_marker="NULL")
    assert lines == [Line(b"k", b"v\tw", (("h1", b"v1"), ("h2", b"v2"))), Line(None, None, ())]


def test_what_isnt_there() -> None:
    with pytest.raises(ReaderError, match="No key separator found on line number 2: 'x'"):
        read(b"k\tv\nx\n", parse_key="true")
    assert read(b"x\n", parse_key="true", ignore_error="true") == [Line(None, b"x", ())]
    with pytest.raises(ReaderError, match="No header key separator"):
        read(b"h\tv\n", parse_headers="true")
    with pytest.raises(ReaderError, match="may not be equal"):
        LineFormat.of({"headers.delimiter": ","})


@given(text=st.text(alphabet="ab\n\r\u00e4\t"), cuts=st.lists(st.integers(0, 40)))
def test_where_input_is_cut_makes_no_difference(text: str, cuts: list[int]) -> None:
    assert read(text.encode(), cuts) == read(text.encode())
