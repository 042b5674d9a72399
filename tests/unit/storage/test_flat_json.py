"""Small JSON files, with and without the json package."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnabas.storage.flat_json import _plain, parse_object


def test_ordinary_files_need_no_package() -> None:
    assert _plain(b'{"version":0,"brokerEpoch":14}') == {"version": 0, "brokerEpoch": 14}
    assert _plain(b'{"leaderId":-1,"votedDirectoryId":"AAAA-_AA","data_version":1}') == {
        "leaderId": -1,
        "votedDirectoryId": "AAAA-_AA",
        "data_version": 1,
    }


@pytest.mark.parametrize("text", [b"", b"[]", b"1", b"{", b'{"a":}', b'{"a":01}', b'{"a":1,}', b"{a:1}", b'{"a":1}x', b'{"a":"b}', b"\xff"])
def test_what_isnt_an_object_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_object(text)


@given(st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False), st.lists(st.integers()))))
def test_any_object_is_read_as_json_reads_it(value: dict[str, object]) -> None:
    for text in (json.dumps(value), json.dumps(value, separators=(",", ":"), ensure_ascii=False)):
        assert parse_object(text.encode()) == value


@given(st.text(alphabet='{}":,-0129ab \\', max_size=20))
def test_the_quick_way_takes_only_json(text: str) -> None:
    found = _plain(text.encode())
    if found is not None:
        assert found == json.loads(text)
