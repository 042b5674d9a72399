"""A node's controller: `core.controller` over its metadata log, as a standby or active; operations run, answers wait for their commit."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from barnabas.core.controller.broker_life import fence_broker, fence_stale_broker
from barnabas.core.controller.config_rules import KafkaConfigRules
from barnabas.core.controller.controller import Controller, ControllerSettings
from barnabas.core.controller.elections import elect_preferred
from barnabas.core.controller.result import ApiError, Result
from barnabas.core.metadata.features import BOOTSTRAP_LEVELS
from barnabas.storage.errors import StorageError
from barnabas.wire.errors import Error
from barnabas.wire.logs.cluster_metadata import FeatureLevelRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from barnabas.node.metadata_batches import MetadataBatch
    from barnabas.wire.schema import Message

    from .node import Node

    Operation = Callable[[Controller, int], Result]
    OnAnswer = Callable[[Error, Any], None]

SESSION_TIMEOUT_MS = 2000
CHECK_MS = 150
BALANCE_MS = 2500


class ControllerHost:
    """`controller` is replaced when its state can't be taken back. Operations and answers are those of this life of the leadership."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.controller = self._new()
        self._elected: tuple[int, int] | None = None  # (epoch, start offset) of a leadership that isn't active yet
        self._answers: deque[tuple[int, OnAnswer, Any]] = deque()

    def _new(self) -> Controller:
        cluster = self.node.cluster
        settings = ControllerSettings(self.node.id, cluster.id, tuple(cluster.voter_ids), session_timeout_ms=SESSION_TIMEOUT_MS)
        return Controller(settings, KafkaConfigRules({"min.insync.replicas": str(cluster.min_isr)}), cluster.random.randbytes)

    # --- what the log tells

    def loads(self, records: Sequence[Message], last_offset: int) -> None:
        for record in records:
            self.controller.replay(record, last_offset)
        self.controller.committed(last_offset)

    def reloads(self) -> None:
        """A fetched snapshot takes the place of everything."""
        self.controller = self._new()

    def elected(self, epoch: int, start_offset: int) -> None:
        self._elected = (epoch, start_offset)

    def may_activate(self) -> None:
        """Once all that was there before the epoch is committed, and so replayed (Q37)."""
        metadata = self.node.metadata
        high_watermark = metadata.quorum.high_watermark
        if self._elected is None or not metadata.quorum.is_leader or high_watermark is None or high_watermark <= self._elected[1]:
            return
        self._elected = None
        cluster = self.node.cluster
        bootstrap = [FeatureLevelRecord(name=name, feature_level=level) for name, level in BOOTSTRAP_LEVELS]
        self._append(self.controller.activate(metadata.log.end_offset, bootstrap, cluster.now_ms))
        self.node.after(CHECK_MS, lambda: self._check(metadata.quorum.epoch))
        self.node.after(BALANCE_MS, lambda: self._balance(metadata.quorum.epoch))

    def resigns(self) -> None:
        self._elected = None
        answers, self._answers = self._answers, deque()
        for _, answer, _ in answers:
            answer(Error.NOT_CONTROLLER, None)
        if self.controller.is_active and not self.controller.deactivate():
            self.controller = self._new()
            self.node.metadata.replay_into(self.controller)

    def appended(self, batch: MetadataBatch) -> None:
        if self.controller.is_active:
            self._replay(batch)
            self.controller.appended(batch.last_offset)

    def committed(self, batch: MetadataBatch) -> None:
        if not self.controller.is_active:
            self._replay(batch)
        self.controller.committed(batch.last_offset)
        answers = self._answers
        while answers and answers[0][0] <= batch.last_offset:
            _, answer, response = answers.popleft()
            answer(Error.NONE, response)

    def _replay(self, batch: MetadataBatch) -> None:
        for offset, record in enumerate(batch.records, batch.base_offset):
            self.controller.replay(record, offset)
        self.controller.next_write_offset = batch.last_offset + 1

    # --- operations

    def run(self, operation: Operation, answer: OnAnswer) -> None:
        """`answer` comes when the operation's records are committed, or it is refused."""
        if not self.controller.is_active:
            answer(Error.NOT_CONTROLLER, None)
            return
        try:
            result = operation(self.controller, self.node.cluster.now_ms)
            offset = self._append(result)
        except ApiError as refused:
            answer(refused.error, None)
            return
        except StorageError as error:
            if error.offline:
                raise
            answer(Error.KAFKA_STORAGE_ERROR, None)
            return
        if offset <= self.controller.committed_offset:
            answer(Error.NONE, result.response)
        else:
            self._answers.append((offset, answer, result.response))

    def _append(self, result: Result) -> int:
        metadata = self.node.metadata
        if result.records:
            return metadata.append(result.records, self.controller.record_version, is_atomic=result.is_atomic)
        return metadata.log.end_offset - 1

    def _check(self, epoch: int) -> None:
        """Sessions that have run out."""
        if self.controller.is_active and self.node.metadata.quorum.epoch == epoch:
            self.run(fence_stale_broker, lambda error, found: None)
            self.node.after(CHECK_MS, lambda: self._check(epoch))

    def _balance(self, epoch: int) -> None:
        if self.controller.is_active and self.node.metadata.quorum.epoch == epoch:
            self.run(lambda controller, now_ms: elect_preferred(controller), lambda error, more: None)
            self.node.after(BALANCE_MS, lambda: self._balance(epoch))

    def broker_died(self, broker_id: int, broker_epoch: int) -> None:
        """Its connection was closed by a machine whose process is gone (O1)."""
        self.run(lambda controller, now_ms: fence_broker(controller, broker_id, broker_epoch), lambda error, response: None)
