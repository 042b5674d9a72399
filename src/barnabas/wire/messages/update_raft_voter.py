"""UpdateRaftVoter (82): version 0."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always, tagged
from barnabas.wire.types import Array, Int16, Int32, String, Uint16, Uuid


class UpdateRaftVoterRequest(Message, key=82, versions="0", flexible="0+"):
    cluster_id: String | None
    current_leader_epoch: Int32
    voter_id: Int32
    voter_directory_id: Uuid
    listeners: Array[Listener]
    k_raft_version_feature: KRaftVersionFeature

    class Listener(Struct):
        name: String
        host: String
        port: Uint16

    class KRaftVersionFeature(Struct):
        min_supported_version: Int16
        max_supported_version: Int16


class UpdateRaftVoterResponse(Message, key=82, versions="0", flexible="0+"):
    throttle_time_ms: Int32
    error_code: Int16
    current_leader: CurrentLeader = tagged(0, default=None)

    class CurrentLeader(Struct):
        leader_id: Int32 = always(default=-1)
        leader_epoch: Int32 = always(default=-1)
        host: String
        port: Int32
