"""Text checkpoints (D77, D78)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from barnabas.storage import checkpoint_file as checkpoint


def test_offsets_come_back_and_look_like_kafkas(tmp_path: Path) -> None:
    path = str(tmp_path / checkpoint.RECOVERY_POINT)
    checkpoint.write_offsets(path, {("orders", 0): 5, ("orders", 1): 0})
    assert Path(path).read_bytes() == b"0\n2\norders 0 5\norders 1 0\n"
    assert checkpoint.read_offsets(path) == {("orders", 0): 5, ("orders", 1): 0}
    assert os.listdir(tmp_path) == [checkpoint.RECOVERY_POINT]


def test_leader_epochs_come_back(tmp_path: Path) -> None:
    path = str(tmp_path / checkpoint.LEADER_EPOCH)
    checkpoint.write_leader_epochs(path, [(0, 0), (3, 17)])
    assert Path(path).read_bytes() == b"0\n2\n0 0\n3 17\n"
    assert checkpoint.read_leader_epochs(path) == [(0, 0), (3, 17)]


def test_empty_and_missing_files_have_no_entries(tmp_path: Path) -> None:
    path = str(tmp_path / "x")
    assert checkpoint.read_offsets(path) == {}
    checkpoint.create_checkpoint(path)
    assert checkpoint.read_offsets(path) == {}
    Path(path).write_bytes(b"0\n")
    assert checkpoint.read_offsets(path) == {}


@pytest.mark.parametrize(
    "text",
    [
        b"junk\n",
        b"1\n0\n",
        b"0\nx\n",
        b"0\n2\na 0 1\n",
        b"0\n1\na 0\n",
        b"0\n1\na 0 99999999999999999999\n",
        b"0\n1\na b 1\n",
        b"0\n0\n\n",
        b"\xff\n",
    ],
)
def test_junk_is_named_with_its_line(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(text)
    with pytest.raises(checkpoint.CheckpointError, match=r"x:\d+: "):
        checkpoint.read_offsets(str(path))


def test_white_space_between_words_is_free(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"0\r\n1\r\na \t 0  7\r\n")
    assert checkpoint.read_offsets(str(path)) == {("a", 0): 7}
