"""BrokerRegistration (62): versions 0-4."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always, since
from barnabas.wire.types import Array, Bool, Int16, Int32, Int64, String, Uint16, Uuid


class BrokerRegistrationRequest(Message, key=62, versions="0-4", flexible="0+"):
    broker_id: Int32
    cluster_id: String
    incarnation_id: Uuid
    listeners: Array[Listener]
    features: Array[Feature]
    rack: String | None
    is_migrating_zk_broker: Bool = since(1, default=False)
    log_dirs: Array[Uuid] = since(2, default=[], ignorable=True)
    previous_broker_epoch: Int64 = since(3, default=-1, ignorable=True)

    class Listener(Struct):
        name: String
        host: String
        port: Uint16
        security_protocol: Int16

    class Feature(Struct):
        name: String
        min_supported_version: Int16
        max_supported_version: Int16


class BrokerRegistrationResponse(Message, key=62, versions="0-4", flexible="0+"):
    throttle_time_ms: Int32
    error_code: Int16
    broker_epoch: Int64 = always(default=-1)
