"""The controller on its thread: operations in, records into the metadata log, answers once they are committed, images out.

Owns the order of these steps (C1, C2): an operation runs against the state that all appended records have been replayed into; its answer waits for the commit,
and on this node for the image too, so that who was told of a topic finds it. What records mean is `core.controller`'s; how they get to the disk is
`metadata_log`'s. This node's own registrations are `broker_lifecycle`'s and `controller_registration`'s.
"""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING, Any

from barnabas.core.controller.config_rules import KafkaConfigRules
from barnabas.core.controller.controller import Controller, ControllerSettings
from barnabas.core.controller.registrations import register_controller
from barnabas.core.controller.result import TOO_LARGE, ApiError, Result
from barnabas.node.call import steady_ms
from barnabas.node.controller_duties import ControllerDuties
from barnabas.node.image_publisher import ImagePublisher
from barnabas.node.loop import Loop
from barnabas.node.metadata_batches import TooManyRecords
from barnabas.node.metadata_loader import MetadataLoader
from barnabas.node.metadata_start import bootstrap_records
from barnabas.storage.errors import StorageError
from barnabas.wire.errors import Error
from barnabas.wire.logs.cluster_metadata import NoOpRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from barnabas.core.metadata.delta import MetadataDelta
    from barnabas.core.metadata.image import MetadataImage
    from barnabas.node.metadata_batches import MetadataBatch
    from barnabas.node.metadata_log import MetadataLog
    from barnabas.node.quorum_service import QuorumService
    from barnabas.node.server import Node
    from barnabas.wire.schema import Message

    Operation = Callable[[Controller, int], Result]
    OnReply = Callable[[Any], object]
    OnError = Callable[[Error, str | None], object]
    Answers = deque[tuple[int, OnReply, OnError, Any]]
    """Those that wait for an offset, which comes first."""

_RESIGN_POLL_MS = 5


class ControllerHost:
    """A MetadataListener. `quorum` is set once the log is open; everything else happens on `loop`, or on the main thread before it runs."""

    quorum: MetadataLog

    def __init__(self, node: Node, metadata_directory: str) -> None:
        config = node.config
        self._node = node
        self._metadata_directory = metadata_directory
        self.loop = Loop("control", node.on_loop_error)
        self._replays = "controller" in config.roles
        self.controller = self._new_controller()
        self.loader = MetadataLoader()
        self.on_caught_up: Callable[[], object] | None = None
        """May be set: called once, when the image holds all that the quorum's leader says is committed."""
        self.on_leader_change: Callable[[], object] = lambda: None
        """May be set: another node is the active controller, or this one, or none that is known (`leader_id`)."""
        self._committed_offset = -1
        self._published_offset = -1
        self._at_commit: Answers = deque()
        self._at_publication: Answers = deque()
        self._started = False
        self.publisher = ImagePublisher(node, self.loop, self._published)
        self._service: QuorumService | None = None
        self._duties = ControllerDuties(self, config.quorum)

    def _new_controller(self) -> Controller:
        config = self._node.config
        settings = ControllerSettings(
            node_id=config.node_id,
            cluster_id=self._node.cluster_id,
            session_timeout_ms=config.quorum.broker_session_timeout_ms,
            default_partitions=config.topics.num_partitions,
            default_replication_factor=config.topics.default_replication_factor,
        )
        return Controller(settings, KafkaConfigRules(config.static), os.urandom)

    @property
    def leader_id(self) -> int:
        return self.quorum.quorum.leader_id

    @property
    def kraft_version(self) -> int:
        return self.quorum.kraft_version

    def is_metadata_directory(self, path: str) -> bool:
        return os.path.realpath(path) == os.path.realpath(self._metadata_directory)

    # Operations

    def submit(self, operation: Operation, on_reply: OnReply, on_error: OnError, *, at_commit: bool = False) -> None:
        """Run `operation(controller, now in ms)`; `on_reply(response)` when its records are committed, and unless that is enough (`at_commit`) in force
        here too; or `on_error`. From any thread; the answer comes on the control thread."""
        self.loop.call(self._run, operation, on_reply, on_error, at_commit)

    def _run(self, operation: Operation, on_reply: OnReply, on_error: OnError, at_commit: bool) -> None:
        if not self.controller.is_active:
            on_error(Error.NOT_CONTROLLER, None)
            return
        try:
            result = operation(self.controller, steady_ms())
            offset = self._append(result)
        except ApiError as error:
            on_error(error.error, error.message)
            return
        except TooManyRecords:
            on_error(Error.POLICY_VIOLATION, TOO_LARGE)
            return
        except StorageError as error:
            if error.offline or not self.quorum.is_alone:  # another voter's disk may have room
                raise
            self.controller.unwritten(steady_ms())
            self._node.warn_seldom(self._metadata_directory, f"{error}. The metadata can't be changed until there is room again.")
            on_error(Error.KAFKA_STORAGE_ERROR, None)
            return
        at_commit = at_commit or not result.records or not self._started
        if offset <= (self._committed_offset if at_commit else self._published_offset):
            on_reply(result.response)
        else:
            (self._at_commit if at_commit else self._at_publication).append((offset, on_reply, on_error, result.response))

    def _append(self, result: Result) -> int:
        """Append a result's records; the offset that its answer waits for."""
        if result.records:
            return self.quorum.append(result.records, self.controller.record_version, is_atomic=result.is_atomic)
        return self.quorum.end_offset - 1

    # What the metadata log tells

    def load_snapshot(self, records: Iterator[Message], last_offset: int, epoch: int, timestamp_ms: int) -> None:
        kept = list(records)
        if self._replays:
            if self.controller.next_write_offset > 0:
                self.controller = self._new_controller()
            for record in kept:
                self.controller.replay(record, last_offset)
            self.controller.next_write_offset = last_offset + 1
            self.controller.committed(last_offset)
        self.loader.load_snapshot(kept, last_offset, epoch, timestamp_ms)

    def loaded(self, batch: MetadataBatch) -> None:
        if self._replays:
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
        for batch in batches:
            if self._replays and batch.base_offset >= self.controller.next_write_offset:
                self._replay(batch)  # this node didn't append it, or lost the lead since
            self.loader.replay(batch)
        if self._replays:
            self.controller.committed(last_offset)
        published = self.loader.publish()
        if published is not None:
            if self._started:
                self.publisher.publish(*published)
            if not self.loader.in_transaction:
                self.quorum.maybe_snapshot(published[1])
        _answer(self._at_commit, last_offset)
        if self.on_caught_up is not None and self.quorum.quorum.is_caught_up:
            on_caught_up, self.on_caught_up = self.on_caught_up, None
            on_caught_up()

    def leading(self, epoch: int) -> None:
        """Everything that a start writes: bootstrap; of a lone voter this controller and broker too, which is ready by now. One sync for all of it."""
        now_ms = steady_ms()
        self.controller.settings = self.controller.settings._replace(voter_ids=self.quorum.quorum.voters.ids)
        self._append(self.controller.activate(self.quorum.end_offset, bootstrap_records(self._metadata_directory), now_ms))
        if self.quorum.is_alone and not self._started and "broker" in self._node.config.roles:
            self._append(register_controller(self.controller, self._node.controller_registration.request()))
            self._node.broker.register_here(self.controller, self._append, now_ms)
        before = self.controller.brokers.registrations.get(self._node.broker.id)
        if before is not None and before.incarnation_id != self._node.broker.incarnation_id:  # this process has its directories' locks (O3)
            self.controller.heartbeats.end_session(before.id, before.epoch)
        self._duties.begin()
        if self._node.broker_deaths is not None:
            self._node.broker_deaths.activated()
        self.on_leader_change()

    def resigned(self, epoch: int) -> None:
        self._duties.end()
        if self.controller.is_active and not self.controller.deactivate():
            self._replay_again()
        answers = [*self._at_commit, *(answer for answer in self._at_publication if answer[0] > self._committed_offset)]
        self._at_commit.clear()
        while self._at_publication and self._at_publication[-1][0] > self._committed_offset:
            self._at_publication.pop()
        for _, _, on_error, _ in answers:
            on_error(Error.NOT_CONTROLLER, None)

    def _replay_again(self) -> None:
        """What the controller had before it led is gone: from the log, then."""
        self.controller = self._new_controller()
        self.quorum.replay_committed(self._replay_old_snapshot, self._replay)
        self.controller.committed(self._committed_offset)

    def _replay_old_snapshot(self, records: Iterator[Message], last_offset: int) -> None:
        for record in records:
            self.controller.replay(record, last_offset)
        self.controller.next_write_offset = last_offset + 1

    def leader_changed(self, leader_id: int, epoch: int) -> None:
        self.on_leader_change()

    # Images

    def begin(self) -> None:
        """The node is up to the log: from here on what is committed is published as it comes."""
        self._started = True
        self._published_offset = self.loader.image.offset

    def go_live(self, done: Callable[[], object]) -> None:
        """Bring the node up to the image, which went on while its logs were loaded, and `begin`; then `done`. From any thread."""
        self.loop.call(self._go_live, done)

    def _go_live(self, done: Callable[[], object]) -> None:
        self.begin()
        if self._node.broker_deaths is not None:
            self._node.broker_deaths.applied(self.loader.image)
        self.publisher.go_live(self.loader.image, done)

    def _published(self, delta: MetadataDelta, image: MetadataImage) -> None:
        self._published_offset = image.offset
        self._node.broker.applied(delta, image)
        self._node.controller_registration.applied(delta, image)
        if self._node.broker_deaths is not None and delta.brokers_changed:
            self._node.broker_deaths.applied(image)
        _answer(self._at_publication, image.offset)

    # The quorum's own requests

    def ask_quorum(self, request: Message, version: int, reply: Callable[[Message], object]) -> None:
        """What peers ask, or tools of the quorum itself. `reply` is called once, on the control thread. From any thread."""
        self.loop.call(self._ask_quorum, request, version, reply)

    def _ask_quorum(self, request: Message, version: int, reply: Callable[[Message], object]) -> None:
        if self._service is None:
            from barnabas.node.quorum_service import QuorumService

            self._service = QuorumService(self.quorum)
        self._service.ask(request, version, reply)

    def run(self) -> None:
        """Start the thread, syncing and no-ops."""
        self.quorum.run()
        self.publisher.start()
        self.loop.start()
        if self._node.config.quorum.max_idle_interval_ms > 0:
            self.loop.call(self._write_no_ops, self._node.config.quorum.max_idle_interval_ms)

    def _write_no_ops(self, interval_ms: int) -> None:
        """Something to be committed every so often, so that lag can be measured (Q38)."""
        if self.controller.is_active:
            self._run(lambda controller, now_ms: Result([NoOpRecord()], None), lambda response: None, lambda error, message: None, True)
        self.loop.call_later(interval_ms, self._write_no_ops, interval_ms)

    def resign(self, done: Callable[[], object]) -> None:
        """Leave the lead of the quorum to others; `done` when they have heard of it, on the control thread. From any thread."""
        self.loop.call(self._resign, done)

    def _resign(self, done: Callable[[], object]) -> None:
        if self.quorum.resign():
            done()
        else:
            self.loop.call_later(_RESIGN_POLL_MS, self._resign, done)

    def stop(self) -> None:
        """Close the log and end the thread. On the main thread. Raises OSError, StorageError."""
        self.publisher.stop()
        failures: list[OSError | StorageError] = []
        self.loop.call(self._close_log, failures)
        self.loop.stop()
        self.loop.join(40)
        if failures:
            raise failures[0]

    def _close_log(self, failures: list[OSError | StorageError]) -> None:
        try:
            self.quorum.stop()
        except (StorageError, OSError) as error:
            failures.append(error)


def _answer(answers: Answers, offset: int) -> None:
    while answers and answers[0][0] <= offset:
        _, on_reply, _, response = answers.popleft()
        on_reply(response)
