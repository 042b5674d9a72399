"""What Metadata and DescribeTopicPartitions say of a partition and of brokers, seen through one listener.

Pure functions of the metadata image. Source: Apache's `KRaftMetadataCache`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.metadata.image import MetadataImage, Topic
from barnabas.wire.errors import Error
from barnabas.wire.messages.describe_topic_partitions import DescribeTopicPartitionsResponse
from barnabas.wire.messages.metadata import MetadataResponse

if TYPE_CHECKING:
    from barnabas.core.metadata.partition import Partition

INTERNAL_TOPICS = frozenset(("__consumer_offsets", "__transaction_state", "__share_group_state"))
TOPIC_OPERATIONS = 0b1101_1111_1000  # read write create delete alter describe describe_configs alter_configs
CLUSTER_OPERATIONS = 0b1_1111_1010_0000  # create alter describe cluster_action describe_configs alter_configs idempotent_write
_LISTENER_ERRORS = 6
_MAX_NAME = 249


def metadata_topic(image: MetadataImage, topic: Topic, listener: str, version: int) -> MetadataResponse.Topic:
    return MetadataResponse.Topic(
        error_code=0,
        name=topic.name,
        topic_id=topic.id,
        is_internal=topic.name in INTERNAL_TOPICS,
        partitions=[_metadata_partition(image, index, topic.partitions[index], listener, version) for index in sorted(topic.partitions)],
    )


def _metadata_partition(image: MetadataImage, index: int, partition: Partition, listener: str, version: int) -> MetadataResponse.Topic.Partition:
    leader, error = _leader(image, partition, listener, version)
    return MetadataResponse.Topic.Partition(
        error_code=error,
        partition_index=index,
        leader_id=leader,
        leader_epoch=partition.leader_epoch,
        replica_nodes=list(partition.replicas),
        isr_nodes=list(partition.isr),
        offline_replicas=offline_replicas(image, partition, listener),
    )


def describe_partition(image: MetadataImage, index: int, partition: Partition, listener: str) -> DescribeTopicPartitionsResponse.Topic.Partition:
    leader, error = _leader(image, partition, listener, _LISTENER_ERRORS)
    return DescribeTopicPartitionsResponse.Topic.Partition(
        error_code=error,
        partition_index=index,
        leader_id=leader,
        leader_epoch=partition.leader_epoch,
        replica_nodes=list(partition.replicas),
        isr_nodes=list(partition.isr),
        eligible_leader_replicas=list(partition.elr),
        last_known_elr=list(partition.last_known_elr),
        offline_replicas=offline_replicas(image, partition, listener),
    )


def _leader(image: MetadataImage, partition: Partition, listener: str, version: int) -> tuple[int, Error]:
    """The leader as a client of `listener` can reach it, and the partition's error."""
    leader = image.cluster.brokers.get(partition.leader)
    if leader is None or leader.fenced:
        return -1, Error.LEADER_NOT_AVAILABLE
    if listener not in leader.listeners:
        return -1, Error.LISTENER_NOT_FOUND if version >= _LISTENER_ERRORS else Error.LEADER_NOT_AVAILABLE
    return partition.leader, Error.NONE


def offline_replicas(image: MetadataImage, partition: Partition, listener: str) -> list[int]:
    found = []
    for replica, directory in zip(partition.replicas, partition.directories, strict=True):
        broker = image.cluster.brokers.get(replica)
        if broker is None or broker.fenced or listener not in broker.listeners or not broker.has_online(directory):
            found.append(replica)
    return found


def alive_brokers(image: MetadataImage, listener: str) -> list[MetadataResponse.Broker]:
    """Unfenced brokers that `listener` reaches, by id."""
    found = []
    for broker_id in sorted(image.cluster.brokers):
        broker = image.cluster.brokers[broker_id]
        endpoint = broker.listeners.get(listener)
        if not broker.fenced and endpoint is not None:
            found.append(MetadataResponse.Broker(node_id=broker_id, host=endpoint.host, port=endpoint.port, rack=broker.rack))
    return found


def is_topic_name(name: str) -> bool:
    """C41: 1 to 249 of letters, digits, ".", "_" and "-", not "." or ".."."""
    return (
        0 < len(name) <= _MAX_NAME
        and name not in (".", "..")
        and name.isascii()
        and all(character.isalnum() or character in "._-" for character in name)
    )
