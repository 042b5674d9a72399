"""The copying of replicas that move between directories: from the present log into the future one, batch by batch, at the rate that is allowed (R35).

Owns the order (one replica at a time on each thread, by topic and partition, the one that is begun first to its end) and the pauses. The future replica is a
follower whose leader is the log beside it: the same rules of truncation, the same checks of what is appended. When a move is begun, asked about and finished is
`directory_moves`' to say. Source: ReplicaAlterLogDirsThread, LocalLeaderEndPoint of 4.3.1.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from barnabas.core.partition.epochs import UNDEFINED
from barnabas.core.partition.following import LogEnd, truncation_offset
from barnabas.node.directory_moves import OVER
from barnabas.node.loop import Loop
from barnabas.node.replication.appending import CorruptBatch, start_at, take, truncate
from barnabas.storage.errors import OffsetOutOfRange, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.node.directory_moves import Move
    from barnabas.node.partition import Partition
    from barnabas.node.server import Node

_STEPS_WHILE_NOBODY_WRITES = 4
_STOP_S = 30


class Copier:
    """The `number`th thread. `on_copied(move)`: it has all that there is; it is added again when there is more to do."""

    def __init__(self, node: Node, number: int, on_copied: Callable[[Move], object]) -> None:
        self._node = node
        self._on_copied = on_copied
        self._moves: dict[tuple[str, int], Move] = {}
        self._present: tuple[str, int] | None = None
        self._is_due = False
        self._loop = Loop(f"directories-{number}", node.on_loop_error)
        self._loop.start()

    def add(self, move: Move, delay_ms: float = 0) -> None:
        """From any thread."""
        if delay_ms:
            self._loop.call(self._loop.call_later, delay_ms, self._add, move)
        else:
            self._loop.call(self._add, move)

    def stop(self) -> None:
        self._loop.stop()
        self._loop.join(_STOP_S)

    def _add(self, move: Move) -> None:
        self._moves[move.current.topic, move.current.index] = move
        self._go_on()

    def _go_on(self, delay_ms: float = 0) -> None:
        if self._is_due:
            return
        self._is_due = True
        if delay_ms:
            self._loop.call_later(delay_ms, self._step)
        else:
            self._loop.call(self._step)

    def _step(self) -> None:
        self._is_due = False
        if not self._moves:
            return
        pause_ms = self._node.config.replication.fetch_backoff_ms
        if self._node.throttles.directories.is_exceeded:
            self._go_on(pause_ms)
            return
        if self._present not in self._moves:
            self._present = min(self._moves)
        move = self._moves[self._present]
        try:
            is_over = move.state == OVER or copy(self._node, move)
        except CorruptBatch as error:
            self._node.warn_seldom(f"move {move.current!r}", f"{move.current!r} can't be copied to another directory: {error}")
            is_over = False
        except OffsetOutOfRange:  # let go of meanwhile
            is_over, pause_ms = False, 1
        except StorageError as error:
            self._node.on_storage_error(move.future if error.path.startswith(move.future.log.directory) else move.current, error)
            is_over = move.state == OVER
        else:
            pause_ms = 0
        if is_over:
            del self._moves[self._present]
            if move.state != OVER:
                self._on_copied(move)
        self._go_on(pause_ms)


def catch_up(node: Node, move: Move) -> bool:
    """A few steps, while nobody writes to the present log: whether the future one has all then. Raises StorageError."""
    try:
        return any(copy(node, move) for _ in range(_STEPS_WHILE_NOBODY_WRITES))
    except (CorruptBatch, OffsetOutOfRange):
        return False


def copy(node: Node, move: Move) -> bool:
    """One step: whether the future log has all that the present one has. Raises StorageError, CorruptBatch, OffsetOutOfRange."""
    current, future = move.current, move.future
    log, offset = current.log, future.log.end_offset
    truncations = log.truncations
    epoch = future.followed_epoch = max(current.leader_epoch, current.followed_epoch)
    own = _own_part(current, future)
    if own < offset:
        truncate(future, epoch, own)
        return False
    # An empty one that begins behind: its checkpoint tells of a log that was cut below its start since.
    if offset < log.start_offset or offset == future.log.start_offset > log.start_offset:
        start_at(future, epoch, log.start_offset)
        offset = future.log.end_offset
    config = node.config.replication
    found = current.read_all(offset, min(config.fetch_partition_max_bytes, config.fetch_response_max_bytes), min_one=True)
    records = None
    if found is not None and found.size:
        try:
            records = memoryview(os.pread(found.file.fileno(), found.size, found.position))
        except OSError as error:
            raise StorageError.of(log.directory, f"could not read at offset {offset}", error) from error
    if truncations != log.truncations:  # what was read may be another leader's, behind what the future log has of the one before
        return False
    take(future, records, epoch, current.high_watermark, log.start_offset)
    if records is not None:
        node.throttles.directories.record(len(records))
    return future.log.end_offset == log.end_offset


def _own_part(current: Partition, future: Partition) -> int:
    """Up to where the future log tells the present one's story."""
    end = LogEnd(future.log.end_offset, future.epochs)
    if future.epochs.latest == UNDEFINED:
        return min(end.offset, current.log.end_offset)
    try:
        parting = current.epochs.divergence(end.offset, future.epochs.latest, current.log.end_offset)
    except LookupError:
        return future.log.start_offset
    return end.offset if parting is None else truncation_offset(*parting, end)
