"""What the group coordinators hear of the metadata, and in which order."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

from barnabas.core.metadata.delta import MetadataDelta
from barnabas.core.metadata.image import EMPTY
from barnabas.node.config.node_config import read_node_config
from barnabas.node.console_log import ConsoleLog
from barnabas.node.coordinator import OFFSETS_TOPIC, GroupCoordinators
from barnabas.node.network import Network
from barnabas.node.router import Router
from barnabas.node.server import Node
from barnabas.wire.logs.cluster_metadata import PartitionChangeRecord, PartitionRecord, RegisterBrokerRecord, RemoveTopicRecord, TopicRecord
from tests.nodes import combined_properties, write_properties
from tests.unit.node.coordinators.test_group_coordinator import Stand, commit_batch, wait_until

if TYPE_CHECKING:
    from pathlib import Path

OFFSETS_ID, DELETED_ID, INCARNATION = b"o" * 16, b"t" * 16, b"i" * 16


def test_a_topic_deleted_while_the_partition_of_its_groups_comes_here(tmp_path: Path) -> None:
    """By the same publication of the metadata, on a node that had no group so far: the deleted topic's offsets go all the same."""
    stand = Stand(tmp_path)
    partition = stand.partition(0)
    partition.lead(0)
    partition.append_own(bytearray(commit_batch("group", 5, "")), 1, 1)
    overrides = {"offsets.topic.num.partitions": "1"}
    config = read_node_config(str(write_properties(tmp_path / "server.properties", combined_properties(tmp_path, overrides))))
    node = Node(config, "c", lambda status: None, ConsoleLog("x"))
    node.network = Network(node, Router())
    node.broker = SimpleNamespace(incarnation_id=INCARNATION)  # type: ignore[assignment]  # all that is asked of them
    node.replicas = SimpleNamespace(by_id={OFFSETS_ID: {0: partition}})  # type: ignore[assignment]
    groups = GroupCoordinators(node)
    before = MetadataDelta(EMPTY)
    before.replay(RegisterBrokerRecord(broker_id=1, incarnation_id=INCARNATION, broker_epoch=1))
    for name, topic_id in ((OFFSETS_TOPIC, OFFSETS_ID), ("t", DELETED_ID)):
        before.replay(TopicRecord(name=name, topic_id=topic_id))
        before.replay(PartitionRecord(partition_id=0, topic_id=topic_id, replicas=[1, 2], isr=[1, 2], leader=2, leader_epoch=0, partition_epoch=0))
    delta = MetadataDelta(before.apply(10, 1, 1))
    delta.replay(PartitionChangeRecord(partition_id=0, topic_id=OFFSETS_ID, leader=1))
    delta.replay(RemoveTopicRecord(topic_id=DELETED_ID))
    node.adopt(delta.apply(12, 1, 1))
    groups.start()
    try:
        groups.publish(delta, 1)
        stand.coordinator = groups.coordinator
        wait_until(lambda: stand.fetch("group") == [-1])
    finally:
        assert groups.stop()
        stand.loop.stop()
