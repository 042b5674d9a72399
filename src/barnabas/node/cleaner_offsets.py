"""Up to where each log was compacted: `cleaner-offset-checkpoint` of each log directory (D83), kept true when logs are cut, moved or deleted.

Who compacts is `compaction`. Callable from any thread; a directory's failure is left to the next use of it, for a checkpoint that is too low only costs time.
"""

from __future__ import annotations

from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from barnabas.node.partition import Partition
    from barnabas.node.replicas import Directory, Replicas
    from barnabas.storage.checkpoint_file import TopicPartition
    from barnabas.storage.log import Log


class CleanerOffsets:
    def __init__(self, replicas: Replicas) -> None:
        self._replicas = replicas
        self._lock = Lock()

    def of(self, partition: Partition) -> int | None:
        """None if it was never compacted."""
        return self._replicas.directory_of(partition).files.cleaner_offsets.get((partition.topic, partition.index))

    def put(self, partition: Partition, log: Log, truncations: int, offset: int) -> None:
        """Compacted up to `offset`; unless the partition is gone, or has another log now, or this one was cut since. Raises OSError."""
        with self._lock:
            if partition.retired or partition.log is not log or log.truncations != truncations:
                return
            directory = self._replicas.directory_of(partition)
            directory.files.cleaner_offsets[partition.topic, partition.index] = offset
            self._write(directory)

    def cut(self, partition: Partition) -> None:
        """The log was cut: what its active segment has was not compacted."""
        log = partition.log
        with self._lock, suppress(OSError):
            known = self.of(partition)
            if known is not None and known > log.active_base_offset:
                directory = self._replicas.directory_of(partition)
                directory.files.cleaner_offsets[partition.topic, partition.index] = log.active_base_offset
                self._write(directory)

    def forget(self, partition: Partition) -> None:
        """The partition was deleted, and is retired."""
        self.begin(self._replicas.directory_of(partition), partition.topic, partition.index)

    def begin(self, directory: Directory, topic: str, index: int) -> None:
        """A replica is made there: what is known is of another one, of a topic that was deleted while the node was down, say."""
        with self._lock, suppress(OSError):
            self._take(directory, (topic, index))

    def move(self, partition: Partition, source: Directory, target: Directory) -> None:
        """The partition lies in another directory now; what that knew of it is of an earlier stay."""
        key = partition.topic, partition.index
        with self._lock, suppress(OSError):
            self._take(target, key)
            offset = self._take(source, key)
            if offset is not None:
                target.files.cleaner_offsets[key] = offset
                self._write(target)

    def _take(self, directory: Directory, key: TopicPartition) -> int | None:
        offset = directory.files.cleaner_offsets.pop(key, None)
        if offset is not None:
            self._write(directory)
        return offset

    def _write(self, directory: Directory) -> None:
        offsets = directory.files.cleaner_offsets
        for key in [key for key in offsets if key[1] not in self._replicas.by_name.get(key[0], ())]:
            del offsets[key]
        if directory.is_online:
            directory.files.write_cleaner_offsets()
