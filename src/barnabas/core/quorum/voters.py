"""Who votes: voters with their directories and endpoints, and the history of voter sets and kraft.version in the log (Q9-Q13, Q51).

Owns what the control records KRaftVersion and Voters mean. Source: KIP-853, Apache's `VoterSet` and `KRaftControlRecordStateMachine`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from barnabas.wire.logs.raft import KRaftVersionRecord, VotersRecord
from barnabas.wire.types import ZERO_UUID

if TYPE_CHECKING:
    from collections.abc import Iterable

    from barnabas.wire.schema import Message

E = TypeVar("E")

BOOTSTRAP_OFFSET = -1
"""Where the voters of the 0-0 snapshot count as written (Q10)."""


class Endpoint(NamedTuple):
    listener: str
    host: str
    port: int


class Voter(NamedTuple):
    id: int
    directory_id: bytes = ZERO_UUID
    """All zero while unknown: static voters."""
    endpoints: tuple[Endpoint, ...] = ()
    min_kraft_version: int = 0
    max_kraft_version: int = 1


class VoterSet:
    """Immutable; in the order of their ids."""

    __slots__ = ("by_id",)

    def __init__(self, voters: Iterable[Voter] = ()) -> None:
        self.by_id = {voter.id: voter for voter in sorted(voters)}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VoterSet) and self.by_id == other.by_id

    def __hash__(self) -> int:
        return hash(tuple(self.by_id.values()))

    def __len__(self) -> int:
        return len(self.by_id)

    def __repr__(self) -> str:
        return f"VoterSet({list(self.by_id.values())})"

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(self.by_id)

    def contains(self, replica_id: int, directory_id: bytes) -> bool:
        """Whether the replica votes: the id alone decides while its voter's directory is unknown (Q9)."""
        voter = self.by_id.get(replica_id)
        return voter is not None and voter.directory_id in (ZERO_UUID, directory_id)

    def is_only(self, replica_id: int, directory_id: bytes) -> bool:
        return len(self.by_id) == 1 and self.contains(replica_id, directory_id)

    def needs_update(self, voter: Voter) -> bool:
        """Whether this very replica votes, under another address or with other versions (Q50)."""
        return self.contains(voter.id, voter.directory_id) and self.by_id[voter.id] != voter

    def endpoints(self, replica_id: int) -> tuple[Endpoint, ...]:
        """Empty for who doesn't vote."""
        voter = self.by_id.get(replica_id)
        return () if voter is None else voter.endpoints

    def without(self, replica_id: int) -> VoterSet:
        return VoterSet(voter for voter in self.by_id.values() if voter.id != replica_id)

    def with_voter(self, voter: Voter) -> VoterSet:
        return VoterSet([*(other for other in self.by_id.values() if other.id != voter.id), voter])

    def to_record(self) -> VotersRecord:
        return VotersRecord(
            version=0,
            voters=[
                VotersRecord.Voter(
                    voter_id=voter.id,
                    voter_directory_id=voter.directory_id,
                    endpoints=[VotersRecord.Voter.Endpoint(name=name, host=host, port=port) for name, host, port in voter.endpoints],
                    k_raft_version_feature=VotersRecord.Voter.KRaftVersionFeature(
                        min_supported_version=voter.min_kraft_version, max_supported_version=voter.max_kraft_version
                    ),
                )
                for voter in self.by_id.values()
            ],
        )

    @classmethod
    def from_record(cls, record: VotersRecord) -> VoterSet:
        return cls(
            Voter(
                voter.voter_id,
                voter.voter_directory_id,
                tuple(Endpoint(endpoint.name, endpoint.host, endpoint.port) for endpoint in voter.endpoints),
                voter.k_raft_version_feature.min_supported_version,
                voter.k_raft_version_feature.max_supported_version,
            )
            for voter in record.voters
        )


class ControlHistory:
    """kraft.version and voters as the log's control records give them, uncommitted ones included: they count when appended (Q10, Q51)."""

    __slots__ = ("_static", "_versions", "_voters")

    def __init__(self, static_voters: VoterSet | None = None) -> None:
        """`static_voters`: those of controller.quorum.voters, which count until the log holds others."""
        self._static = static_voters or VoterSet()
        self._voters: list[tuple[int, VoterSet]] = []
        self._versions: list[tuple[int, int]] = []

    def replay(self, offset: int, record: Message) -> None:
        """A control record at `offset`; for records of a snapshot the last offset that it contains (-1 for the bootstrap one)."""
        if isinstance(record, VotersRecord):
            self._voters.append((offset, VoterSet.from_record(record)))
        elif isinstance(record, KRaftVersionRecord):
            self._versions.append((offset, record.k_raft_version))

    @property
    def voters(self) -> VoterSet:
        return self._voters[-1][1] if self._voters else self._static

    @property
    def voters_offset(self) -> int | None:
        """Where the newest voters stand; BOOTSTRAP_OFFSET when only format wrote them; None for static voters."""
        return self._voters[-1][0] if self._voters else None

    @property
    def kraft_version(self) -> int:
        return self._versions[-1][1] if self._versions else 0

    def at(self, offset: int) -> tuple[int, VoterSet]:
        """(kraft.version, voters) as of `offset` inclusive: what a snapshot that ends there must hold."""
        version = next((version for at, version in reversed(self._versions) if at <= offset), 0)
        voters = next((voters for at, voters in reversed(self._voters) if at <= offset), self._static)
        return version, voters

    def restart(self) -> None:
        """A snapshot took the log's place: only what it says counts."""
        self._voters, self._versions = [], []

    def truncate(self, end_offset: int) -> None:
        """The log was cut: forget what stood at `end_offset` or after it."""
        self._voters = [entry for entry in self._voters if entry[0] < end_offset]
        self._versions = [entry for entry in self._versions if entry[0] < end_offset]

    def forget_before(self, start_offset: int) -> None:
        """The log's head went: keep the newest entries before `start_offset` and all from it on, since those may still be truncated."""
        self._voters = _without_head(self._voters, start_offset)
        self._versions = _without_head(self._versions, start_offset)


def _without_head(entries: list[tuple[int, E]], start_offset: int) -> list[tuple[int, E]]:
    older = [entry for entry in entries if entry[0] < start_offset]
    return older[-1:] + entries[len(older) :]
