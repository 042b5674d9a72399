"""FindCoordinator (10): versions 0-6, flexible from 3. Which broker coordinates a group, a transaction or a share partition.

1 transactional ids beside groups (KIP-98); 4 several keys at once (KIP-699); 5 TRANSACTION_ABORTABLE (KIP-890); 6 share partitions, keyed
group:topic id:partition (KIP-932).
"""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, between, since
from barnabas.wire.types import Array, Int8, Int16, Int32, String


class FindCoordinatorRequest(Message, key=10, versions="0-6", flexible="3+"):
    key: String = between(0, 3, default="")
    key_type: Int8 = since(1, default=0)
    coordinator_keys: Array[String] = since(4, default=[])


class FindCoordinatorResponse(Message, key=10, versions="0-6", flexible="3+"):
    throttle_time_ms: Int32 = since(1, default=0, ignorable=True)
    error_code: Int16 = between(0, 3, default=0)
    error_message: String | None = between(1, 3, default="", ignorable=True)
    node_id: Int32 = between(0, 3, default=0)
    host: String = between(0, 3, default="")
    port: Int32 = between(0, 3, default=0)
    coordinators: Array[Coordinator] = since(4, default=[])

    class Coordinator(Struct):
        key: String = since(4, default="")
        node_id: Int32 = since(4, default=0)
        host: String = since(4, default="")
        port: Int32 = since(4, default=0)
        error_code: Int16 = since(4, default=0)
        error_message: String | None = since(4, default="", ignorable=True)
