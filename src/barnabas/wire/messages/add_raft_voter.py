"""AddRaftVoter (80): versions 0-1."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always, since
from barnabas.wire.types import Array, Bool, Int16, Int32, String, Uint16, Uuid


class AddRaftVoterRequest(Message, key=80, versions="0-1", flexible="0+"):
    cluster_id: String | None
    timeout_ms: Int32
    voter_id: Int32
    voter_directory_id: Uuid
    listeners: Array[Listener]
    ack_when_committed: Bool = since(1, default=True)

    class Listener(Struct):
        name: String
        host: String
        port: Uint16


class AddRaftVoterResponse(Message, key=80, versions="0-1", flexible="0+"):
    throttle_time_ms: Int32
    error_code: Int16
    error_message: String | None = always(default="", ignorable=True)
