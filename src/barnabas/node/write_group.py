"""Batches that share one write: what requests that came together have appended to one partition; and what becomes of it when that write fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.node.call import clock_ms
from barnabas.storage.errors import StorageError

if TYPE_CHECKING:
    from barnabas.node.partition import Partition
    from barnabas.storage.segment import Appended
    from barnabas.wire.errors import Error


class WriteGroup:
    """Batches with offsets that aren't written yet. `error` is set when writing them failed."""

    __slots__ = ("batches", "error", "is_written", "partition")

    def __init__(self, partition: Partition) -> None:
        self.partition = partition
        self.batches: list[Appended] = []
        self.is_written = False
        self.error: Error | None = None


def take_back(partition: Partition, error: Exception) -> StorageError:
    """The log is as it was before the group; so must be offsets and producers, or their disk is given up. Under the partition's lock."""
    log = partition.log
    partition.next_offset = log.end_offset
    if isinstance(error, StorageError):
        failure = error
    elif isinstance(error, OSError):
        failure = StorageError.of(log.directory, "could not append", error)
    else:  # a broken invariant: nobody knows what the log has
        failure = StorageError(log.directory, f"could not append: {error!r}")
    if not failure.offline:
        try:
            log.reload_producers(clock_ms())
        except StorageError as worse:  # on a full disk they have been read again, only their snapshot isn't there
            if worse.offline:
                failure = StorageError(log.directory, f"producers could not be read again after {error}: {worse}")
    return failure
