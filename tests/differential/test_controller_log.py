"""One script to a running Apache Kafka and to our controller in memory: the same replies, and the same records in the metadata log.

The controller in memory is driven by the same requests and by the heartbeats that the broker would send. Ids, epochs, ports and words may differ.
"""

from __future__ import annotations

import difflib
from itertools import groupby
from typing import TYPE_CHECKING, Any

import pytest

from barnabas.core.controller import config_changes
from barnabas.core.controller.broker_life import fence_stale_broker
from barnabas.core.controller.config_rules import KafkaConfigRules
from barnabas.core.controller.config_screening import screen
from barnabas.core.controller.controller import Controller, ControllerSettings
from barnabas.core.controller.elections import elect_leaders
from barnabas.core.controller.feature_updates import update_features
from barnabas.core.controller.reassignments import alter_partition_reassignments
from barnabas.core.controller.result import ApiError
from barnabas.core.controller.topic_changes import create_partitions, create_topics, delete_topics
from barnabas.core.metadata.delta import MetadataDelta
from barnabas.core.metadata.image import BROKER, CLIENT_METRICS, EMPTY, GROUP, TOPIC
from barnabas.core.metadata.record_versions import decode_record, encode_record
from barnabas.core.metadata.snapshot import image_records
from barnabas.node.config.dynamic import judge_increments, judge_replacement
from barnabas.node.config.node_config import Given, node_config
from barnabas.wire.logs import cluster_metadata as records
from barnabas.wire.messages.alter_configs import AlterConfigsRequest
from barnabas.wire.messages.alter_partition_reassignments import AlterPartitionReassignmentsRequest
from barnabas.wire.messages.create_partitions import CreatePartitionsRequest
from barnabas.wire.messages.create_topics import CreateTopicsRequest, CreateTopicsResponse
from barnabas.wire.messages.delete_topics import DeleteTopicsRequest
from barnabas.wire.messages.elect_leaders import ElectLeadersRequest
from barnabas.wire.messages.incremental_alter_configs import IncrementalAlterConfigsRequest
from barnabas.wire.messages.update_features import UpdateFeaturesRequest
from barnabas.wire.records.batch import iterate_headers
from barnabas.wire.records.record import decode_records
from tests.differential.transcript import Client
from tests.nodes import SHORT_SESSION
from tests.unit.core.controller.cluster import Cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from barnabas.wire.schema import Message
    from tests.conftest import NodeFactory

pytestmark = [pytest.mark.apache]

Creatable = CreateTopicsRequest.CreatableTopic
COMPARED = (
    records.TopicRecord, records.ConfigRecord, records.ClearElrRecord, records.PartitionRecord, records.PartitionChangeRecord, records.RemoveTopicRecord,
    records.FeatureLevelRecord, records.BrokerRegistrationChangeRecord, records.RegisterBrokerRecord, records.BeginTransactionRecord,
    records.EndTransactionRecord,
)  # fmt: skip


def topic(name: str, partitions: int = 1, factor: int = 1, assignments: dict[int, list[int]] | None = None, **configs: str | None) -> Creatable:
    return Creatable(
        name=name,
        num_partitions=partitions,
        replication_factor=factor,
        assignments=[Creatable.CreatableReplicaAssignment(partition_index=at, broker_ids=ids) for at, ids in (assignments or {}).items()],
        configs=[Creatable.CreatableTopicConfig(name=key.replace("_", "."), value=value) for key, value in configs.items()],
    )


def create(*topics: Creatable, validate_only: bool = False) -> CreateTopicsRequest:
    return CreateTopicsRequest(topics=list(topics), timeout_ms=10_000, validate_only=validate_only)


def delete(*names: str) -> DeleteTopicsRequest:
    return DeleteTopicsRequest(topics=[DeleteTopicsRequest.DeleteTopicState(name=name) for name in names], timeout_ms=10_000)


def alter(kind: int, name: str, *operations: tuple[str, int, str | None], validate_only: bool = False) -> IncrementalAlterConfigsRequest:
    resource = IncrementalAlterConfigsRequest.AlterConfigsResource
    configs = [resource.AlterableConfig(name=key, config_operation=operation, value=value) for key, operation, value in operations]
    return IncrementalAlterConfigsRequest(resources=[resource(resource_type=kind, resource_name=name, configs=configs)], validate_only=validate_only)


def legacy(kind: int, name: str, **configs: str | None) -> AlterConfigsRequest:
    given = [AlterConfigsRequest.Resource.AlterableConfig(name=key.replace("_", "."), value=value) for key, value in configs.items()]
    resource = AlterConfigsRequest.Resource(resource_type=kind, resource_name=name, configs=given)
    return AlterConfigsRequest(resources=[resource], validate_only=False)


def grow(name: str, count: int, assignments: list[list[int]] | None = None, validate_only: bool = False) -> CreatePartitionsRequest:
    given = None if assignments is None else [CreatePartitionsRequest.Topic.Assignment(broker_ids=ids) for ids in assignments]
    wanted = CreatePartitionsRequest.Topic(name=name, count=count, assignments=given)
    return CreatePartitionsRequest(topics=[wanted], timeout_ms=10_000, validate_only=validate_only)


def elect(kind: int, name: str | None, *partitions: int) -> ElectLeadersRequest:
    wanted = None if name is None else [ElectLeadersRequest.TopicPartitions(topic=name, partitions=list(partitions))]
    return ElectLeadersRequest(election_type=kind, topic_partitions=wanted, timeout_ms=10_000)


def reassign(name: str, partition: int, replicas: list[int] | None) -> AlterPartitionReassignmentsRequest:
    of = AlterPartitionReassignmentsRequest.ReassignableTopic
    wanted = of(name=name, partitions=[of.ReassignablePartition(partition_index=partition, replicas=replicas)])
    return AlterPartitionReassignmentsRequest(timeout_ms=10_000, topics=[wanted])


def feature(name: str, level: int, upgrade_type: int = 1, validate_only: bool = False) -> UpdateFeaturesRequest:
    update = UpdateFeaturesRequest.FeatureUpdateKey(feature=name, max_version_level=level, upgrade_type=upgrade_type)
    return UpdateFeaturesRequest(timeout_ms=10_000, feature_updates=[update], validate_only=validate_only)


SET, DELETE, APPEND, SUBTRACT = config_changes.SET, config_changes.DELETE, config_changes.APPEND, config_changes.SUBTRACT
SCRIPT: list[tuple[Message, int]] = [
    (create(topic("plain")), 7),
    (create(topic("plain")), 7),
    (create(topic("defaults", -1, -1)), 7),
    (create(topic("three", 3, 1, cleanup_policy="compact", min_insync_replicas="1")), 7),
    (create(topic("old", 2), topic("old.er", 1)), 4),
    (create(topic("twice"), topic("twice"), topic("once")), 7),
    (create(topic("only.checked", 4, retention_ms="5"), validate_only=True), 7),
    (create(topic("a.b")), 7),
    (create(topic("a_b")), 7),
    (create(topic("a.b")), 7),
    *((create(topic(name)), 7) for name in ("", ".", "..", "sla/sh", "x" * 249, "y" * 250, "blank space", "__cluster_metadata")),
    *((create(topic("count", count, factor)), 7) for count, factor in ((0, 1), (-2, 1), (1, 0), (1, -2), (1, 2), (10_001, 1))),
    (create(topic("manual", -1, -1, {0: [1], 1: [1]})), 7),
    (create(topic("manual2", 2, -1, {0: [1], 1: [1]})), 7),
    (create(topic("manual2", -1, 1, {0: [1], 1: [1]})), 7),
    *((create(topic("manual2", -1, -1, given)), 7) for given in ({1: [1]}, {0: []}, {0: [2]}, {0: [1, 1]}, {0: [1], 2: [1]})),
    (create(topic("config", retention_ms=None)), 7),
    (create(topic("config", no_such="1")), 7),
    (create(topic("config", retention_ms="x")), 7),
    (create(topic("config", cleanup_policy="shred")), 7),
    (create(topic("config", segment_bytes="1")), 7),
    (create(topic("config", compression_type="zstd", max_message_bytes="2000000")), 7),
    (create(), 7),
    (delete("old.er"), 6),
    (delete("old.er"), 6),
    (delete("plain", "plain"), 6),
    (DeleteTopicsRequest(topic_names=["old", "absent"], timeout_ms=10_000), 5),
    (DeleteTopicsRequest(topics=[DeleteTopicsRequest.DeleteTopicState(name=None)], timeout_ms=10_000), 6),
    (DeleteTopicsRequest(topics=[DeleteTopicsRequest.DeleteTopicState(name=None, topic_id=b"\7" * 16)], timeout_ms=10_000), 6),
    (DeleteTopicsRequest(topics=[DeleteTopicsRequest.DeleteTopicState(name="plain", topic_id=b"\7" * 16)], timeout_ms=10_000), 6),
    (create(topic("old.er")), 7),
    *((grow("three", count), 3) for count in (2, 3, 5)),
    (grow("three", 6, [[1]]), 3),
    *((grow("three", 7, given), 3) for given in ([], [[2]], [[1], [1]], [[1, 1]])),
    (grow("three", 9, validate_only=True), 3),
    (grow("absent", 2), 3),
    (alter(TOPIC, "plain", ("retention.ms", SET, "1000"), ("cleanup.policy", APPEND, "compact")), 1),
    (alter(TOPIC, "plain", ("retention.ms", SET, "1000")), 1),
    (alter(TOPIC, "plain", ("cleanup.policy", SUBTRACT, "delete"), ("retention.ms", DELETE, None)), 1),
    (alter(TOPIC, "plain", ("cleanup.policy", DELETE, None)), 1),
    (alter(TOPIC, "plain", ("min.insync.replicas", SET, "2")), 1),
    (alter(TOPIC, "plain", ("min.insync.replicas", DELETE, None)), 1),
    (alter(TOPIC, "plain", ("retention.ms", APPEND, "1")), 1),
    (alter(TOPIC, "plain", ("retention.ms", SET, None)), 1),
    (alter(TOPIC, "plain", ("retention.ms", SET, "1"), ("retention.ms", DELETE, None)), 1),
    (alter(TOPIC, "plain", ("no.such", SET, "1")), 1),
    (alter(TOPIC, "plain", ("segment.ms", SET, "0")), 1),
    (alter(TOPIC, "plain", ("max.message.bytes", SET, "5"), validate_only=True), 1),
    (alter(TOPIC, "plain", ("retention.ms", 9, "1")), 1),
    (alter(BROKER, "", ("log.retention.ms", 9, "1")), 1),
    (alter(TOPIC, "absent", ("retention.ms", SET, "1")), 1),
    (alter(TOPIC, "", ("retention.ms", SET, "1")), 1),
    (alter(TOPIC, "sla/sh", ("retention.ms", SET, "1")), 1),
    (alter(BROKER, "", ("log.retention.ms", SET, "86400000")), 1),
    (alter(BROKER, "", ("log.retention.ms", SET, "86400000")), 1),
    (alter(BROKER, "", ("log.retention.ms", DELETE, None)), 1),
    (alter(BROKER, "", ("min.insync.replicas", SET, "1")), 1),
    (alter(BROKER, "", ("min.insync.replicas", DELETE, None)), 1),
    (alter(BROKER, "1", ("min.insync.replicas", SET, "1")), 1),
    (alter(BROKER, "1", ("log.cleaner.threads", SET, "2")), 1),
    (alter(BROKER, "1", ("broker.id", SET, "2")), 1),
    (alter(BROKER, "2", ("log.cleaner.threads", SET, "2")), 1),
    (alter(BROKER, "x", ("log.cleaner.threads", SET, "2")), 1),
    (alter(BROKER, "", ("num.io.threads", SET, "x")), 1),
    (alter(GROUP, "g", ("consumer.session.timeout.ms", SET, "50000")), 1),
    (alter(GROUP, "", ("consumer.session.timeout.ms", SET, "50000")), 1),
    (alter(GROUP, "g", ("no.such", SET, "50000")), 1),
    (alter(CLIENT_METRICS, "m", ("interval.ms", SET, "60000"), ("metrics", APPEND, "org.apache.kafka.producer.")), 1),
    (alter(CLIENT_METRICS, "m", ("no.such", SET, "1")), 1),
    (alter(99, "m", ("x", SET, "1")), 1),
    (legacy(TOPIC, "plain", retention_ms="5", segment_ms="6"), 2),
    (legacy(TOPIC, "plain", segment_ms="7"), 2),
    (legacy(TOPIC, "plain"), 2),
    (legacy(TOPIC, "plain", no_such="1"), 2),
    (legacy(TOPIC, "absent", segment_ms="1"), 2),
    (legacy(TOPIC, "plain", segment_ms=None), 2),
    (elect(0, "plain", 0), 2),
    (elect(1, "plain", 0), 2),
    (elect(0, "plain", 7), 2),
    (elect(0, "absent", 0), 2),
    (elect(0, None), 2),
    (reassign("three", 0, [1]), 1),
    (reassign("three", 0, [2]), 1),
    (reassign("three", 0, []), 1),
    (reassign("three", 0, None), 1),
    (reassign("absent", 0, [1]), 1),
    (feature("share.version", 0, 2), 2),
    (feature("share.version", 1), 2),
    (feature("share.version", 1), 1),
    (feature("share.version", 2), 2),
    (feature("share.version", 0, 1), 2),
    (feature("no.such.version", 1), 2),
    (feature("metadata.version", 29, 2), 2),
    (feature("metadata.version", 29, 3), 2),
    (feature("metadata.version", 31), 2),
    (feature("transaction.version", 1, 2, validate_only=True), 2),
    (feature("group.version", 1, 9), 2),
]


class InMemory:
    """Our controller, asked as the handlers ask it."""

    def __init__(self, properties: dict[str, str]) -> None:
        self.cluster = Cluster()
        self.cluster.controller.configs.rules = KafkaConfigRules(properties)
        self.controller = self.cluster.controller
        self.config = node_config(Given(key, text, "") for key, text in properties.items())

    def call(self, request: Message, version: int) -> Any:
        try:
            if isinstance(request, IncrementalAlterConfigsRequest):
                return self._configs(request, config_changes.incremental_alter, lambda config: (config.config_operation, config.value))
            if isinstance(request, AlterConfigsRequest):
                return self._configs(request, config_changes.legacy_alter, lambda config: (SET, config.value))
            operation: Callable[..., Any] = {
                CreateTopicsRequest: lambda: create_topics(self.controller, request, version),
                DeleteTopicsRequest: lambda: delete_topics(self.controller, request),
                CreatePartitionsRequest: lambda: create_partitions(self.controller, request),
                ElectLeadersRequest: lambda: elect_leaders(self.controller, request),
                AlterPartitionReassignmentsRequest: lambda: alter_partition_reassignments(self.controller, request),
                UpdateFeaturesRequest: lambda: update_features(self.controller, request, version),
            }[type(request)]  # type: ignore[index]
            result = operation()
        except ApiError as error:
            assert isinstance(request, CreateTopicsRequest)
            refused = [CreateTopicsResponse.CreatableTopicResult(name=topic.name, error_code=error.error) for topic in request.topics]
            return CreateTopicsResponse(topics=refused)
        self.cluster.run(result)
        return type(result.response).decode(result.response.encode(version), version)

    def _judge(self, is_replacement: bool) -> Any:
        configs = self.controller.configs
        running = self.config.reconfigured(configs.cluster, configs.node)
        stored = {(BROKER, ""): configs.cluster, (BROKER, "1"): configs.node}
        return judge_replacement(running) if is_replacement else judge_increments(running, EMPTY._replace(configs=stored))

    def _configs(self, request: Any, operation: Any, what: Callable[[Any], Any]) -> list[tuple[int, str, int]]:
        changes = [((each.resource_type, each.resource_name), [(config.name, what(config)) for config in each.configs]) for each in request.resources]
        verdicts = screen(changes, 1, self._judge(operation is config_changes.legacy_alter), with_loggers=False)
        allowed = {resource: dict(given) for resource, given in changes if verdicts[resource] is None}
        if operation is config_changes.legacy_alter:
            allowed = {resource: {name: value for name, (_, value) in given.items()} for resource, given in allowed.items()}
        result = operation(self.controller, allowed, validate_only=request.validate_only, forwarded=True)
        self.cluster.run(result)
        outcome = []
        for resource, _ in changes:
            refused = verdicts[resource] or result.response.get(resource)
            outcome.append((*resource, int(refused.error) if refused else 0))
        return outcome


def shown(reply: Any) -> Any:
    """What must be the same in both replies."""
    if hasattr(reply, "responses") and reply.responses and hasattr(reply.responses[0], "resource_type"):
        return [(each.resource_type, each.resource_name, each.error_code) for each in reply.responses]
    if hasattr(reply, "topics") and reply.topics and hasattr(reply.topics[0], "replication_factor"):
        return sorted(
            (
                each.name,
                each.error_code,
                each.num_partitions,
                each.replication_factor,
                each.topic_config_error_code,
                sorted(map(repr, each.configs or ())),
            )
            for each in reply.topics
        )
    if hasattr(reply, "responses") and reply.responses and hasattr(reply.responses[0], "topic_id"):
        return sorted((each.name or "", each.error_code, each.topic_id == bytes(16)) for each in reply.responses)
    if hasattr(reply, "responses"):
        return [(each.name, [(part.partition_index, part.error_code) for part in each.partitions]) for each in reply.responses]
    if hasattr(reply, "replica_election_results"):
        return sorted(
            (each.topic, [(part.partition_id, part.error_code) for part in each.partition_result]) for each in reply.replica_election_results
        )
    if hasattr(reply, "results") and type(reply).__name__ == "CreatePartitionsResponse":
        return [(each.name, each.error_code) for each in reply.results]
    if type(reply).__name__ == "UpdateFeaturesResponse":
        return (reply.error_code, [(each.feature, each.error_code) for each in reply.results])
    return reply


def metadata_log(log_dir: Path) -> Iterator[tuple[int, Message, int]]:
    """(offset, record, version) of every data record; each must come out of our encoder as it went into our decoder."""
    for segment in sorted((log_dir / "__cluster_metadata-0").glob("*.log")):
        data = segment.read_bytes()
        for position, header in iterate_headers(data):
            if header.is_control:
                continue
            for record in decode_records(data[position : position + header.size]):
                assert record.value is not None
                message, version = decode_record(bytes(record.value))
                assert encode_record(message, version) == bytes(record.value)
                yield record.offset, message, version


class Names:
    """Ids and epochs by the order in which they come."""

    def __init__(self) -> None:
        self.seen: dict[object, str] = {}

    def of(self, kind: str, value: object) -> str:
        return self.seen.setdefault((kind, value), f"{kind} {sum(1 for key in self.seen if key[0] == kind)}")  # type: ignore[index]

    def normalised(self, message: Message, version: int) -> str:
        fields = {field.name: getattr(message, field.name) for field in message.fields}
        for name, value in fields.items():
            if name in ("topic_id", "incarnation_id", "broker_epoch"):
                fields[name] = self.of(name, value)
            elif name in ("directories", "log_dirs") and value:
                fields[name] = [self.of("directory", each) for each in value]
            elif name == "end_points":
                fields[name] = len(value)
            elif name == "features":
                fields[name] = sorted(map(repr, value))
        return f"{type(message).__name__} {version} {fields}"


def comparable(log: list[tuple[Message, int]]) -> list[str]:
    """Without order where Apache follows hash codes (T21), and without the news of cordoned directories, which comes when a broker happens to know."""
    names = Names()
    lines = [
        names.normalised(message, version)
        for message, version in log
        if isinstance(message, COMPARED) and getattr(message, "cordoned_log_dirs", None) is None
    ]
    runs = groupby(lines, key=lambda line: line.split()[0])
    return [line for kind, run in runs for line in (sorted(run) if kind in ("PartitionChangeRecord", "ConfigRecord") else run)]


@pytest.fixture(scope="module")
def histories(apache_libs: Path, request: pytest.FixtureRequest) -> Iterator[tuple[list[Any], list[Any], list[str], list[str], Path]]:
    from tests import nodes
    from tests.conftest import factory

    for make in factory(nodes.APACHE, request):
        yield run(make)


def start(cluster: Cluster, incarnation: int, previous_epoch: int = -1) -> int:
    """As a broker starts: it tells its cordoned directories once it has caught up, and is unfenced when it is ready."""
    epoch = cluster.register(1, incarnation=incarnation, previous_epoch=previous_epoch)
    cluster.beat(1, want_fence=True)
    cluster.beat(1)
    return epoch


def was_fenced_by_time(log_dir: Path) -> bool:
    """Whether the session of the killed broker ended before its next registration was tried: a matter of milliseconds."""
    log = [message for _, message, _ in metadata_log(log_dir)]
    epochs = [message.broker_epoch for message in log if isinstance(message, records.RegisterBrokerRecord)]
    return any(
        isinstance(message, records.BrokerRegistrationChangeRecord) and (message.broker_epoch, message.fenced) == (epochs[1], 1) for message in log
    )


def run(make: NodeFactory) -> Any:
    node = make(SHORT_SESSION)
    ours = InMemory(node.properties)
    cluster = ours.cluster
    epoch = start(cluster, 1)
    theirs: list[Any] = []
    mine: list[Any] = []
    client = Client(node.port)
    for message, version in SCRIPT:
        theirs.append(shown(client.call(message, version)))
        mine.append(shown(ours.call(message, version)))
    client.close()
    node.stop()
    cluster.beat(1, want_shut_down=True)
    cluster.beat(1, want_shut_down=True)
    node.start()
    start(cluster, 2, epoch)
    node.kill()
    node.start()
    cluster.now_ms += 20_000
    if was_fenced_by_time(node.log_dir):
        cluster.run(fence_stale_broker(ours.controller, cluster.now_ms))
    start(cluster, 3)
    node.stop()
    cluster.beat(1, want_shut_down=True)
    cluster.beat(1, want_shut_down=True)
    their_log = comparable([(message, version) for _, message, version in metadata_log(node.log_dir)])
    return theirs, mine, their_log, comparable(cluster.log), node.log_dir


@pytest.mark.parametrize("index", range(len(SCRIPT)))
def test_same_reply(histories: Any, index: int) -> None:
    theirs, mine, *_ = histories
    assert mine[index] == theirs[index], SCRIPT[index]


def test_same_records(histories: Any) -> None:
    *_, their_log, my_log, _ = histories
    assert my_log == their_log, "\n".join(difflib.unified_diff(their_log, my_log, "Apache", "ours", n=1))


def test_their_log_replays_and_its_image_round_trips(histories: Any) -> None:
    *_, log_dir = histories
    controller = Controller(ControllerSettings(node_id=1, cluster_id=""), KafkaConfigRules({}), bytes)
    delta = MetadataDelta(EMPTY)
    for offset, message, _ in metadata_log(log_dir):
        controller.replay(message, offset)
        if not isinstance(message, records.BeginTransactionRecord | records.EndTransactionRecord | records.AbortTransactionRecord):
            delta.replay(message)
    image = delta.apply(1, 1, 1)
    assert {topic.id: topic.partitions for topic in image.topics.by_id.values()} == {
        topic.id: topic.partitions.current for topic in controller.topics.by_id.current.values()
    }
    assert image.cluster.brokers == controller.brokers.registrations.current
    assert image.configs == controller.configs.data.current
    again = MetadataDelta(EMPTY)
    for record in image_records(image):
        again.replay(record)
    assert again.apply(1, 1, 1) == image
