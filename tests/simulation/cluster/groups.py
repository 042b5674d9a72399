"""A shard of `core.groups` on the broker that leads its partition: loaded from the log, fed by requests, committed with the high watermark."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from barnabas.core.groups.settings import GroupSettings
from barnabas.core.groups.shard import GroupShard
from barnabas.core.groups.writes import AppendFailed
from barnabas.storage.errors import StorageError
from barnabas.wire.errors import Error
from barnabas.wire.records.batch import iterate_headers
from barnabas.wire.records.builder import build_batch
from barnabas.wire.records.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from barnabas.core.groups.writes import LogRecord

    from .replica import Replica

SETTINGS = GroupSettings(initial_rebalance_delay_ms=150, min_session_timeout_ms=500, offsets_commit_timeout_ms=1500)
MANY_BYTES = 1 << 24


class _ShardLog:
    """The partition as a CoordinatorLog."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    def append(self, records: Sequence[LogRecord]) -> int:
        rows = [Record(timestamp=timestamp, key=key, value=value) for timestamp, key, value in records]
        batch = bytearray(build_batch(rows))
        leading = self._replica.leading
        if leading is None or leading.is_under_min_isr:
            raise AppendFailed(Error.NOT_LEADER_OR_FOLLOWER if leading is None else Error.NOT_ENOUGH_REPLICAS)
        try:
            return self._replica.append_own(batch, len(batch), len(rows), max(row.timestamp for row in rows), (-1, -1, -1))[1]
        except StorageError as error:
            if error.offline:
                raise
            raise AppendFailed(Error.KAFKA_STORAGE_ERROR) from None

    def committed_offset(self) -> int:
        return self._replica.high_watermark


class GroupHost:
    """From the election of the partition's leader on this broker, until another epoch."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._node = replica.broker.node
        random = self._node.cluster.random
        self._shard = GroupShard(SETTINGS, _ShardLog(replica), lambda: f"{random.getrandbits(64):016x}")
        self._is_closed = False
        self._armed_ms: int | None = None
        self._flush_due = False
        self._load()

    def _load(self) -> None:
        log, now_ms = self._replica.log, self._node.cluster.now_ms
        offset = log.start_offset
        is_committed = True
        while (found := log.read(offset, MANY_BYTES, log.end_offset)) is not None:
            data = memoryview(os.pread(found.file.fileno(), found.size, found.position))
            for position, header in iterate_headers(data):
                if is_committed and header.next_offset > self._replica.high_watermark:
                    is_committed = False
                    self._shard.load_uncommitted(offset)
                self._shard.load_batch(data[position : position + header.size], now_ms)
                offset = header.next_offset
        self._shard.loaded(log.end_offset, self._replica.high_watermark, now_ms)
        self._after_step()

    def call(self, method: Callable[..., None], *arguments: Any, reply: Callable[[Any], None]) -> None:
        """One request, as a method of GroupShard."""
        method(self._shard, *arguments, reply, self._node.cluster.now_ms)
        self._after_step()

    def committed(self) -> None:
        """The high watermark moved: told after what happens now, as a coordinator's own thread would be."""
        self._node.after(0, self._committed)

    def _committed(self) -> None:
        if not self._is_closed:
            self._shard.committed(self._replica.high_watermark, self._node.cluster.now_ms)
            self._after_step()

    def _after_step(self) -> None:
        for reply, response in self._shard.take_replies():
            reply(response)  # type: ignore[operator]
        if self._shard.has_unwritten and not self._flush_due:
            self._flush_due = True
            self._node.after(0, self._flush)
        deadline_ms = self._shard.next_deadline_ms()
        if deadline_ms is not None and (self._armed_ms is None or deadline_ms < self._armed_ms):
            self._armed_ms = deadline_ms
            self._node.after(max(deadline_ms - self._node.cluster.now_ms, 0), lambda: self._tick(deadline_ms))

    def _flush(self) -> None:
        self._flush_due = False
        if not self._is_closed:
            self._shard.flush()
            self._after_step()

    def _tick(self, deadline_ms: int) -> None:
        if self._armed_ms == deadline_ms:
            self._armed_ms = None
        if not self._is_closed:
            self._shard.tick(self._node.cluster.now_ms)
            self._after_step()

    def close(self) -> None:
        self._is_closed = True
        self._shard.unload()
        for reply, response in self._shard.take_replies():
            reply(response)  # type: ignore[operator]
