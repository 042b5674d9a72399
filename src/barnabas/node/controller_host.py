"""The controller on its thread: operations in, records into the metadata log, answers once they are committed, images out.

Owns the order of these steps (C1, C2): an operation runs against the state that all appended records have been replayed into; its answer waits for the commit,
and on this node for the image too, so that who was told of a topic finds it. What records mean is `core.controller`'s; how they get to the disk is
`metadata_log`'s. Also this node's registration as a controller; as a broker it is `broker_lifecycle`'s.
"""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING, Any

from barnabas.core.controller.config_rules import KafkaConfigRules
from barnabas.core.controller.controller import Controller, ControllerSettings
from barnabas.core.controller.registrations import register_controller
from barnabas.core.controller.result import TOO_LARGE, ApiError, Result
from barnabas.core.metadata.features import SUPPORTED
from barnabas.node.call import clock_ms
from barnabas.node.loop import Loop
from barnabas.node.metadata_batches import TooManyRecords
from barnabas.node.metadata_loader import MetadataLoader
from barnabas.node.metadata_start import bootstrap_records
from barnabas.storage.errors import StorageError
from barnabas.wire.errors import Error
from barnabas.wire.messages.controller_registration import ControllerRegistrationRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from barnabas.core.metadata.delta import MetadataDelta
    from barnabas.core.metadata.image import MetadataImage
    from barnabas.node.broker_lifecycle import LocalBroker
    from barnabas.node.metadata_batches import MetadataBatch
    from barnabas.node.metadata_log import MetadataLog
    from barnabas.node.partition import Partition
    from barnabas.node.server import Node
    from barnabas.wire.schema import Message

    Operation = Callable[[Controller, int], Result]
    OnReply = Callable[[Any], object]
    OnError = Callable[[Error, str | None], object]

_COMPLETE_MS = 1_000


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
        self._committed_offset = -1
        self._answers: deque[tuple[int, OnReply, Any]] = deque()
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
        self._append(register_controller(self.controller, self._registration()))
        self._node.broker.register_here(self.controller, self._append, now_ms)

    def resigned(self, epoch: int) -> None:
        self.controller.deactivate()
        answers, self._answers = self._answers, deque()
        del answers  # the node is stopping: its connections are gone

    # Images

    def begin(self) -> None:
        """The node is up to the log: from here on what is committed is published as it comes."""
        self._started = True

    def _publish(self, delta: MetadataDelta, image: MetadataImage) -> None:
        self._report_places(self._node.publish(delta, image, self._node.broker.id))
        self._node.broker.applied(delta, image)
        self._complete_later()

    def _report_places(self, unassigned: list[Partition]) -> None:
        if unassigned:
            self._node.directory_reports.report([(p.topic_id, p.index, p.directory_id) for p in unassigned])

    def _complete_later(self) -> None:
        """Replicas that a full disk had no room for are tried again, until they are there."""
        if self._node.replicas.is_incomplete and not self._completes:
            self._completes = True
            self.loop.call_later(_COMPLETE_MS, self._complete)

    def _complete(self) -> None:
        self._completes = False
        broker_id = self._node.broker.id
        self._report_places(self._node.replicas.catch_up(self._node.image, broker_id))
        self._node.groups.catch_up(self._node.image, broker_id)
        self._complete_later()

    # This node among controllers

    def _registration(self) -> ControllerRegistrationRequest:
        request = ControllerRegistrationRequest
        return request(
            controller_id=self._node.config.node_id,
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

    def run(self) -> None:
        """Start the thread, syncing and no-ops."""
        self.quorum.run(self._node.config.quorum.max_idle_interval_ms)
        self.loop.start()
        self.loop.call(self._complete_later)

    def stop(self) -> None:
        """End the thread, then the log. On the main thread."""
        self.loop.stop()
        self.loop.join(10)
        self.quorum.stop()
