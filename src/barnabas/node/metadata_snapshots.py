"""The metadata log's snapshots: when one is due, writing it on a thread of its own, and which old ones go with the log's head (D31, D32, D39-D43).

Owns the counters and the list of what is on disk. The file's frame is `storage.metadata_snapshot`'s, its records are `core.metadata.snapshot`'s.
Source: Apache's `SnapshotGenerator`, `SnapshotEmitter`, `KafkaRaftLog.maybeClean`.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, NamedTuple

from barnabas.storage.metadata_snapshot import SnapshotId, SnapshotReader, mark_deleted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from barnabas.core.metadata.image import MetadataImage
    from barnabas.core.quorum.voters import VoterSet
    from barnabas.storage.log import Log


class SnapshotRules(NamedTuple):
    """Configuration keys of D31; a limit below 0 (0 for the interval) is none."""

    max_bytes_between: int = 20 * 1024 * 1024
    max_interval_ms: int = 3_600_000
    max_retention_bytes: int = 100 * 1024 * 1024
    max_retention_ms: int = 7 * 24 * 3_600_000
    delete_delay_ms: int = 60_000


class MetadataSnapshots:
    """The snapshots of one directory. All but the writing itself happens on the control thread."""

    __slots__ = ("_bytes_since", "_directory", "_doomed", "_last_ms", "_rules", "_writing", "ids")

    def __init__(self, directory: str, ids: list[SnapshotId], rules: SnapshotRules, now_ms: int) -> None:
        """`ids`: as `recover_snapshots` gave them."""
        self._directory = directory
        self._rules = rules
        self.ids = ids
        self._bytes_since = 0
        self._last_ms = now_ms
        self._writing: threading.Thread | None = None
        self._doomed: list[tuple[int, str]] = []

    @property
    def delete_delay_ms(self) -> int:
        return self._rules.delete_delay_ms

    @property
    def latest(self) -> SnapshotId | None:
        return self.ids[-1] if self.ids else None

    def path(self, snapshot_id: SnapshotId) -> str:
        return os.path.join(self._directory, snapshot_id.file_name)

    def count(self, size_bytes: int) -> None:
        """So many bytes of batches were replayed into the image."""
        self._bytes_since += size_bytes

    def is_due(self, now_ms: int) -> bool:
        """Whether the rules ask for a snapshot of the image as it is (D31)."""
        if self._writing is not None:
            return False
        by_time = self._rules.max_interval_ms > 0 and now_ms - self._last_ms >= self._rules.max_interval_ms
        return by_time or self._bytes_since >= self._rules.max_bytes_between

    def begin(
        self, image: MetadataImage, kraft_version: int, voters: VoterSet, now_ms: int, done: Callable[[SnapshotId, Exception | None], object]
    ) -> bool:
        """Write `image` on a thread; `done(id, error)` is called from it. False if that snapshot is there already (or one is being written)."""
        snapshot_id = SnapshotId(image.epoch, image.offset + 1)
        self._bytes_since, self._last_ms = 0, now_ms
        if self._writing is not None or snapshot_id in self.ids:
            return False
        self._writing = threading.Thread(
            target=self._write, args=(snapshot_id, image, kraft_version, voters, now_ms, done), name="metadata-snapshot", daemon=True
        )
        self._writing.start()
        return True

    def _write(
        self,
        snapshot_id: SnapshotId,
        image: MetadataImage,
        kraft_version: int,
        voters: VoterSet,
        now_ms: int,
        done: Callable[[SnapshotId, Exception | None], object],
    ) -> None:
        from barnabas.storage.metadata_snapshot import snapshot_batches, write_snapshot

        try:
            batches = snapshot_batches(
                _values(image),
                epoch=snapshot_id.epoch,
                now_ms=now_ms,
                last_timestamp_ms=image.timestamp_ms,
                kraft_version=kraft_version,
                voters=voters.to_record(),
            )
            write_snapshot(self._directory, snapshot_id, batches)
        except Exception as error:
            done(snapshot_id, error)
        else:
            done(snapshot_id, None)

    def finished(self, snapshot_id: SnapshotId, error: Exception | None, log_start_offset: int, now_ms: int) -> bool:
        """On the control thread, after `done`. Whether there is one more: not if a younger one was fetched meanwhile, behind which the log begins now.

        Raises OSError.
        """
        self._writing = None
        if error is not None or snapshot_id in self.ids:
            return False
        if snapshot_id.offset < log_start_offset:
            self._doom(snapshot_id, now_ms)
            return False
        self.add(snapshot_id)
        return True

    def add(self, snapshot_id: SnapshotId) -> None:
        """It is on the disk now."""
        self.ids = sorted({*self.ids, snapshot_id})

    def wait(self, timeout_s: float = 30.0) -> None:
        """Let a snapshot that is being written come to its end: at a stop."""
        if self._writing is not None:
            self._writing.join(timeout_s)

    def clean(self, log: Log, high_watermark: int, now_ms: int) -> None:
        """Delete old snapshots, and the head of the log that a younger one replaces (D32). Call every minute. Raises OSError, StorageError."""
        self._unlink_due(now_ms)
        if len(self.ids) < 2:
            return
        sizes = {snapshot_id: os.path.getsize(self.path(snapshot_id)) for snapshot_id in self.ids}
        for oldest, following in zip(self.ids[:-1], self.ids[1:], strict=True):
            if not self._is_over(oldest, log.size_bytes + sum(sizes[snapshot_id] for snapshot_id in self.ids), now_ms):
                return
            log.set_start_offset(following.offset)
            log.delete_old_segments(now_ms, high_watermark)
            self.forget_before(following, now_ms)

    def _is_over(self, oldest: SnapshotId, total_bytes: int, now_ms: int) -> bool:
        if 0 <= self._rules.max_retention_bytes < total_bytes:
            return True
        if self._rules.max_retention_ms < 0:
            return False
        reader = SnapshotReader(self.path(oldest))
        reader.close()
        return now_ms - reader.last_timestamp_ms > self._rules.max_retention_ms

    def forget_before(self, first_kept: SnapshotId, now_ms: int) -> None:
        """Rename what is older out of the way; `clean` unlinks it a minute later. Raises OSError."""
        for snapshot_id in [found for found in self.ids if found < first_kept]:
            self._doom(snapshot_id, now_ms)
            self.ids.remove(snapshot_id)

    def _doom(self, snapshot_id: SnapshotId, now_ms: int) -> None:
        self._doomed.append((now_ms + self._rules.delete_delay_ms, mark_deleted(self._directory, snapshot_id)))

    def _unlink_due(self, now_ms: int) -> None:
        for due_ms, path in [entry for entry in self._doomed if entry[0] <= now_ms]:
            self._doomed.remove((due_ms, path))
            if os.path.exists(path):
                os.unlink(path)


def _values(image: MetadataImage) -> Iterator[bytes]:
    from barnabas.core.metadata.record_versions import encode_record, record_version
    from barnabas.core.metadata.snapshot import image_records

    level = image.features.metadata_version
    for record in image_records(image):
        yield encode_record(record, record_version(record, level))
