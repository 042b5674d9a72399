"""The table of APIs: key, name, versions, and the listeners that a 4.3.1 node serves each on (W1).

Owns the protocol's facts. Which of them this node serves stands in `node/router.py`. Messages are imported when they are first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from barnabas.wire.schema import Message

BROKER = 1
CONTROLLER = 2
_REQUEST_HEADER_VERSION = 1  # 2 where the request's version is flexible


class Api(NamedTuple):
    """One API. `stem` is its module in `wire.messages` and in `node.handlers`; versions are inclusive and stable ones only."""

    key: int
    name: str
    stem: str
    first: int
    last: int
    flexible_since: int
    listeners: int

    def request(self) -> type[Message]:
        return _class(self.stem, f"{self.name}Request")

    def response(self) -> type[Message]:
        return _class(self.stem, f"{self.name}Response")

    def request_header_version(self, version: int) -> int:
        return 2 if version >= self.flexible_since else 1

    def response_header_version(self, version: int) -> int:
        """ApiVersions answers with header version 0 always: a client that asks doesn't know yet what is understood (KIP-511)."""
        return 1 if version >= self.flexible_since and self.key != API_VERSIONS else 0


def _class(stem: str, name: str) -> type[Message]:
    found: type[Message] = getattr(import_module(f"barnabas.wire.messages.{stem}"), name)
    return found


PRODUCE = 0
FETCH = 1
API_VERSIONS = 18

APIS: dict[int, Api] = {
    api.key: api
    for api in (
        Api(0, "Produce", "produce", 3, 13, 9, BROKER),
        Api(1, "Fetch", "fetch", 4, 18, 12, BROKER | CONTROLLER),
        Api(2, "ListOffsets", "list_offsets", 1, 11, 6, BROKER),
        Api(3, "Metadata", "metadata", 0, 13, 9, BROKER),
        Api(8, "OffsetCommit", "offset_commit", 2, 10, 8, BROKER),
        Api(9, "OffsetFetch", "offset_fetch", 1, 10, 6, BROKER),
        Api(10, "FindCoordinator", "find_coordinator", 0, 6, 3, BROKER),
        Api(11, "JoinGroup", "join_group", 0, 9, 6, BROKER),
        Api(12, "Heartbeat", "heartbeat", 0, 4, 4, BROKER),
        Api(13, "LeaveGroup", "leave_group", 0, 5, 4, BROKER),
        Api(14, "SyncGroup", "sync_group", 0, 5, 4, BROKER),
        Api(15, "DescribeGroups", "describe_groups", 0, 6, 5, BROKER),
        Api(16, "ListGroups", "list_groups", 0, 5, 3, BROKER),
        Api(17, "SaslHandshake", "sasl_handshake", 0, 1, 32768, BROKER | CONTROLLER),
        Api(18, "ApiVersions", "api_versions", 0, 4, 3, BROKER | CONTROLLER),
        Api(19, "CreateTopics", "create_topics", 2, 7, 5, BROKER | CONTROLLER),
        Api(20, "DeleteTopics", "delete_topics", 1, 6, 4, BROKER | CONTROLLER),
        Api(21, "DeleteRecords", "delete_records", 0, 2, 2, BROKER),
        Api(22, "InitProducerId", "init_producer_id", 0, 5, 2, BROKER),
        Api(23, "OffsetForLeaderEpoch", "offset_for_leader_epoch", 2, 4, 4, BROKER),
        Api(24, "AddPartitionsToTxn", "add_partitions_to_txn", 0, 5, 3, BROKER),
        Api(25, "AddOffsetsToTxn", "add_offsets_to_txn", 0, 4, 3, BROKER),
        Api(26, "EndTxn", "end_txn", 0, 5, 3, BROKER),
        Api(27, "WriteTxnMarkers", "write_txn_markers", 1, 2, 1, BROKER),
        Api(28, "TxnOffsetCommit", "txn_offset_commit", 0, 5, 3, BROKER),
        Api(29, "DescribeAcls", "describe_acls", 1, 3, 2, BROKER | CONTROLLER),
        Api(30, "CreateAcls", "create_acls", 1, 3, 2, BROKER | CONTROLLER),
        Api(31, "DeleteAcls", "delete_acls", 1, 3, 2, BROKER | CONTROLLER),
        Api(32, "DescribeConfigs", "describe_configs", 1, 4, 4, BROKER | CONTROLLER),
        Api(33, "AlterConfigs", "alter_configs", 0, 2, 2, BROKER | CONTROLLER),
        Api(34, "AlterReplicaLogDirs", "alter_replica_log_dirs", 1, 2, 2, BROKER),
        Api(35, "DescribeLogDirs", "describe_log_dirs", 1, 5, 2, BROKER),
        Api(36, "SaslAuthenticate", "sasl_authenticate", 0, 2, 2, BROKER | CONTROLLER),
        Api(37, "CreatePartitions", "create_partitions", 0, 3, 2, BROKER | CONTROLLER),
        Api(38, "CreateDelegationToken", "create_delegation_token", 1, 3, 2, BROKER | CONTROLLER),
        Api(39, "RenewDelegationToken", "renew_delegation_token", 1, 2, 2, BROKER | CONTROLLER),
        Api(40, "ExpireDelegationToken", "expire_delegation_token", 1, 2, 2, BROKER | CONTROLLER),
        Api(41, "DescribeDelegationToken", "describe_delegation_token", 1, 3, 2, BROKER | CONTROLLER),
        Api(42, "DeleteGroups", "delete_groups", 0, 2, 2, BROKER),
        Api(43, "ElectLeaders", "elect_leaders", 0, 2, 2, BROKER | CONTROLLER),
        Api(44, "IncrementalAlterConfigs", "incremental_alter_configs", 0, 1, 1, BROKER | CONTROLLER),
        Api(45, "AlterPartitionReassignments", "alter_partition_reassignments", 0, 1, 0, BROKER | CONTROLLER),
        Api(46, "ListPartitionReassignments", "list_partition_reassignments", 0, 0, 0, BROKER | CONTROLLER),
        Api(47, "OffsetDelete", "offset_delete", 0, 0, 32768, BROKER),
        Api(48, "DescribeClientQuotas", "describe_client_quotas", 0, 1, 1, BROKER),
        Api(49, "AlterClientQuotas", "alter_client_quotas", 0, 1, 1, BROKER | CONTROLLER),
        Api(50, "DescribeUserScramCredentials", "describe_user_scram_credentials", 0, 0, 0, BROKER | CONTROLLER),
        Api(51, "AlterUserScramCredentials", "alter_user_scram_credentials", 0, 0, 0, BROKER | CONTROLLER),
        Api(52, "Vote", "vote", 0, 2, 0, CONTROLLER),
        Api(53, "BeginQuorumEpoch", "begin_quorum_epoch", 0, 1, 1, CONTROLLER),
        Api(54, "EndQuorumEpoch", "end_quorum_epoch", 0, 1, 1, CONTROLLER),
        Api(55, "DescribeQuorum", "describe_quorum", 0, 2, 0, BROKER | CONTROLLER),
        Api(56, "AlterPartition", "alter_partition", 2, 3, 0, CONTROLLER),
        Api(57, "UpdateFeatures", "update_features", 0, 2, 0, BROKER | CONTROLLER),
        Api(58, "Envelope", "envelope", 0, 0, 0, CONTROLLER),
        Api(59, "FetchSnapshot", "fetch_snapshot", 0, 1, 0, CONTROLLER),
        Api(60, "DescribeCluster", "describe_cluster", 0, 2, 0, BROKER | CONTROLLER),
        Api(61, "DescribeProducers", "describe_producers", 0, 0, 0, BROKER),
        Api(62, "BrokerRegistration", "broker_registration", 0, 4, 0, CONTROLLER),
        Api(63, "BrokerHeartbeat", "broker_heartbeat", 0, 2, 0, CONTROLLER),
        Api(64, "UnregisterBroker", "unregister_broker", 0, 0, 0, BROKER | CONTROLLER),
        Api(65, "DescribeTransactions", "describe_transactions", 0, 0, 0, BROKER),
        Api(66, "ListTransactions", "list_transactions", 0, 2, 0, BROKER),
        Api(67, "AllocateProducerIds", "allocate_producer_ids", 0, 0, 0, CONTROLLER),
        Api(68, "ConsumerGroupHeartbeat", "consumer_group_heartbeat", 0, 1, 0, BROKER),
        Api(69, "ConsumerGroupDescribe", "consumer_group_describe", 0, 1, 0, BROKER),
        Api(70, "ControllerRegistration", "controller_registration", 0, 0, 0, CONTROLLER),
        Api(71, "GetTelemetrySubscriptions", "get_telemetry_subscriptions", 0, 0, 0, BROKER),
        Api(72, "PushTelemetry", "push_telemetry", 0, 0, 0, BROKER),
        Api(73, "AssignReplicasToDirs", "assign_replicas_to_dirs", 0, 0, 0, CONTROLLER),
        Api(74, "ListConfigResources", "list_config_resources", 0, 1, 0, BROKER),
        Api(75, "DescribeTopicPartitions", "describe_topic_partitions", 0, 0, 0, BROKER),
        Api(76, "ShareGroupHeartbeat", "share_group_heartbeat", 1, 1, 0, BROKER),
        Api(77, "ShareGroupDescribe", "share_group_describe", 1, 1, 0, BROKER),
        Api(78, "ShareFetch", "share_fetch", 1, 2, 0, BROKER),
        Api(79, "ShareAcknowledge", "share_acknowledge", 1, 2, 0, BROKER),
        Api(80, "AddRaftVoter", "add_raft_voter", 0, 1, 0, BROKER | CONTROLLER),
        Api(81, "RemoveRaftVoter", "remove_raft_voter", 0, 0, 0, BROKER | CONTROLLER),
        Api(82, "UpdateRaftVoter", "update_raft_voter", 0, 0, 0, CONTROLLER),
        Api(83, "InitializeShareGroupState", "initialize_share_group_state", 0, 0, 0, BROKER),
        Api(84, "ReadShareGroupState", "read_share_group_state", 0, 0, 0, BROKER),
        Api(85, "WriteShareGroupState", "write_share_group_state", 0, 1, 0, BROKER),
        Api(86, "DeleteShareGroupState", "delete_share_group_state", 0, 0, 0, BROKER),
        Api(87, "ReadShareGroupStateSummary", "read_share_group_state_summary", 0, 1, 0, BROKER),
        Api(88, "StreamsGroupHeartbeat", "streams_group_heartbeat", 0, 0, 0, BROKER),
        Api(89, "StreamsGroupDescribe", "streams_group_describe", 0, 0, 0, BROKER),
        Api(90, "DescribeShareGroupOffsets", "describe_share_group_offsets", 0, 1, 0, BROKER),
        Api(91, "AlterShareGroupOffsets", "alter_share_group_offsets", 0, 0, 0, BROKER),
        Api(92, "DeleteShareGroupOffsets", "delete_share_group_offsets", 0, 0, 0, BROKER),
    )
}
