"""The same requests to Apache Kafka and to Barnabas: what the controller answers beside topics and configs.

*Acls without an authorizer, DescribeQuorum, ListConfigResources, UpdateFeatures, UnregisterBroker, AlterPartitionReassignments, ListPartitionReassignments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from barnabas.wire.messages.alter_partition_reassignments import AlterPartitionReassignmentsRequest
from barnabas.wire.messages.create_acls import CreateAclsRequest
from barnabas.wire.messages.create_partitions import CreatePartitionsRequest
from barnabas.wire.messages.create_topics import CreateTopicsRequest
from barnabas.wire.messages.delete_acls import DeleteAclsRequest
from barnabas.wire.messages.describe_acls import DescribeAclsRequest
from barnabas.wire.messages.describe_quorum import DescribeQuorumRequest
from barnabas.wire.messages.list_config_resources import ListConfigResourcesRequest
from barnabas.wire.messages.list_partition_reassignments import ListPartitionReassignmentsRequest
from barnabas.wire.messages.unregister_broker import UnregisterBrokerRequest
from barnabas.wire.messages.update_features import UpdateFeaturesRequest
from tests.differential.transcript import Transcript, assert_same, module_scripts

if TYPE_CHECKING:
    from tests.nodes import Node

pytestmark = [pytest.mark.apache, pytest.mark.node]

TOO_MANY = "CreatePartitions of more than 10,000 partitions"
Update = UpdateFeaturesRequest.FeatureUpdateKey


def acls_without_an_authorizer(script: Transcript) -> None:
    """Resource type, pattern type, operation, permission: 0 is none that anybody knows."""
    for name, (resource, pattern, operation, permission) in {
        "known": (2, 3, 3, 3),
        "any": (1, 1, 1, 1),
        "resource": (0, 3, 3, 3),
        "pattern": (2, 0, 3, 3),
        "operation": (2, 3, 0, 3),
        "permission": (2, 3, 3, 0),
        "beyond": (99, 99, 99, 99),
    }.items():
        wanted = {"operation": operation, "permission_type": permission}
        filtered = {"resource_type_filter": resource, "pattern_type_filter": pattern, **wanted}
        asked = DescribeAclsRequest(resource_name_filter=None, principal_filter="User:a", host_filter=None, **filtered)
        script.all_versions(lambda _, asked=asked: asked, name)
        made = {"resource_type": resource, "resource_pattern_type": pattern, **wanted}
        creation = CreateAclsRequest.AclCreation(resource_name="acls", principal="User:a", host="*", **made)
        unwanted = DeleteAclsRequest.Filter(resource_name_filter="acls", principal_filter=None, host_filter=None, **filtered)
        for count in (0, 1, 2):
            script.all_versions(lambda _, each=creation, count=count: CreateAclsRequest(creations=[each] * count), f"{name} {count}")
            script.all_versions(lambda _, each=unwanted, count=count: DeleteAclsRequest(filters=[each] * count), f"{name} {count}")


def describe_quorum(script: Transcript) -> None:
    for version in range(3):
        asked = DescribeQuorumRequest.TopicData(topic_name="__cluster_metadata", partitions=[_partition(0)])
        reply = script.client.call(DescribeQuorumRequest(topics=[asked]), version)
        quorum = reply.topics[0].partitions[0]
        voters = [(voter.replica_id, voter.log_end_offset >= quorum.high_watermark) for voter in quorum.current_voters]
        nodes = [(node.node_id, [listener.name for listener in node.listeners]) for node in reply.nodes]
        script.note(
            f"DescribeQuorum {version}",
            [reply.error_code, quorum.error_code, quorum.leader_id, voters, nodes, reply.error_message, quorum.error_message],
        )


def _partition(index: int) -> DescribeQuorumRequest.TopicData.PartitionData:
    return DescribeQuorumRequest.TopicData.PartitionData(partition_index=index)


def describe_quorum_of_others(script: Transcript) -> None:
    topic = DescribeQuorumRequest.TopicData
    for topics in (
        [],
        [topic(topic_name="other", partitions=[_partition(0)])],
        [topic(topic_name="__cluster_metadata", partitions=[_partition(1)])],
        [topic(topic_name="__cluster_metadata", partitions=[_partition(0), _partition(1)])],
    ):
        script.all_versions(lambda _, topics=topics: DescribeQuorumRequest(topics=topics), str(len(topics)))


def list_config_resources(script: Transcript) -> None:
    script.settle()
    script.all_versions(lambda _: ListConfigResourcesRequest(resource_types=[]), "everything", 0, 0)
    for types in ([4], [8], [4, 8], [16], [32], [1], [2, 99]):
        script.call(ListConfigResourcesRequest(resource_types=types), 1, str(types))
    script.create_topic("list-config-resources")
    reply = script.client.call(ListConfigResourcesRequest(resource_types=[2]), 1)
    script.note("topics", [each for each in reply.config_resources if each.resource_name == "list-config-resources"])


def update_features(script: Transcript) -> None:
    for updates in (
        [],
        [Update(feature="share.version", max_version_level=1)],
        [Update(feature="share.version", max_version_level=2)],
        [Update(feature="share.version", max_version_level=0)],
        [Update(feature="share.version", max_version_level=0, upgrade_type=2), Update(feature="no.such.version", max_version_level=1)],
        [Update(feature="kraft.version", max_version_level=1)],
        [Update(feature="kraft.version", max_version_level=0, upgrade_type=2)],
        [Update(feature="metadata.version", max_version_level=30)],
        [Update(feature="metadata.version", max_version_level=29, upgrade_type=2)],
        [Update(feature="metadata.version", max_version_level=6, upgrade_type=3)],
        [Update(feature="metadata.version", max_version_level=29, upgrade_type=3)],
        [Update(feature="metadata.version", max_version_level=29)],
        [Update(feature="metadata.version", max_version_level=99)],
        [Update(feature="kraft.version", max_version_level=2)],
        [Update(feature="share.version", max_version_level=-1)],
        [Update(feature="share.version", max_version_level=1, upgrade_type=0)],
        [Update(feature="share.version", max_version_level=1, upgrade_type=9)],
        [Update(feature="", max_version_level=1)],
        [Update(feature="share.version", max_version_level=1), Update(feature="share.version", max_version_level=0)],
        [Update(feature="transaction.version", max_version_level=3), Update(feature="group.version", max_version_level=1)],
    ):
        for validate_only in (True, False):
            note = f"{[(update.feature, update.max_version_level) for update in updates]} {validate_only}"
            for version in (1, 2):
                script.call(UpdateFeaturesRequest(feature_updates=updates, timeout_ms=10_000, validate_only=validate_only), version, note)
    down = UpdateFeaturesRequest(feature_updates=[Update(feature="group.version", max_version_level=0, allow_downgrade=False)], timeout_ms=10_000)
    script.call(down, 0, "no downgrade allowed")


def more_than_a_request_may(script: Transcript) -> None:
    """Messages of refusals that are about a request as a whole."""
    script.create_topic("whole-request", 1)
    grow = CreatePartitionsRequest.Topic
    for counts in ((10_002,), (5_001, 5_002), (10_001,)):
        for index in range(len(counts)):
            if script.client.metadata(f"whole-request-{index}").error_code:
                script.create_topic(f"whole-request-{index}")
        topics = [grow(name=f"whole-request-{index}", count=count, assignments=None) for index, count in enumerate(counts)]
        request = CreatePartitionsRequest(topics=topics, timeout_ms=10_000, validate_only=True)
        script.call(request, 3, str(counts), differs="" if counts == (10_001,) else TOO_MANY)
    new = CreateTopicsRequest.CreatableTopic
    many = [new(name=f"whole-many-{index}", num_partitions=2501, replication_factor=1, assignments=[], configs=[]) for index in range(4)]
    script.call(CreateTopicsRequest(topics=many, timeout_ms=10_000, validate_only=True), 7, "10,004 partitions")
    fit = [new(name=f"whole-fit-{index}", num_partitions=2500, replication_factor=1, assignments=[], configs=[]) for index in range(4)]
    script.call(CreateTopicsRequest(topics=fit, timeout_ms=10_000, validate_only=True), 7, "10,000 partitions")


def unregister_broker(script: Transcript) -> None:
    for broker in (7, -1):
        script.call(UnregisterBrokerRequest(broker_id=broker), 0, str(broker))


def reassignments(script: Transcript) -> None:
    script.create_topic("reassigned", 2)
    of = AlterPartitionReassignmentsRequest.ReassignableTopic
    for name, partition, replicas in (
        ("reassigned", 0, [1]),
        ("reassigned", 1, [2]),
        ("reassigned", 1, [1, 1]),
        ("reassigned", 1, []),
        ("reassigned", 1, None),
        ("reassigned", 5, [1]),
        ("absent", 0, [1]),
    ):
        topic = of(name=name, partitions=[of.ReassignablePartition(partition_index=partition, replicas=replicas)])
        script.all_versions(
            lambda _, topic=topic: AlterPartitionReassignmentsRequest(timeout_ms=10_000, topics=[topic]), f"{name} {partition} {replicas}"
        )
    strict = of(name="reassigned", partitions=[of.ReassignablePartition(partition_index=0, replicas=[1])])
    script.call(AlterPartitionReassignmentsRequest(timeout_ms=10_000, topics=[strict], allow_replication_factor_change=False), 1, "no other factor")
    script.call(AlterPartitionReassignmentsRequest(timeout_ms=10_000, topics=[strict, strict]), 1, "twice")
    script.call(AlterPartitionReassignmentsRequest(timeout_ms=10_000, topics=[]), 1, "nothing")
    script.call(ListPartitionReassignmentsRequest(timeout_ms=10_000, topics=None), 0, "all")
    script.call(ListPartitionReassignmentsRequest(timeout_ms=10_000, topics=[]), 0, "nothing")
    named = ListPartitionReassignmentsRequest.Topics(name="reassigned", partition_indexes=[0, 1, 9])
    script.call(ListPartitionReassignmentsRequest(timeout_ms=10_000, topics=[named]), 0, "named")


@pytest.mark.parametrize("script", module_scripts(__name__), ids=lambda script: script.__name__)
def test_same_replies(script: object, apache_node: Node, barnabas_node: Node) -> None:
    assert_same(script, apache_node, barnabas_node)  # type: ignore[arg-type]
