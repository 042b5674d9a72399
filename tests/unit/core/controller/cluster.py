"""A controller and its log in memory, for the tests of the controller: appends what operations return, replays it, keeps an image beside it."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from barnabas.core.controller.broker_life import HeartbeatReply, process_broker_heartbeat
from barnabas.core.controller.config_rules import KafkaConfigRules
from barnabas.core.controller.controller import Controller, ControllerSettings
from barnabas.core.controller.registrations import register_broker
from barnabas.core.controller.topic_changes import create_topics
from barnabas.core.metadata.delta import MetadataDelta
from barnabas.core.metadata.features import BOOTSTRAP_LEVELS, SUPPORTED
from barnabas.core.metadata.image import EMPTY, MetadataImage
from barnabas.core.metadata.record_versions import decode_record, encode_record
from barnabas.wire.logs.cluster_metadata import BeginTransactionRecord, EndTransactionRecord, FeatureLevelRecord
from barnabas.wire.messages.broker_heartbeat import BrokerHeartbeatRequest
from barnabas.wire.messages.broker_registration import BrokerRegistrationRequest
from barnabas.wire.messages.create_topics import CreateTopicsRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from barnabas.core.controller.result import Result
    from barnabas.wire.messages.create_topics import CreateTopicsResponse
    from barnabas.wire.schema import Message

CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qk"
BOOTSTRAP: list[Message] = [FeatureLevelRecord(name=name, feature_level=level) for name, level in BOOTSTRAP_LEVELS]


class Cluster:
    """Offsets start at 1: the quorum's leader change record has 0."""

    def __init__(self, bootstrap: Sequence[Message] = BOOTSTRAP, seed: int = 1, **settings: Any) -> None:
        given = ControllerSettings(node_id=1, cluster_id=CLUSTER_ID, voter_ids=(1,))._replace(**settings)
        self.controller = Controller(given, KafkaConfigRules({}), Random(seed).randbytes)
        self.log: list[tuple[Message, int]] = []
        """(record, version); its index is its offset - 1."""
        self.image: MetadataImage = EMPTY
        self.now_ms = 1_000_000
        self.controller.committed(0)
        self.run(self.controller.activate(1, bootstrap, self.now_ms))

    def append(self, result: Result) -> list[Message]:
        """Append and replay, without a commit. Each record goes through its bytes."""
        appended = []
        for record in result.records:
            version = self.controller.record_version(record)
            assert decode_record(encode_record(record, version)) == (record, version)
            self.log.append((record, version))
            self.controller.replay(record, len(self.log))
            appended.append(record)
        if appended:
            self.controller.appended(len(self.log))
        return appended

    def commit(self) -> None:
        delta = MetadataDelta(self.image)
        for record, _ in self.log[max(self.image.offset, 0) :]:
            if not isinstance(record, BeginTransactionRecord | EndTransactionRecord):
                delta.replay(record)
        self.image = delta.apply(len(self.log), 1, self.now_ms)
        self.controller.committed(len(self.log))

    def run(self, result: Result) -> list[Message]:
        """Append, replay, commit."""
        appended = self.append(result)
        self.commit()
        return appended

    def register(self, broker_id: int, *, incarnation: int = 1, previous_epoch: int = -1, directories: int = 1, rack: str | None = None) -> int:
        """Register a broker; its epoch."""
        request = BrokerRegistrationRequest(
            broker_id=broker_id,
            cluster_id=CLUSTER_ID,
            incarnation_id=bytes([1, broker_id, incarnation]) * 5 + b"\1",
            listeners=[BrokerRegistrationRequest.Listener(name="PLAINTEXT", host="localhost", port=9000 + broker_id, security_protocol=0)],
            features=[
                BrokerRegistrationRequest.Feature(name=name, min_supported_version=least, max_supported_version=greatest)
                for name, (least, greatest) in SUPPORTED.items()
            ],
            rack=rack,
            log_dirs=[directory_id(broker_id, number) for number in range(directories)],
            previous_broker_epoch=previous_epoch,
        )
        result = register_broker(self.controller, request, 4, self.now_ms)
        self.run(result)
        epoch = result.response
        assert isinstance(epoch, int)
        return epoch

    def beat(self, broker_id: int, **fields: Any) -> tuple[HeartbeatReply, list[Message]]:
        """One heartbeat of a broker that has applied all; the reply and the records it caused."""
        request = BrokerHeartbeatRequest(
            broker_id=broker_id,
            broker_epoch=self.controller.brokers.registrations[broker_id].epoch,
            current_metadata_offset=len(self.log),
            want_fence=False,
            want_shut_down=False,
            cordoned_log_dirs=[],
        ).replace(**fields)
        result = process_broker_heartbeat(self.controller, request, self.now_ms)
        return result.response, self.run(result)

    def start_broker(self, broker_id: int, **registration: Any) -> int:
        """Register and unfence; the broker's epoch."""
        epoch = self.register(broker_id, **registration)
        reply, _ = self.beat(broker_id)
        assert not reply.is_fenced
        return epoch

    def create(self, name: str, partitions: int = 1, replication_factor: int = 1, version: int = 7, **configs: str) -> CreateTopicsResponse:
        result = create_topics(self.controller, create_request(name, partitions, replication_factor, **configs), version)
        self.run(result)
        response: CreateTopicsResponse = result.response
        return response


def create_request(name: str, partitions: int = 1, replication_factor: int = 1, **configs: str) -> CreateTopicsRequest:
    topic = CreateTopicsRequest.CreatableTopic(
        name=name,
        num_partitions=partitions,
        replication_factor=replication_factor,
        assignments=[],
        configs=[CreateTopicsRequest.CreatableTopic.CreatableTopicConfig(name=key.replace("_", "."), value=value) for key, value in configs.items()],
    )
    return CreateTopicsRequest(topics=[topic], validate_only=False)


def directory_id(broker_id: int, number: int = 0) -> bytes:
    return bytes([0x40, broker_id, number]) + bytes(13)


def image_of(records: Sequence[Message]) -> MetadataImage:
    """What replaying `records` from nothing gives."""
    delta = MetadataDelta(EMPTY)
    for record in records:
        delta.replay(record)
    return delta.apply(-1, -1, -1)
