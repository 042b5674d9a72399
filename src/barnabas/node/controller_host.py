"""The controller on its thread: operations in, records into the metadata log, answers once they are committed, images out.

Owns the order of these steps (C1, C2): an operation runs against the state that all appended records have been replayed into; its answer waits for the commit,
and on this node for the image too, so that who was told of a topic finds it. What records mean is `core.controller`'s; how they get to the disk is
`metadata_log`'s. Also this node's own registration as controller and broker, its heartbeats, and its controlled shutdown.
"""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING, Any

from barnabas.core.controller.broker_life import HeartbeatReply, process_broker_heartbeat
from barnabas.core.controller.config_rules import KafkaConfigRules
from barnabas.core.controller.controller import Controller, ControllerSettings
from barnabas.core.controller.registrations import register_broker, register_controller
from barnabas.core.controller.result import TOO_LARGE, ApiError, Result
from barnabas.core.metadata.features import SUPPORTED
from barnabas.node.call import clock_ms
from barnabas.node.loop import Loop
from barnabas.node.metadata_batches import TooManyRecords
from barnabas.node.metadata_loader import MetadataLoader
from barnabas.node.metadata_start import bootstrap_records
from barnabas.storage.errors import StorageError
from barnabas.wire.errors import Error
from barnabas.wire.messages.broker_heartbeat import BrokerHeartbeatRequest
from barnabas.wire.messages.broker_registration import BrokerRegistrationRequest
from barnabas.wire.messages.controller_registration import ControllerRegistrationRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from barnabas.core.metadata.delta import MetadataDelta
    from barnabas.core.metadata.image import MetadataImage
    from barnabas.node.metadata_batches import MetadataBatch
    from barnabas.node.metadata_log import MetadataLog
    from barnabas.node.server import Node
    from barnabas.wire.schema import Message

    Operation = Callable[[Controller, int], Result]
    OnReply = Callable[[Any], object]
    OnError = Callable[[Error, str | None], object]

_REGISTRATION_VERSION = 4
_SHUTDOWN_POLL_MS = 10
_COMPLETE_MS = 1_000


class LocalBroker:
    """What this node says of itself when it registers. Listeners are (name, host, port, security protocol) as advertised."""

    __slots__ = ("controller_listeners", "directories", "listeners", "previous_epoch")

    def __init__(
        self,
        listeners: list[tuple[str, str, int, int]],
        controller_listeners: list[tuple[str, str, int, int]],
        previous_epoch: int,
    ) -> None:
        self.listeners = listeners
        self.controller_listeners = controller_listeners
        self.directories: list[bytes] = []  # those that are online once all are loaded
        self.previous_epoch = previous_epoch  # -1 unless every directory was closed cleanly in it (D86)


class ControllerHost:
    """A MetadataListener. `quorum` is set once the log is open; everything else happens on `loop`, or on the main thread before it runs."""

    quorum: MetadataLog

    def __init__(self, node: Node, metadata_directory: str, local: LocalBroker) -> None:
        config = node.config
        self._node = node
        self._metadata_directory = metadata_directory
        self._local = local
        self.loop = Loop("control", node.on_loop_error)
        settings = ControllerSettings(
            node_id=config.node_id,
            cluster_id=node.cluster_id,
            voter_ids=(config.node_id,),
            session_timeout_ms=config.quorum.broker_session_timeout_ms,
            default_partitions=config.topics.num_partitions,
            default_replication_factor=config.topics.default_replication_factor,
        )
        self.controller = Controller(settings, KafkaConfigRules(config.static), os.urandom)
        self.loader = MetadataLoader()
        self.broker_epoch = -1
        self._committed_offset = -1
        self._answers: deque[tuple[int, OnReply, Any]] = deque()
        self._failed_directories: list[bytes] = []
        self._started = False
        self._completes = False

    @property
    def leader_id(self) -> int:
        return self.quorum.quorum.leader_id

    @property
    def kraft_version(self) -> int:
        return self.quorum.kraft_version

    def is_metadata_directory(self, path: str) -> bool:
        return os.path.realpath(path) == os.path.realpath(self._metadata_directory)

    # Operations

    def submit(self, operation: Operation, on_reply: OnReply, on_error: OnError) -> None:
        """Run `operation(controller, now in ms)`; `on_reply(response)` when its records are committed and published, or `on_error`. From any thread;
        the answer comes on the control thread."""
        self.loop.call(self._run, operation, on_reply, on_error)

    def _run(self, operation: Operation, on_reply: OnReply, on_error: OnError) -> None:
        if not self.controller.is_active:
            on_error(Error.NOT_CONTROLLER, None)
            return
        try:
            result = operation(self.controller, clock_ms())
            offset = self._append(result)
        except ApiError as error:
            on_error(error.error, error.message)
            return
        except TooManyRecords:
            on_error(Error.POLICY_VIOLATION, TOO_LARGE)
            return
        except StorageError as error:
            if error.offline:
                raise
            self._node.warn_seldom(self._metadata_directory, f"{error}. The metadata can't be changed until there is room again.")
            on_error(Error.KAFKA_STORAGE_ERROR, None)
            return
        if offset <= self._committed_offset:
            on_reply(result.response)
        else:
            self._answers.append((offset, on_reply, result.response))

    def _append(self, result: Result) -> int:
        """Append a result's records; the offset that its answer waits for."""
        if result.records:
            return self.quorum.append(result.records, self.controller.record_version, is_atomic=result.is_atomic)
        return self.quorum.end_offset - 1

    # What the metadata log tells

    def load_snapshot(self, records: Iterator[Message], last_offset: int, epoch: int, timestamp_ms: int) -> None:
        kept = list(records)
        for record in kept:
            self.controller.replay(record, last_offset)
        self.controller.committed(last_offset)
        self.loader.load_snapshot(kept, last_offset, epoch, timestamp_ms)

    def loaded(self, batch: MetadataBatch) -> None:
        self._replay(batch)
        self.controller.committed(batch.last_offset)
        self.loader.replay(batch)

    def appended(self, batch: MetadataBatch) -> None:
        self._replay(batch)
        self.controller.appended(batch.last_offset)

    def _replay(self, batch: MetadataBatch) -> None:
        offset = batch.base_offset
        for record in batch.records:
            self.controller.replay(record, offset)
            offset += 1
        self.controller.next_write_offset = batch.last_offset + 1

    def committed(self, last_offset: int, batches: Sequence[MetadataBatch]) -> None:
        self._committed_offset = last_offset
        self.controller.committed(last_offset)
        for batch in batches:
            self.loader.replay(batch)
        published = self.loader.publish()
        if published is not None:
            if self._started:
                self._publish(*published)
            if not self.loader.in_transaction:
                self.quorum.maybe_snapshot(published[1])
        answers = self._answers
        while answers and answers[0][0] <= last_offset:
            _, on_reply, response = answers.popleft()
            on_reply(response)

    def leading(self, epoch: int) -> None:
        """Everything that a start writes: bootstrap, this controller, this broker, which is ready by now. One sync for all of it."""
        now_ms = clock_ms()
        self._append(self.controller.activate(self.quorum.end_offset, bootstrap_records(self._metadata_directory), now_ms))
        self._append(register_controller(self.controller, self._controller_registration()))
        before = self.controller.brokers.registrations.get(self.broker_id)
        if before is not None:  # this process holds the directories' locks: whoever was this broker before is gone (O3)
            self.controller.heartbeats.end_session(before.id, before.epoch)
        registered = register_broker(self.controller, self._broker_registration(), _REGISTRATION_VERSION, now_ms)
        self._append(registered)
        self.broker_epoch = registered.response
        self._append(process_broker_heartbeat(self.controller, self._heartbeat(), now_ms))

    def resigned(self, epoch: int) -> None:
        self.controller.deactivate()
        answers, self._answers = self._answers, deque()
        del answers  # the node is stopping: its connections are gone

    # Images

    def begin(self) -> None:
        """The node is up to the log: from here on what is committed is published as it comes."""
        self._started = True

    def _publish(self, delta: MetadataDelta, image: MetadataImage) -> None:
        unassigned = self._node.publish(delta, image, self.broker_id)
        if unassigned:
            self.report_directories([(p.topic_id, p.index, p.directory_id) for p in unassigned])
        self._complete_later()

    def _complete_later(self) -> None:
        """Replicas that a full disk had no room for are tried again, until they are there."""
        if self._node.replicas.is_incomplete and not self._completes:
            self._completes = True
            self.loop.call_later(_COMPLETE_MS, self._complete)

    def _complete(self) -> None:
        self._completes = False
        unassigned = self._node.replicas.catch_up(self._node.image, self.broker_id)
        self._node.groups.catch_up(self._node.image, self.broker_id)
        if unassigned:
            self.report_directories([(p.topic_id, p.index, p.directory_id) for p in unassigned])
        self._complete_later()

    def report_directories(self, replicas: list[tuple[bytes, int, bytes]]) -> None:
        """Tell where replicas (topic id, partition, directory id) are that the metadata has elsewhere or nowhere (C26)."""
        from barnabas.core.controller.broker_life import assign_replicas_to_dirs
        from barnabas.wire.messages.assign_replicas_to_dirs import AssignReplicasToDirsRequest

        directory_data = AssignReplicasToDirsRequest.DirectoryData
        by_place: dict[bytes, dict[bytes, list[int]]] = {}
        for topic_id, index, directory_id in replicas:
            by_place.setdefault(directory_id, {}).setdefault(topic_id, []).append(index)
        request = AssignReplicasToDirsRequest(
            broker_id=self.broker_id,
            broker_epoch=self.broker_epoch,
            directories=[
                directory_data(
                    id=directory_id,
                    topics=[
                        directory_data.TopicData(
                            topic_id=topic_id, partitions=[directory_data.TopicData.PartitionData(partition_index=index) for index in indexes]
                        )
                        for topic_id, indexes in topics.items()
                    ],
                )
                for directory_id, topics in by_place.items()
            ],
        )
        self.submit(
            lambda controller, now_ms: assign_replicas_to_dirs(controller, request),
            lambda response: None,
            lambda error, message: self._node.log_warning(f"Could not assign replicas to directories: {error.name} {message or ''}"),
        )

    # This node among brokers and controllers

    @property
    def broker_id(self) -> int:
        return self._node.config.node_id

    def _broker_registration(self) -> BrokerRegistrationRequest:
        request = BrokerRegistrationRequest
        return request(
            broker_id=self.broker_id,
            cluster_id=self._node.cluster_id,
            incarnation_id=os.urandom(16),
            listeners=[request.Listener(name=name, host=host, port=port, security_protocol=kind) for name, host, port, kind in self._local.listeners],
            features=[
                request.Feature(name=name, min_supported_version=least, max_supported_version=most) for name, (least, most) in SUPPORTED.items()
            ],
            rack=self._node.config.rack,
            log_dirs=sorted(self._local.directories),
            previous_broker_epoch=self._local.previous_epoch,
        )

    def _controller_registration(self) -> ControllerRegistrationRequest:
        request = ControllerRegistrationRequest
        return request(
            controller_id=self.broker_id,
            incarnation_id=os.urandom(16),
            zk_migration_ready=False,
            listeners=[
                request.Listener(name=name, host=host, port=port, security_protocol=kind)
                for name, host, port, kind in self._local.controller_listeners
            ],
            features=[
                request.Feature(name=name, min_supported_version=least, max_supported_version=most) for name, (least, most) in SUPPORTED.items()
            ],
        )

    def _heartbeat(self, *, want_shut_down: bool = False) -> BrokerHeartbeatRequest:
        return BrokerHeartbeatRequest(
            broker_id=self.broker_id,
            broker_epoch=self.broker_epoch,
            current_metadata_offset=self.quorum.end_offset - 1,
            want_fence=False,
            want_shut_down=want_shut_down,
            offline_log_dirs=self._failed_directories,
            cordoned_log_dirs=[],
        )

    def _beat(self, *, want_shut_down: bool, on_reply: OnReply, on_refusal: Callable[[], object] = lambda: None) -> None:
        request = self._heartbeat(want_shut_down=want_shut_down)

        def failed(error: Error, message: str | None) -> None:
            self._node.warn_seldom("heartbeat", f"Heartbeat refused: {error.name} {message or ''}")
            on_refusal()

        self._run(lambda controller, now_ms: process_broker_heartbeat(controller, request, now_ms), on_reply, failed)

    def run(self) -> None:
        """Start the thread, syncing, no-ops and heartbeats."""
        quorum = self._node.config.quorum
        self.quorum.run(quorum.max_idle_interval_ms)
        self.loop.start()
        self.loop.call(self._beat_again, quorum.broker_heartbeat_interval_ms)
        self.loop.call(self._complete_later)

    def _beat_again(self, interval_ms: int) -> None:
        if self.controller.is_active:
            self._beat(want_shut_down=False, on_reply=lambda reply: None)
            self.loop.call_later(interval_ms, self._beat_again, interval_ms)

    def directory_failed(self, directory_id: bytes) -> None:
        """A log directory went offline: its partitions lose their leader here (C24). From any thread."""
        self.loop.call(self._report_failed, directory_id)

    def _report_failed(self, directory_id: bytes) -> None:
        self._failed_directories.append(directory_id)
        self._beat(want_shut_down=False, on_reply=lambda reply: None)

    def shut_down(self, done: Callable[[], object]) -> None:
        """Controlled shutdown (C27-C30): give leaderships up, then `done`, on the control thread. From any thread."""
        self.loop.call(self._shut_down_step, done)

    def _shut_down_step(self, done: Callable[[], object]) -> None:
        def answered(reply: HeartbeatReply) -> None:
            if reply.should_shut_down:
                done()
            else:
                self.loop.call_later(_SHUTDOWN_POLL_MS, self._shut_down_step, done)

        # Unregistered while it ran, or no room to write it down: the others find out by the end of its session.
        self._beat(want_shut_down=True, on_reply=answered, on_refusal=done)

    def stop(self) -> None:
        """End the thread, then the log. On the main thread."""
        self.loop.stop()
        self.loop.join(10)
        self.quorum.stop()
