"""What KRaft keeps: control records of the metadata log (D30) and the quorum-state file (D33). KIP-595, KIP-630, KIP-853."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always, between, since
from barnabas.wire.types import ZERO_UUID, Array, Int16, Int32, Int64, String, Uint16, Uuid


class LeaderChangeMessage(Message, versions="0-1", flexible="0+"):
    version: Int16
    leader_id: Int32
    voters: Array[Voter]
    granting_voters: Array[Voter]

    class Voter(Struct):
        voter_id: Int32
        voter_directory_id: Uuid = since(1, default=ZERO_UUID)


class SnapshotHeaderRecord(Message, versions="0", flexible="0+"):
    version: Int16
    last_contained_log_timestamp: Int64


class SnapshotFooterRecord(Message, versions="0", flexible="0+"):
    version: Int16


class KRaftVersionRecord(Message, versions="0", flexible="0+"):
    version: Int16
    k_raft_version: Int16


class VotersRecord(Message, versions="0", flexible="0+"):
    version: Int16
    voters: Array[Voter]

    class Voter(Struct):
        voter_id: Int32
        voter_directory_id: Uuid
        endpoints: Array[Endpoint]
        k_raft_version_feature: KRaftVersionFeature

        class Endpoint(Struct):
            name: String
            host: String
            port: Uint16

        class KRaftVersionFeature(Struct):
            min_supported_version: Int16
            max_supported_version: Int16


class QuorumStateData(Message, versions="0-1", flexible="0+"):
    cluster_id: String = between(0, 0, default="")
    leader_id: Int32 = always(default=-1)
    leader_epoch: Int32 = always(default=-1)
    voted_id: Int32 = always(default=-1)
    voted_directory_id: Uuid = since(1, default=ZERO_UUID)
    applied_offset: Int64 = between(0, 0, default=0)
    current_voters: Array[Voter] | None = between(0, 0, default=[])

    class Voter(Struct):
        voter_id: Int32 = between(0, 0, default=0)


class ControlRecordTypeSchema(Message, versions="0"):
    type: Int16
