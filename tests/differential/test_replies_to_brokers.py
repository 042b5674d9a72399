"""The same requests to the controllers' listeners of Apache Kafka and of Barnabas: what brokers and controllers ask there.

*Envelope, BrokerRegistration, BrokerHeartbeat, ControllerRegistration, AllocateProducerIds, AlterPartition, AssignReplicasToDirs, ApiVersions.
A broker 9 that exists nowhere is registered and, at the end, unregistered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from barnabas.core.metadata.features import SUPPORTED
from barnabas.node.envelopes import principal_bytes
from barnabas.wire.apis import APIS
from barnabas.wire.errors import Error
from barnabas.wire.framing import encode_request, read_response_header
from barnabas.wire.messages.allocate_producer_ids import AllocateProducerIdsRequest
from barnabas.wire.messages.alter_configs import AlterConfigsRequest
from barnabas.wire.messages.alter_partition import AlterPartitionRequest
from barnabas.wire.messages.alter_partition_reassignments import AlterPartitionReassignmentsRequest
from barnabas.wire.messages.api_versions import ApiVersionsRequest
from barnabas.wire.messages.assign_replicas_to_dirs import AssignReplicasToDirsRequest
from barnabas.wire.messages.broker_heartbeat import BrokerHeartbeatRequest
from barnabas.wire.messages.broker_registration import BrokerRegistrationRequest
from barnabas.wire.messages.controller_registration import ControllerRegistrationRequest
from barnabas.wire.messages.create_partitions import CreatePartitionsRequest
from barnabas.wire.messages.create_topics import CreateTopicsRequest
from barnabas.wire.messages.delete_topics import DeleteTopicsRequest
from barnabas.wire.messages.describe_cluster import DescribeClusterRequest
from barnabas.wire.messages.describe_configs import DescribeConfigsRequest
from barnabas.wire.messages.describe_quorum import DescribeQuorumRequest
from barnabas.wire.messages.elect_leaders import ElectLeadersRequest
from barnabas.wire.messages.envelope import EnvelopeRequest
from barnabas.wire.messages.incremental_alter_configs import IncrementalAlterConfigsRequest
from barnabas.wire.messages.list_partition_reassignments import ListPartitionReassignmentsRequest
from barnabas.wire.messages.metadata import MetadataRequest
from barnabas.wire.messages.unregister_broker import UnregisterBrokerRequest
from barnabas.wire.messages.update_features import UpdateFeaturesRequest
from tests.differential.transcript import Client, Transcript, assert_same, module_scripts

if TYPE_CHECKING:
    from barnabas.wire.schema import Message
    from tests.nodes import Node

pytestmark = [pytest.mark.apache, pytest.mark.node]

STRANGER = 9
CAUGHT_UP = 1000  # offsets behind the first registration: the second one, and what is written between the two, are below that
STRANGE_CONTROLLER = 8
DIRECTORY = bytes(range(16, 32))
ALICE = principal_bytes("User:alice")
LOCALHOST = bytes([127, 0, 0, 1])


def _to_controller(script: Transcript) -> None:
    """From here on the script talks to the node's controller."""
    script.client.close()
    listener = next(entry for entry in script.node.properties["listeners"].split(",") if entry.startswith("CONTROLLER://"))
    script.client = Client(int(listener.rsplit(":", 1)[1]))


# Envelopes


def _forward(script: Transcript, request: Message, version: int, note: str = "") -> None:
    """The answer to what is in an envelope, or the envelope's error."""
    api = APIS[request.api_key]
    data = encode_request(api, version, 77, "forwarded", request)[4:]
    reply = script.client.call(EnvelopeRequest(request_data=data, request_principal=ALICE, client_host_address=LOCALHOST), 0)
    title = f"{api.name} {version} {note}".rstrip()
    if reply.error_code:
        script.note(title, ["the envelope's error", Error(reply.error_code).name, reply.response_data])
        return
    correlation, position = read_response_header(reply.response_data, api, version)
    script.note(title, [correlation, api.response().decode(reply.response_data[position:], version)])


def _every_version(script: Transcript, request: Message, note: str = "") -> None:
    api = APIS[request.api_key]
    for version in range(api.first, api.last + 1):
        _forward(script, request, version, note)


def envelopes(script: Transcript) -> None:
    _to_controller(script)
    topic = CreateTopicsRequest.CreatableTopic
    for name, factor in (("forwarded", 1), ("forwarded", 1), ("for warded", 1), ("too-many", 5)):
        made = topic(name=name, num_partitions=1, replication_factor=factor, assignments=[], configs=[])
        _every_version(script, CreateTopicsRequest(topics=[made], timeout_ms=10_000, validate_only=name == "too-many"), f"{name} {factor}")
    more = CreatePartitionsRequest.Topic(name="forwarded", count=1, assignments=None)
    _every_version(script, CreatePartitionsRequest(topics=[more], timeout_ms=10_000, validate_only=False))
    elect = ElectLeadersRequest.TopicPartitions(topic="forwarded", partitions=[0, 7])
    _every_version(script, ElectLeadersRequest(topic_partitions=[elect], timeout_ms=10_000))
    moved = AlterPartitionReassignmentsRequest.ReassignableTopic
    move = moved(name="forwarded", partitions=[moved.ReassignablePartition(partition_index=0, replicas=[1, 1])])
    _every_version(script, AlterPartitionReassignmentsRequest(topics=[move], timeout_ms=10_000))
    _every_version(script, ListPartitionReassignmentsRequest(topics=None, timeout_ms=10_000))
    _every_version(script, UnregisterBrokerRequest(broker_id=77))
    update = UpdateFeaturesRequest.FeatureUpdateKey(feature="no.such.version", max_version_level=1)
    _forward(script, UpdateFeaturesRequest(feature_updates=[update], timeout_ms=10_000), 2)
    _forward(script, AllocateProducerIdsRequest(broker_id=77, broker_epoch=1), 0)
    deleted = [DeleteTopicsRequest.DeleteTopicState(name="forwarded", topic_id=bytes(16))]
    _forward(script, DeleteTopicsRequest(topics=deleted, timeout_ms=10_000), 6)
    _forward(script, DeleteTopicsRequest(topic_names=["forwarded"], timeout_ms=10_000), 5)


def configs_in_envelopes(script: Transcript) -> None:
    script.create_topic("forwarded-configs")
    _to_controller(script)
    for kind, name, key, value in (
        (2, "forwarded-configs", "retention.ms", "100000"),
        (2, "forwarded-configs", "retention.ms", "soon"),
        (2, "absent", "retention.ms", "100000"),
        (4, "", "cordoned.log.dirs", "/nowhere"),
        (8, "1", "root", "INFO"),
        (99, "x", "y", "z"),
    ):
        of = IncrementalAlterConfigsRequest.AlterConfigsResource
        config = of.AlterableConfig(name=key, config_operation=0, value=value)
        asked = of(resource_type=kind, resource_name=name, configs=[config])
        _every_version(script, IncrementalAlterConfigsRequest(resources=[asked], validate_only=True), f"{kind} {name} {value}")
        of_old = AlterConfigsRequest.Resource
        old = of_old(resource_type=kind, resource_name=name, configs=[of_old.AlterableConfig(name=key, value=value)])
        _every_version(script, AlterConfigsRequest(resources=[old], validate_only=True), f"{kind} {name} {value}")


def what_is_no_envelope(script: Transcript) -> None:
    _to_controller(script)
    list_moves = ListPartitionReassignmentsRequest(topics=None, timeout_ms=1000)
    good = encode_request(APIS[list_moves.api_key], 0, 5, "forwarded", list_moves)[4:]
    metadata = encode_request(APIS[3], 12, 5, "forwarded", MetadataRequest(topics=[]))[4:]
    envelope = encode_request(APIS[58], 0, 5, None, EnvelopeRequest(request_data=good, request_principal=ALICE, client_host_address=LOCALHOST))[4:]
    quorum = encode_request(APIS[55], 2, 5, None, DescribeQuorumRequest(topics=[]))[4:]
    cluster = encode_request(APIS[60], 2, 5, None, DescribeClusterRequest())[4:]
    for note, data, principal, address in (
        ("good", good, ALICE, LOCALHOST),
        ("IPv6", good, ALICE, bytes(15) + b"\1"),
        ("no principal", good, None, LOCALHOST),
        ("empty principal", good, b"", LOCALHOST),
        ("principal of another version", good, b"\0\1" + ALICE[2:], LOCALHOST),
        ("half a principal", good, ALICE[:5], LOCALHOST),
        ("address of 3 bytes", good, ALICE, LOCALHOST[:3]),
        ("no address", good, ALICE, b""),
        ("principal and address", good, b"", b""),
        ("nothing inside", b"", ALICE, LOCALHOST),
        ("half a header", good[:5], ALICE, LOCALHOST),
        ("half a body", good[:-4], ALICE, LOCALHOST),
        ("Metadata", metadata, ALICE, LOCALHOST),
        ("an envelope", envelope, ALICE, LOCALHOST),
        ("DescribeQuorum of nothing", quorum, ALICE, LOCALHOST),
        ("DescribeCluster", cluster, ALICE, LOCALHOST),
        ("an unknown API", b"\x7f\0" + good[2:], ALICE, LOCALHOST),
        ("an unknown version", good[:2] + b"\0\x09" + good[4:], ALICE, LOCALHOST),
    ):
        reply = script.client.call(EnvelopeRequest(request_data=data, request_principal=principal, client_host_address=address), 0)
        script.note(note, [Error(reply.error_code).name, reply.response_data if note != "DescribeQuorum of nothing" else None])


# What brokers ask for themselves


def _registration(script: Transcript, **changed: Any) -> BrokerRegistrationRequest:
    of = BrokerRegistrationRequest
    asked: dict[str, Any] = {
        "broker_id": STRANGER,
        "cluster_id": script.client.call(DescribeClusterRequest(endpoint_type=2), 1).cluster_id,
        "incarnation_id": bytes(range(16)),
        "listeners": [of.Listener(name="PLAINTEXT", host="127.0.0.1", port=1, security_protocol=0)],
        "features": features(of.Feature),
        "rack": None,
        "log_dirs": [DIRECTORY],
    }
    return of(**asked | changed)


def features(row: Any, **changed: tuple[int, int] | None) -> list[Any]:
    ranges = SUPPORTED | {name.replace("_", "."): found for name, found in changed.items()}
    return [row(name=name, min_supported_version=found[0], max_supported_version=found[1]) for name, found in ranges.items() if found is not None]


def epoch_of(reply: Any) -> int:
    return int(reply.broker_epoch)


def life_of_a_broker(script: Transcript) -> None:
    _to_controller(script)
    row = BrokerRegistrationRequest.Feature
    for note, changed in {
        "another cluster": {"cluster_id": "A" * 22},
        "no directory": {"log_dirs": []},
        "a reserved directory": {"log_dirs": [bytes(15) + b"\5"]},
        "a directory twice": {"log_dirs": [DIRECTORY, DIRECTORY]},
        "no features": {"features": []},
        "an old metadata.version": {"features": features(row, metadata_version=(7, 29))},
        "without group.version": {"features": features(row, group_version=None)},
        "with ZooKeeper": {"is_migrating_zk_broker": True},
        "the other's id": {"broker_id": 1},
    }.items():
        reply = script.client.call(_registration(script, **changed), 4)
        script.note(note, [Error(reply.error_code).name, epoch_of(reply)])
    _beat(script, "unregistered", 5)
    reply = script.client.call(_registration(script), 4)
    epoch = epoch_of(reply)
    script.note("registered", [Error(reply.error_code).name, epoch > 0])
    again = script.client.call(_registration(script), 4)
    script.note("the same incarnation", [Error(again.error_code).name, epoch_of(again) == epoch])
    _beat(script, "another epoch", epoch + 1)
    _beat(script, "behind", epoch, current_metadata_offset=epoch - 1)
    _beat(script, "wants to stay fenced", epoch, current_metadata_offset=epoch + CAUGHT_UP, want_fence=True)
    other = script.client.call(_registration(script, incarnation_id=bytes(range(1, 17))), 4)
    script.note("another incarnation in its session", [Error(other.error_code).name, epoch_of(other)])
    _asks_of_a_broker(script, epoch)
    _beat(script, "wants to stop, fenced", epoch, current_metadata_offset=epoch + CAUGHT_UP, want_fence=True, want_shut_down=True)
    gone = script.client.call(UnregisterBrokerRequest(broker_id=STRANGER), 0)
    script.note("unregistered", [Error(gone.error_code).name, gone.error_message])
    _beat(script, "gone", epoch)


def _beat(script: Transcript, note: str, epoch: int, **said: Any) -> None:
    for version in range(3):
        request = BrokerHeartbeatRequest(broker_id=STRANGER, broker_epoch=epoch, **{"current_metadata_offset": 0, "want_fence": False} | said)
        script.call(request, version, note)


def _asks_of_a_broker(script: Transcript, epoch: int) -> None:
    first = script.client.call(AllocateProducerIdsRequest(broker_id=STRANGER, broker_epoch=epoch), 0)
    second = script.client.call(AllocateProducerIdsRequest(broker_id=STRANGER, broker_epoch=epoch), 0)
    script.note("producer ids", [first.error_code, first.producer_id_len, second.producer_id_start - first.producer_id_start])
    script.call(AllocateProducerIdsRequest(broker_id=STRANGER, broker_epoch=epoch + 1), 0, "another epoch")
    of = AlterPartitionRequest.TopicData
    for told in (epoch, epoch + 1):
        for version, isr in (
            (2, {"new_isr": [STRANGER]}),
            (3, {"new_isr_with_epochs": [of.PartitionData.BrokerState(broker_id=STRANGER, broker_epoch=epoch)]}),
        ):
            partition = of.PartitionData(partition_index=0, leader_epoch=0, partition_epoch=0, **isr)
            request = AlterPartitionRequest(broker_id=STRANGER, broker_epoch=told, topics=[of(topic_id=b"\7" * 16, partitions=[partition])])
            script.call(request, version, f"{told - epoch}")
    places = AssignReplicasToDirsRequest.DirectoryData
    assigned = places.TopicData(topic_id=b"\7" * 16, partitions=[places.TopicData.PartitionData(partition_index=0)])
    for told in (epoch, epoch + 1):
        request = AssignReplicasToDirsRequest(broker_id=STRANGER, broker_epoch=told, directories=[places(id=DIRECTORY, topics=[assigned])])
        script.call(request, 0, f"{told - epoch}")


def controllers(script: Transcript) -> None:
    _to_controller(script)
    of = ControllerRegistrationRequest
    request = of(
        controller_id=STRANGE_CONTROLLER,
        incarnation_id=bytes(range(16)),
        zk_migration_ready=False,
        listeners=[of.Listener(name="CONTROLLER", host="127.0.0.1", port=1, security_protocol=0)],
        features=features(of.Feature),
    )
    script.call(request, 0)
    of_broker = IncrementalAlterConfigsRequest.AlterConfigsResource
    change = of_broker.AlterableConfig(name="log.retention.ms", config_operation=0, value="5000")
    for node_id in (STRANGE_CONTROLLER, STRANGE_CONTROLLER + 2):
        asked = of_broker(resource_type=4, resource_name=str(node_id), configs=[change])
        script.call(IncrementalAlterConfigsRequest(resources=[asked], validate_only=True), 1, str(node_id))


def served_to_brokers(script: Transcript) -> None:
    """Every API that Barnabas serves there, in Apache's versions."""
    _to_controller(script)
    found = script.client.call(ApiVersionsRequest(client_software_name="a", client_software_version="1"), 4)
    later = {"AlterClientQuotas", "DescribeUserScramCredentials", "AlterUserScramCredentials", "CreateDelegationToken", "RenewDelegationToken"}
    later |= {"ExpireDelegationToken", "DescribeDelegationToken"}
    served = {APIS[each.api_key].name: (each.min_version, each.max_version) for each in found.api_keys}
    script.note("ApiVersions", {name: versions for name, versions in sorted(served.items()) if name not in later})


def configs_of_a_controller(script: Transcript) -> None:
    _to_controller(script)
    asked = DescribeConfigsRequest.Resource(resource_type=4, resource_name="7", configuration_keys=["node.id"])
    script.all_versions(lambda _: DescribeConfigsRequest(resources=[asked]))


@pytest.mark.parametrize("script", module_scripts(__name__), ids=lambda script: script.__name__)
def test_same_replies(script: object, apache_node: Node, barnabas_node: Node) -> None:
    assert_same(script, apache_node, barnabas_node)  # type: ignore[arg-type]
