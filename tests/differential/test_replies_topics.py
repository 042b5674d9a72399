"""The same requests about topics and configuration to both engines: create, delete, grow, describe, alter, elect, auto-create; errors above all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from barnabas.wire.messages.alter_configs import AlterConfigsRequest
from barnabas.wire.messages.alter_partition_reassignments import AlterPartitionReassignmentsRequest
from barnabas.wire.messages.create_partitions import CreatePartitionsRequest
from barnabas.wire.messages.create_topics import CreateTopicsRequest
from barnabas.wire.messages.delete_topics import DeleteTopicsRequest
from barnabas.wire.messages.describe_configs import DescribeConfigsRequest
from barnabas.wire.messages.elect_leaders import ElectLeadersRequest
from barnabas.wire.messages.incremental_alter_configs import IncrementalAlterConfigsRequest
from barnabas.wire.messages.list_config_resources import ListConfigResourcesRequest
from barnabas.wire.messages.list_partition_reassignments import ListPartitionReassignmentsRequest
from barnabas.wire.messages.metadata import MetadataRequest
from tests.differential.transcript import Transcript, assert_same, module_scripts
from tests.system.waiting import wait_until

if TYPE_CHECKING:
    from tests.conftest import NodeFactory
    from tests.nodes import Node

pytestmark = [pytest.mark.apache, pytest.mark.node]

NewTopic = CreateTopicsRequest.CreatableTopic
Assignment = NewTopic.CreatableReplicaAssignment
TOPIC, BROKER = 2, 4
SET, DELETE, APPEND, SUBTRACT = range(4)


def _new(name: str, partitions: int = 1, replicas: int = 1, assignments: dict[int, list[int]] | None = None, **configs: str | None) -> NewTopic:
    return NewTopic(
        name=name,
        num_partitions=partitions,
        replication_factor=replicas,
        assignments=[Assignment(partition_index=index, broker_ids=ids) for index, ids in (assignments or {}).items()],
        configs=[NewTopic.CreatableTopicConfig(name=key.replace("_", "."), value=value) for key, value in configs.items()],
    )


def _create(*topics: NewTopic, validate_only: bool = False) -> CreateTopicsRequest:
    return CreateTopicsRequest(topics=list(topics), timeout_ms=10_000, validate_only=validate_only)


def create_topics_every_version(script: Transcript) -> None:
    for version in range(2, 8):
        script.call(_create(_new(f"created-{version}", 2)), version)
        script.call(_create(_new(f"created-{version}", 2)), version, "again")
        script.call(_create(_new(f"created-dry-{version}", 3, retention_ms="5000"), validate_only=True), version, "validate only")
    for version in range(4, 8):
        script.call(_create(_new(f"created-default-{version}", -1, -1)), version, "defaults")
    script.call(_create(_new("created-old-default", -1, -1)), 3, "defaults, before they were possible")


def create_topics_refused(script: Transcript) -> None:
    script.create_topic("refused.known")
    cases = {
        "no partitions": _new("refused-a", 0),
        "negative partitions": _new("refused-b", -2),
        "no replicas": _new("refused-c", 1, 0),
        "negative replicas": _new("refused-d", 1, -3),
        "two replicas": _new("refused-e", 1, 2),
        "empty name": _new(""),
        "dot": _new("."),
        "two dots": _new(".."),
        "slash": _new("a/b"),
        "space": _new("a b"),
        "not ascii": _new("é"),
        "long name": _new("x" * 249),
        "too long a name": _new("x" * 250),
        "collides": _new("refused_known"),
        "internal": _new("__cluster_metadata"),
        "unknown config": _new("refused-f", nonsense="1"),
        "bad config value": _new("refused-g", retention_ms="abc"),
        "config out of range": _new("refused-h", retention_ms="-2"),
        "null config": _new("refused-i", retention_ms=None),
        "bad cleanup policy": _new("refused-j", cleanup_policy="shred"),
        "bad compression": _new("refused-k", compression_type="rar"),
        "tiered": _new("refused-l", remote_storage_enable="true"),
        "assignment and count": _new("refused-m", 2, -1, {0: [1], 1: [1]}),
        "assignment and replicas": _new("refused-n", -1, 1, {0: [1]}),
        "assignment": _new("refused-o", -1, -1, {0: [1], 1: [1]}),
        "assignment not from 0": _new("refused-p", -1, -1, {1: [1]}),
        "assignment with a gap": _new("refused-q", -1, -1, {0: [1], 2: [1]}),
        "assignment to nobody": _new("refused-r", -1, -1, {0: []}),
        "assignment to a stranger": _new("refused-s", -1, -1, {0: [9]}),
        "assignment twice": _new("refused-t", -1, -1, {0: [1, 1]}),
        "assignment to -1": _new("refused-u", -1, -1, {0: [-1]}),
        "many partitions": _new("refused-v", 10_001),
    }
    for note, topic in cases.items():
        for version in (4, 7):
            script.call(_create(topic, validate_only=True), version, f"{note}, validate only")
            script.call(_create(topic), version, note)
    script.call(_create(), 7, "nothing")
    script.call(_create(_new("refused-twice"), _new("refused-twice"), _new("refused-once")), 7, "twice in one request")
    script.call(_create(_new("refused-configs", retention_ms="1"), validate_only=True), 7, "one config")
    configs = [NewTopic.CreatableTopicConfig(name="retention.ms", value=value) for value in ("1", "2")]
    repeated = NewTopic(name="refused-repeated", num_partitions=1, replication_factor=1, assignments=[], configs=configs)
    script.call(_create(repeated), 7, "one config twice")


def create_topics_shows_configs(script: Transcript) -> None:
    """KIP-525: the reply carries the topic's whole configuration."""
    script.call(_create(_new("shown", 1, cleanup_policy="compact", retention_ms="12345", segment_bytes="2000000")), 7)
    script.call(_create(_new("shown-dry", 1, min_insync_replicas="1"), validate_only=True), 5)


def delete_topics(script: Transcript) -> None:
    state = DeleteTopicsRequest.DeleteTopicState
    for version in range(1, 7):
        name = f"deleted-{version}"
        topic_id = script.create_topic(name)

        def request(names: list[str], version: int = version) -> DeleteTopicsRequest:
            if version < 6:
                return DeleteTopicsRequest(topic_names=names, timeout_ms=10_000)
            return DeleteTopicsRequest(topics=[state(name=name) for name in names], timeout_ms=10_000)

        script.call(request(["deleted-absent", "a/b", ""]), version, "absent")
        script.call(request([]), version, "nothing")
        script.call(request([name, name]), version, "twice in one request")
        script.call(request([name]), version)
        script.call(request([name]), version, "again")
        if version == 6:
            script.call(DeleteTopicsRequest(topics=[state(topic_id=topic_id)], timeout_ms=10_000), 6, "by its old id")
            script.call(DeleteTopicsRequest(topics=[state(topic_id=b"\7" * 16)], timeout_ms=10_000), 6, "by an unknown id")
            script.call(DeleteTopicsRequest(topics=[state()], timeout_ms=10_000), 6, "by nothing")
            both = script.create_topic("deleted-both")
            script.call(DeleteTopicsRequest(topics=[state(name="deleted-both", topic_id=both)], timeout_ms=10_000), 6, "by name and id")
            script.call(DeleteTopicsRequest(topics=[state(name="deleted-both"), state(topic_id=both)], timeout_ms=10_000), 6, "by name, then id")
            script.call(DeleteTopicsRequest(topics=[state(topic_id=both)], timeout_ms=10_000), 6, "by id")


def create_partitions(script: Transcript) -> None:
    ask = CreatePartitionsRequest.Topic
    script.create_topic("grown", 2)
    cases = {
        "fewer": ask(name="grown", count=1, assignments=None),
        "as many": ask(name="grown", count=2, assignments=None),
        "none": ask(name="grown", count=0, assignments=None),
        "negative": ask(name="grown", count=-1, assignments=None),
        "absent": ask(name="grown-absent", count=3, assignments=None),
        "illegal": ask(name="a/b", count=3, assignments=None),
        "too few assignments": ask(name="grown", count=5, assignments=[ask.Assignment(broker_ids=[1])]),
        "too many assignments": ask(name="grown", count=3, assignments=[ask.Assignment(broker_ids=[1])] * 2),
        "to a stranger": ask(name="grown", count=3, assignments=[ask.Assignment(broker_ids=[9])]),
        "to two": ask(name="grown", count=3, assignments=[ask.Assignment(broker_ids=[1, 1])]),
        "to nobody": ask(name="grown", count=3, assignments=[ask.Assignment(broker_ids=[])]),
    }
    for version in range(4):
        for note, topic in cases.items():
            script.call(CreatePartitionsRequest(topics=[topic], timeout_ms=10_000, validate_only=False), version, note)
        count = 3 + 2 * version
        script.call(
            CreatePartitionsRequest(topics=[ask(name="grown", count=count, assignments=None)], timeout_ms=10_000, validate_only=True), version, "dry"
        )
        script.call(
            CreatePartitionsRequest(topics=[ask(name="grown", count=count, assignments=None)], timeout_ms=10_000, validate_only=False),
            version,
            "one more",
        )
        assigned = ask(name="grown", count=count + 1, assignments=[ask.Assignment(broker_ids=[1])])
        script.call(CreatePartitionsRequest(topics=[assigned], timeout_ms=10_000, validate_only=False), version, "assigned")
    twice = [ask(name="grown", count=20, assignments=None), ask(name="grown", count=21, assignments=None)]
    script.call(CreatePartitionsRequest(topics=twice, timeout_ms=10_000, validate_only=False), 3, "twice in one request")
    wait_until(lambda: len(script.client.metadata("grown").partitions) == 10)
    script.call(MetadataRequest(topics=[MetadataRequest.Topic(name="grown")], allow_auto_topic_creation=False), 8, "at the end")


def _describe(kind: int, name: str, keys: list[str] | None = None, synonyms: bool = True, documentation: bool = False) -> DescribeConfigsRequest:
    resource = DescribeConfigsRequest.Resource(resource_type=kind, resource_name=name, configuration_keys=keys)
    return DescribeConfigsRequest(resources=[resource], include_synonyms=synonyms, include_documentation=documentation)


def describe_topic_configs(script: Transcript) -> None:
    script.create_topic("described-config", configs={"retention.ms": "777", "cleanup.policy": "compact,delete", "segment.bytes": "2000000"})
    for version in range(1, 5):
        for synonyms in (False, True):
            script.call(_describe(TOPIC, "described-config", synonyms=synonyms), version, f"synonyms {synonyms}")
        script.call(_describe(TOPIC, "described-config", ["retention.ms", "nonsense", "max.message.bytes"]), version, "some keys")
        script.call(_describe(TOPIC, "described-config", []), version, "no keys")
        script.call(_describe(TOPIC, "described-absent"), version, "absent")
        script.call(_describe(TOPIC, "a/b"), version, "illegal")
        script.call(_describe(TOPIC, ""), version, "empty")
        script.call(_describe(BROKER, "9", ["log.retention.ms"]), version, "another broker")
        script.call(_describe(BROKER, "x", ["log.retention.ms"]), version, "no broker")
        script.call(_describe(3, "x"), version, "no such type")


def describe_broker_configs(script: Transcript) -> None:
    keys = [
        "log.retention.ms",
        "log.retention.hours",
        "num.network.threads",
        "log.cleanup.policy",
        "message.max.bytes",
        "min.insync.replicas",
        "background.threads",
    ]
    keys += [
        "auto.create.topics.enable",
        "compression.type",
        "log.segment.bytes",
        "num.partitions",
        "offsets.retention.minutes",
        "unclean.leader.election.enable",
        "node.id",
    ]
    for version in (1, 4):
        script.call(_describe(BROKER, "1", keys), version, "broker 1")
        script.call(_describe(BROKER, "", keys), version, "defaults")


def alter_configs(script: Transcript) -> None:
    script.create_topic("altered", configs={"retention.ms": "1000"})
    ask = IncrementalAlterConfigsRequest.AlterConfigsResource
    cases: list[tuple[str, int, str, list[tuple[str, int, str | None]]]] = [
        ("set", TOPIC, "altered", [("retention.ms", SET, "2000")]),
        ("set two", TOPIC, "altered", [("retention.ms", SET, "3000"), ("segment.bytes", SET, "2000000")]),
        ("one twice", TOPIC, "altered", [("retention.ms", SET, "1"), ("retention.ms", SET, "2")]),
        ("append", TOPIC, "altered", [("cleanup.policy", APPEND, "compact")]),
        ("append again", TOPIC, "altered", [("cleanup.policy", APPEND, "compact")]),
        ("append nonsense", TOPIC, "altered", [("cleanup.policy", APPEND, "shred")]),
        ("subtract", TOPIC, "altered", [("cleanup.policy", SUBTRACT, "delete")]),
        ("append to no list", TOPIC, "altered", [("retention.ms", APPEND, "1")]),
        ("delete", TOPIC, "altered", [("segment.bytes", DELETE, None)]),
        ("delete what isn't set", TOPIC, "altered", [("max.message.bytes", DELETE, None)]),
        ("unknown key", TOPIC, "altered", [("nonsense", SET, "1")]),
        ("delete an unknown key", TOPIC, "altered", [("nonsense", DELETE, None)]),
        ("bad value", TOPIC, "altered", [("retention.ms", SET, "x")]),
        ("null value", TOPIC, "altered", [("retention.ms", SET, None)]),
        ("unknown operation", TOPIC, "altered", [("retention.ms", 9, "1")]),
        ("absent topic", TOPIC, "altered-absent", [("retention.ms", SET, "1")]),
        ("illegal topic", TOPIC, "a/b", [("retention.ms", SET, "1")]),
        ("empty topic", TOPIC, "", [("retention.ms", SET, "1")]),
        ("broker", BROKER, "1", [("log.retention.ms", SET, "99999999")]),
        ("broker, read only", BROKER, "1", [("node.id", SET, "2")]),
        ("broker, bad value", BROKER, "1", [("log.retention.ms", SET, "x")]),
        ("another broker", BROKER, "9", [("log.retention.ms", SET, "99999999")]),
        ("no broker", BROKER, "x", [("log.retention.ms", SET, "99999999")]),
        ("broker default", BROKER, "", [("log.retention.ms", SET, "88888888")]),
        ("no such type", 77, "x", [("a", SET, "b")]),
        ("nothing", TOPIC, "altered", []),
    ]
    for note, kind, name, changes in cases:
        configs = [ask.AlterableConfig(name=key, config_operation=operation, value=value) for key, operation, value in changes]
        for version, dry in ((1, True), (1, False), (0, False)):
            request = IncrementalAlterConfigsRequest(resources=[ask(resource_type=kind, resource_name=name, configs=configs)], validate_only=dry)
            script.call(request, version, f"{note}{', dry' if dry else ''}")
    same = ask(resource_type=TOPIC, resource_name="altered", configs=[])
    script.call(IncrementalAlterConfigsRequest(resources=[same, same], validate_only=False), 1, "one resource twice")
    script.settle()
    keys = ["retention.ms", "segment.bytes", "cleanup.policy"]
    script.call(_describe(TOPIC, "altered", keys), 4, "afterwards")
    script.call(_describe(BROKER, "1", ["log.retention.ms"]), 4, "afterwards")
    for version in (0, 1):
        script.call(ListConfigResourcesRequest(resource_types=[] if version == 0 else [TOPIC, BROKER]), version)
    for name in ("1", ""):
        undo = ask.AlterableConfig(name="log.retention.ms", config_operation=DELETE, value=None)
        script.call(
            IncrementalAlterConfigsRequest(resources=[ask(resource_type=BROKER, resource_name=name, configs=[undo])], validate_only=False), 1, "undo"
        )
    script.settle()


def alter_configs_the_old_way(script: Transcript) -> None:
    script.create_topic("altered-old", configs={"retention.ms": "1000", "segment.bytes": "2000000"})
    ask = AlterConfigsRequest.Resource
    for version in range(3):
        for key, value in (("retention.ms", "4000"), ("nonsense", "1"), ("retention.ms", "x"), ("retention.ms", None)):
            configs = [ask.AlterableConfig(name=key, value=value)]
            resource = ask(resource_type=TOPIC, resource_name="altered-old", configs=configs)
            script.call(AlterConfigsRequest(resources=[resource], validate_only=version == 0), version, f"{key}={value}")
    script.settle()
    script.call(_describe(TOPIC, "altered-old", ["retention.ms", "segment.bytes"]), 4, "afterwards: what wasn't named is gone")


def elect_leaders(script: Transcript) -> None:
    script.create_topic("elected", 2)
    ask = ElectLeadersRequest.TopicPartitions
    for version in range(3):
        script.call(ElectLeadersRequest(topic_partitions=[ask(topic="elected", partitions=[0, 1, 5])], timeout_ms=5000), version)
        script.call(ElectLeadersRequest(topic_partitions=[ask(topic="elected-absent", partitions=[0])], timeout_ms=5000), version, "absent")
        script.call(ElectLeadersRequest(topic_partitions=[], timeout_ms=5000), version, "nothing")
        script.call(ElectLeadersRequest(election_type=5 if version else 0, topic_partitions=[], timeout_ms=5000), version, "nothing, of type 5")
    script.call(ElectLeadersRequest(election_type=1, topic_partitions=[ask(topic="elected", partitions=[0])], timeout_ms=5000), 2, "unclean")
    script.call(ElectLeadersRequest(election_type=5, topic_partitions=[ask(topic="elected", partitions=[0])], timeout_ms=5000), 2, "type 5")


def no_time(script: Transcript) -> None:
    """Without time nothing is done; what asks for nothing needs none."""
    script.create_topic("hurried", 1)
    made = CreateTopicsRequest.CreatableTopic(name="hurried-new", num_partitions=1, replication_factor=1)
    grown = CreatePartitionsRequest.Topic(name="hurried", count=2)
    moved = AlterPartitionReassignmentsRequest.ReassignableTopic
    moves = [moved(name="hurried", partitions=[moved.ReassignablePartition(partition_index=0, replicas=[1])])]
    elected = [ElectLeadersRequest.TopicPartitions(topic="hurried", partitions=[0])]
    for ms in (0, -1, -(1 << 31)):
        for validate_only in (False, True):
            script.all_versions(lambda _, ms=ms, v=validate_only: CreateTopicsRequest(topics=[made], timeout_ms=ms, validate_only=v), f"in {ms} ms")
            script.all_versions(
                lambda _, ms=ms, v=validate_only: CreatePartitionsRequest(topics=[grown], timeout_ms=ms, validate_only=v), f"in {ms} ms"
            )
        script.call(CreateTopicsRequest(topics=[], timeout_ms=ms), 7, f"nothing in {ms} ms")
        script.call(CreatePartitionsRequest(topics=[], timeout_ms=ms, validate_only=False), 3, f"nothing in {ms} ms")
        script.call(DeleteTopicsRequest(topic_names=["hurried"], timeout_ms=ms), 5, f"in {ms} ms")
        script.call(DeleteTopicsRequest(topics=[DeleteTopicsRequest.DeleteTopicState(name="hurried")], timeout_ms=ms), 6, f"in {ms} ms")
        script.call(DeleteTopicsRequest(topics=[], timeout_ms=ms), 6, f"nothing in {ms} ms")
        script.all_versions(lambda _, ms=ms: ElectLeadersRequest(topic_partitions=elected, timeout_ms=ms), f"in {ms} ms")
        script.all_versions(lambda _, ms=ms: AlterPartitionReassignmentsRequest(topics=moves, timeout_ms=ms), f"in {ms} ms")
        script.call(AlterPartitionReassignmentsRequest(topics=[], timeout_ms=ms), 1, f"nothing in {ms} ms")
        script.call(ListPartitionReassignmentsRequest(topics=None, timeout_ms=ms), 0, f"in {ms} ms")
    script.note("what is there", [script.client.metadata(name).error_code for name in ("hurried", "hurried-new")])


def auto_creation(script: Transcript) -> None:
    """W29: the first answer is always 3; the topic appears in the background."""
    for version in (0, 3, 4, 8, 12, 13):
        name = f"auto-{version}"
        request = MetadataRequest(topics=[MetadataRequest.Topic(name=name)])
        script.call(request, version, "first")
        wait_until(lambda name=name: script.client.metadata(name).error_code == 0)  # type: ignore[misc]
        script.names[script.client.metadata(name).topic_id] = f"id of {name}"
        script.call(request, version, "then")
    script.call(MetadataRequest(topics=[MetadataRequest.Topic(name="a/b")]), 12, "illegal")
    script.call(MetadataRequest(topics=[MetadataRequest.Topic(name="auto_8")]), 12, "collides")
    script.settle()
    script.call(MetadataRequest(topics=[MetadataRequest.Topic(name="auto_8")]), 12, "still collides")


@pytest.mark.parametrize("script", module_scripts(__name__), ids=lambda script: script.__name__)
def test_same_replies(script: object, apache_node: Node, barnabas_node: Node) -> None:
    assert_same(script, apache_node, barnabas_node)  # type: ignore[arg-type]


def _delete_where_it_is_not_allowed(script: Transcript) -> None:
    topic_id = script.create_topic("kept")
    state = DeleteTopicsRequest.DeleteTopicState
    for version in range(1, 7):
        for name in ("kept", "kept-absent"):
            named = [state(name=name)] if version == 6 else []
            script.call(DeleteTopicsRequest(topic_names=[] if named else [name], topics=named, timeout_ms=10_000), version, name)
    for asked in (state(topic_id=topic_id), state(topic_id=b"\7" * 16), state()):
        script.call(DeleteTopicsRequest(topics=[asked], timeout_ms=10_000), 6, repr(asked.topic_id == topic_id))


def test_topics_that_may_not_be_deleted(apache_nodes: NodeFactory, barnabas_nodes: NodeFactory) -> None:
    forbidding = {"delete.topic.enable": "false"}
    assert_same(_delete_where_it_is_not_allowed, apache_nodes(forbidding), barnabas_nodes(forbidding))
