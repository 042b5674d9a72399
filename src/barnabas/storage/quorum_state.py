"""The quorum-state file: the epoch, its leader and the vote given, so that nobody votes twice (D33-D38).

Owns the JSON and its two versions. When to write is the quorum's matter: before the new state acts (D36).
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from ..wire.types import ZERO_UUID, uuid_from_text, uuid_text
from .atomic_file import read_file, replace_file
from .flat_json import parse_object

FILE_NAME = "quorum-state"
MAX_BYTES = 1024 * 1024


class QuorumStateError(ValueError):
    """An unreadable file; the message names it and the fix."""


class StoredQuorumState(NamedTuple):
    leader_epoch: int = 0
    leader_id: int = -1
    voted_id: int = -1
    voted_directory_id: bytes = ZERO_UUID
    voters: tuple[int, ...] = ()
    """Only written in version 0, and never believed on reading."""


def read_quorum_state(directory: str) -> StoredQuorumState | None:
    """What is stored, in either version; None without a file. Raises QuorumStateError, OSError."""
    path = os.path.join(directory, FILE_NAME)
    try:
        line = read_file(path, MAX_BYTES).split(b"\n", 1)[0]
        node = parse_object(line)
        version = _integer(node, "data_version", 15)
        if version not in (0, 1):
            raise ValueError(f"data_version {version} is unknown")
        voters = node["currentVoters"] if version == 0 else []
        return StoredQuorumState(
            leader_epoch=_integer(node, "leaderEpoch"),
            leader_id=_integer(node, "leaderId"),
            voted_id=_integer(node, "votedId"),
            voted_directory_id=uuid_from_text(node["votedDirectoryId"]) if version == 1 else ZERO_UUID,
            voters=tuple(_integer(voter, "voterId") for voter in voters),
        )
    except FileNotFoundError:
        return None
    except KeyError as error:
        problem = f"{error} is missing"
    except (ValueError, TypeError) as error:
        problem = str(error)
    raise QuorumStateError(
        f"{path}: {problem}. It holds the votes this node gave: restore it from a copy, or let the node rejoin with an empty metadata directory "
        "(a lone controller may start without the file)."
    )


def _integer(node: Any, key: str, bits: int = 31) -> int:
    value = node[key]
    if type(value) is not int or not -(1 << bits) <= value < 1 << bits:
        raise ValueError(f"{key} is {value!r}, not a number")
    return value


def write_quorum_state(directory: str, state: StoredQuorumState, kraft_version: int) -> None:
    """Replace the file, durably, in the version that belongs to `kraft_version`. Raises OSError."""
    text = f'"leaderId":{state.leader_id},"leaderEpoch":{state.leader_epoch},"votedId":{state.voted_id},'
    if kraft_version == 0:
        voters = ",".join(f'{{"voterId":{voter}}}' for voter in state.voters)
        text = f'{{"clusterId":"",{text}"appliedOffset":0,"currentVoters":[{voters}],"data_version":0}}'
    else:
        text = f'{{{text}"votedDirectoryId":"{uuid_text(state.voted_directory_id)}","data_version":1}}'
    replace_file(os.path.join(directory, FILE_NAME), text.encode())
