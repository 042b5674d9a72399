"""The quorum-state file (D33-D38)."""

from __future__ import annotations

from pathlib import Path

import pytest

from barnabas.storage.quorum_state import FILE_NAME, QuorumStateError, StoredQuorumState, read_quorum_state, write_quorum_state
from barnabas.wire.types import uuid_from_text

ID = uuid_from_text("LKM9cLF6S9yanpdvX7XhBA")


def test_both_versions_look_like_apaches(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    write_quorum_state(str(tmp_path), StoredQuorumState(voters=(2,)), kraft_version=0)
    assert path.read_text() == (
        '{"clusterId":"","leaderId":-1,"leaderEpoch":0,"votedId":-1,"appliedOffset":0,"currentVoters":[{"voterId":2}],"data_version":0}'
    )
    assert read_quorum_state(str(tmp_path)) == StoredQuorumState(voters=(2,))
    write_quorum_state(str(tmp_path), StoredQuorumState(7, -1, 1, ID), kraft_version=1)
    assert path.read_text() == '{"leaderId":-1,"leaderEpoch":7,"votedId":1,"votedDirectoryId":"LKM9cLF6S9yanpdvX7XhBA","data_version":1}'
    assert read_quorum_state(str(tmp_path)) == StoredQuorumState(7, -1, 1, ID)


def test_missing_is_none_and_unknown_keys_are_ignored(tmp_path: Path) -> None:
    assert read_quorum_state(str(tmp_path)) is None
    (tmp_path / FILE_NAME).write_text(
        '{"x":1,"leaderId":1,"leaderEpoch":2,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}'
    )
    assert read_quorum_state(str(tmp_path)) == StoredQuorumState(2, 1)


@pytest.mark.parametrize(
    "text",
    ["", "junk", "[]", '{"data_version":2}', '{"leaderId":1,"data_version":1}', '{"leaderId":"1","leaderEpoch":1,"votedId":1,"data_version":1}'],
)
def test_garbage_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(QuorumStateError, match="quorum-state"):
        read_quorum_state(str(tmp_path))
