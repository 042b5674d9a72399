"""Records of __cluster_metadata (D28, C70-C82): the state of a cluster as a log. KIP-631."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always, since, tagged
from barnabas.wire.types import Array, Bool, Bytes, Float64, Int8, Int16, Int32, Int64, String, Uint16, Uuid


class RegisterBrokerRecord(Message, key=0, versions="0-4", flexible="0+"):
    broker_id: Int32
    is_migrating_zk_broker: Bool = since(2, default=False)
    incarnation_id: Uuid
    broker_epoch: Int64
    end_points: Array[BrokerEndpoint]
    features: Array[BrokerFeature]
    rack: String | None
    fenced: Bool = always(default=True)
    in_controlled_shutdown: Bool = since(1, default=False)
    log_dirs: Array[Uuid] = tagged(0, first=3, default=[])
    cordoned_log_dirs: Array[Uuid] | None = tagged(1, first=4, default=None)

    class BrokerEndpoint(Struct):
        name: String
        host: String
        port: Uint16
        security_protocol: Int16

    class BrokerFeature(Struct):
        name: String
        min_supported_version: Int16
        max_supported_version: Int16


class UnregisterBrokerRecord(Message, key=1, versions="0", flexible="0+"):
    broker_id: Int32
    broker_epoch: Int64


class TopicRecord(Message, key=2, versions="0", flexible="0+"):
    name: String
    topic_id: Uuid


class PartitionRecord(Message, key=3, versions="0-2", flexible="0+"):
    partition_id: Int32 = always(default=-1)
    topic_id: Uuid
    replicas: Array[Int32]
    isr: Array[Int32]
    removing_replicas: Array[Int32]
    adding_replicas: Array[Int32]
    leader: Int32 = always(default=-1)
    leader_recovery_state: Int8 = tagged(0, default=0)
    leader_epoch: Int32 = always(default=-1)
    partition_epoch: Int32 = always(default=-1)
    directories: Array[Uuid] = since(1, default=[])
    eligible_leader_replicas: Array[Int32] | None = tagged(1, first=2, default=None)
    last_known_elr: Array[Int32] | None = tagged(2, first=2, default=None)


class ConfigRecord(Message, key=4, versions="0", flexible="0+"):
    resource_type: Int8
    resource_name: String
    name: String
    value: String | None


class PartitionChangeRecord(Message, key=5, versions="0-2", flexible="0+"):
    partition_id: Int32 = always(default=-1)
    topic_id: Uuid
    isr: Array[Int32] | None = tagged(0, default=None)
    leader: Int32 = tagged(1, default=-2)
    replicas: Array[Int32] | None = tagged(2, default=None)
    removing_replicas: Array[Int32] | None = tagged(3, default=None)
    adding_replicas: Array[Int32] | None = tagged(4, default=None)
    leader_recovery_state: Int8 = tagged(5, default=-1)
    directories: Array[Uuid] | None = tagged(8, first=1, default=None)
    eligible_leader_replicas: Array[Int32] | None = tagged(6, first=2, default=None)
    last_known_elr: Array[Int32] | None = tagged(7, first=2, default=None)


class FenceBrokerRecord(Message, key=7, versions="0", flexible="0+"):
    id: Int32
    epoch: Int64


class UnfenceBrokerRecord(Message, key=8, versions="0", flexible="0+"):
    id: Int32
    epoch: Int64


class RemoveTopicRecord(Message, key=9, versions="0", flexible="0+"):
    topic_id: Uuid


class DelegationTokenRecord(Message, key=10, versions="0", flexible="0+"):
    owner: String
    requester: String
    renewers: Array[String]
    issue_timestamp: Int64
    max_timestamp: Int64
    expiration_timestamp: Int64
    token_id: String


class UserScramCredentialRecord(Message, key=11, versions="0", flexible="0+"):
    name: String
    mechanism: Int8
    salt: Bytes
    stored_key: Bytes
    server_key: Bytes
    iterations: Int32


class FeatureLevelRecord(Message, key=12, versions="0", flexible="0+"):
    name: String
    feature_level: Int16


class ClientQuotaRecord(Message, key=14, versions="0", flexible="0+"):
    entity: Array[EntityData]
    key: String
    value: Float64
    remove: Bool

    class EntityData(Struct):
        entity_type: String
        entity_name: String | None


class ProducerIdsRecord(Message, key=15, versions="0", flexible="0+"):
    broker_id: Int32
    broker_epoch: Int64 = always(default=-1)
    next_producer_id: Int64


class BrokerRegistrationChangeRecord(Message, key=17, versions="0-3", flexible="0+"):
    broker_id: Int32
    broker_epoch: Int64
    fenced: Int8 = tagged(0, default=0)
    in_controlled_shutdown: Int8 = tagged(1, first=1, default=0)
    log_dirs: Array[Uuid] = tagged(2, first=2, default=[])
    cordoned_log_dirs: Array[Uuid] | None = tagged(3, first=3, default=None)


class AccessControlEntryRecord(Message, key=18, versions="0", flexible="0+"):
    id: Uuid
    resource_type: Int8
    resource_name: String
    pattern_type: Int8
    principal: String
    host: String
    operation: Int8
    permission_type: Int8


class RemoveAccessControlEntryRecord(Message, key=19, versions="0", flexible="0+"):
    id: Uuid


class NoOpRecord(Message, key=20, versions="0", flexible="0+"):
    pass


class ZkMigrationStateRecord(Message, key=21, versions="0", flexible="0+"):
    zk_migration_state: Int8


class RemoveUserScramCredentialRecord(Message, key=22, versions="0", flexible="0+"):
    name: String
    mechanism: Int8


class BeginTransactionRecord(Message, key=23, versions="0", flexible="0+"):
    name: String | None = tagged(0, default=None)


class EndTransactionRecord(Message, key=24, versions="0", flexible="0+"):
    pass


class AbortTransactionRecord(Message, key=25, versions="0", flexible="0+"):
    reason: String | None = tagged(0, default=None)


class RemoveDelegationTokenRecord(Message, key=26, versions="0", flexible="0+"):
    token_id: String


class RegisterControllerRecord(Message, key=27, versions="0", flexible="0+"):
    controller_id: Int32
    incarnation_id: Uuid
    zk_migration_ready: Bool
    end_points: Array[ControllerEndpoint]
    features: Array[ControllerFeature]

    class ControllerEndpoint(Struct):
        name: String
        host: String
        port: Uint16
        security_protocol: Int16

    class ControllerFeature(Struct):
        name: String
        min_supported_version: Int16
        max_supported_version: Int16


class ClearElrRecord(Message, key=28, versions="0", flexible="0+"):
    topic_name: String


RECORDS: dict[int, type[Message]] = {
    0: RegisterBrokerRecord,
    1: UnregisterBrokerRecord,
    2: TopicRecord,
    3: PartitionRecord,
    4: ConfigRecord,
    5: PartitionChangeRecord,
    7: FenceBrokerRecord,
    8: UnfenceBrokerRecord,
    9: RemoveTopicRecord,
    10: DelegationTokenRecord,
    11: UserScramCredentialRecord,
    12: FeatureLevelRecord,
    14: ClientQuotaRecord,
    15: ProducerIdsRecord,
    17: BrokerRegistrationChangeRecord,
    18: AccessControlEntryRecord,
    19: RemoveAccessControlEntryRecord,
    20: NoOpRecord,
    21: ZkMigrationStateRecord,
    22: RemoveUserScramCredentialRecord,
    23: BeginTransactionRecord,
    24: EndTransactionRecord,
    25: AbortTransactionRecord,
    26: RemoveDelegationTokenRecord,
    27: RegisterControllerRecord,
    28: ClearElrRecord,
}
"""Record type -> class."""
