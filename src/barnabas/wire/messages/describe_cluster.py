"""DescribeCluster (60): versions 0-2. Cluster id, controller and brokers (KIP-700).

1 the same of controllers, MISMATCHED_ENDPOINT_TYPE (KIP-919); 2 fenced brokers too, if asked for (KIP-1073).
"""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always, since
from barnabas.wire.types import Array, Bool, Int8, Int16, Int32, String


class DescribeClusterRequest(Message, key=60, versions="0-2", flexible="0+"):
    include_cluster_authorized_operations: Bool
    endpoint_type: Int8 = since(1, default=1)
    include_fenced_brokers: Bool = since(2, default=False)


class DescribeClusterResponse(Message, key=60, versions="0-2", flexible="0+"):
    throttle_time_ms: Int32
    error_code: Int16
    error_message: String | None = always(default=None)
    endpoint_type: Int8 = since(1, default=1)
    cluster_id: String
    controller_id: Int32 = always(default=-1)
    brokers: Array[Broker]
    cluster_authorized_operations: Int32 = always(default=-2147483648)

    class Broker(Struct):
        broker_id: Int32
        host: String
        port: Int32
        rack: String | None = always(default=None)
        is_fenced: Bool = since(2, default=False)
