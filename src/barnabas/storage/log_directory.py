"""One log directory of a node: its lock, its checkpoints, its partition directories, its clean stop.

Owns what lies beside the partitions' directories and the directories' names; a partition's inside is `log`. Has no thread and no clock: the
host calls the `write_*` methods, `remove_due` and `close` when it is time. Source: INTERCHANGE D1-D6, D77-D86, D109-D111, D126-D128.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from . import checkpoint_file
from .atomic_file import sync_directory
from .checkpoint_file import CLEANER_OFFSET, LOG_START_OFFSET, RECOVERY_POINT, REPLICATION_OFFSET, CheckpointError, TopicPartition
from .clean_shutdown import has_clean_shutdown, read_broker_epoch, remove_clean_shutdown, write_clean_shutdown
from .directory_lock import DirectoryLock
from .file_names import LOG
from .partition_name import DELETE, FUTURE, STRAY, parse_partition_name, partition_directory_name, suffixed_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

METADATA_TOPIC = "__cluster_metadata"
REMOTE_INDEX_CACHE = "remote-log-index-cache"
DELETE_DELAY_MS = 60_000


class LogDirectoryError(ValueError):
    """The node must not start on this directory; the message names the entry and the fix."""


class PartitionDirectory(NamedTuple):
    path: str
    topic: str
    partition: int
    suffix: str
    """Empty for a live replica, else "-delete", "-future" or "-stray"."""


class LogDirectory:
    """Open from construction to `close`."""

    __slots__ = (
        "_doomed",
        "_lock",
        "broker_epoch",
        "cleaner_offsets",
        "high_watermarks",
        "log_start_offsets",
        "path",
        "recovery_points",
        "repaired",
        "was_clean",
    )

    def __init__(self, path: str) -> None:
        """Create the directory if it is missing and lock it. Raises OSError (the directory is offline) or DirectoryLockedError."""
        self.path = os.path.abspath(path)
        create_directory(self.path)
        self._lock = DirectoryLock(self.path)
        self.was_clean = has_clean_shutdown(self.path)
        self.broker_epoch = read_broker_epoch(self.path)
        self.repaired: list[str] = []
        self._doomed: dict[str, int] = {}
        self.recovery_points = self._read(RECOVERY_POINT)
        self.log_start_offsets = self._read(LOG_START_OFFSET)
        self.high_watermarks = self._read(REPLICATION_OFFSET)
        self.cleaner_offsets = self._read(CLEANER_OFFSET)

    def _read(self, name: str) -> dict[TopicPartition, int]:
        """A checkpoint; junk counts as none and goes to `repaired`: all four can be rebuilt (O13, where Apache fails the directory: D77)."""
        path = os.path.join(self.path, name)
        try:
            offsets = checkpoint_file.read_offsets(path)
            checkpoint_file.create_checkpoint(path)
        except CheckpointError as error:
            self.repaired.append(str(error))
            checkpoint_file.write_entries(path, ())
            offsets = {}
        return offsets

    # --- loading

    def begin_loading(self) -> None:
        """Take back the promise of the last clean stop; from here a crash is an unclean one (D84). Raises OSError."""
        remove_clean_shutdown(self.path)

    def partitions(self) -> list[PartitionDirectory]:
        """Every partition directory by name, the metadata log apart. Raises LogDirectoryError for a directory that isn't Kafka's (D1)."""
        found = []
        with os.scandir(self.path) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir())
        for name in names:
            if name == REMOTE_INDEX_CACHE:
                continue
            path = os.path.join(self.path, name)
            try:
                topic, partition, suffix = parse_partition_name(name)
            except ValueError as error:
                raise LogDirectoryError(f"Found directory {path}: {error}. Move it out of the log directory.") from None
            if topic != METADATA_TOPIC:
                found.append(PartitionDirectory(path, topic, partition, suffix))
        return found

    # --- changes

    def create_partition(self, topic: str, partition: int, *, future: bool = False) -> str:
        """Make the directory of a new replica, durably; its path. An existing one is taken as it is. Raises OSError."""
        name = suffixed_name(topic, partition, FUTURE) if future else partition_directory_name(topic, partition)
        path = os.path.join(self.path, name)
        try:
            os.mkdir(path)
        except FileExistsError:
            return path
        sync_directory(self.path)
        return path

    def mark_current(self, path: str, topic: str, partition: int) -> str:
        """Take the -future name away from a replica that takes the place of another one (D109). Not durable before `sync`. Raises OSError."""
        renamed = os.path.join(self.path, partition_directory_name(topic, partition))
        os.rename(path, renamed)
        return renamed

    def sync(self) -> None:
        """Make names durable. Raises OSError."""
        sync_directory(self.path)

    def mark_stray(self, path: str, topic: str, partition: int) -> str:
        """Rename a replica that the cluster doesn't know (D72). Never deleted by the node (D111). Raises OSError."""
        return self._rename(path, suffixed_name(topic, partition, STRAY))

    def mark_deleted(self, path: str, topic: str, partition: int, now_ms: int, delay_ms: int = DELETE_DELAY_MS) -> str:
        """Rename a replica for deletion and let `remove_due` remove it after the delay (D109). Raises OSError."""
        renamed = self._rename(path, suffixed_name(topic, partition, DELETE))
        self.remove_later(renamed, now_ms, delay_ms)
        return renamed

    def remove_later(self, path: str, now_ms: int, delay_ms: int = DELETE_DELAY_MS) -> None:
        """Have a -delete directory (found at start, say) removed by `remove_due` after the delay."""
        self._doomed[path] = now_ms + delay_ms

    def remove_due(self, now_ms: int) -> list[str]:
        """Remove the -delete directories whose time has come; their paths. Call every few seconds. Raises OSError, not for what somebody else removed."""
        due = [path for path, at_ms in list(self._doomed.items()) if at_ms <= now_ms]
        if due:
            from shutil import rmtree  # with its archives it is slow to import, and large
        for path in due:
            with suppress(FileNotFoundError):
                rmtree(path)
            if not os.path.lexists(path):
                del self._doomed[path]
        return due

    def retire(self, path: str, topic: str, partition: int) -> str:
        """The -delete name alone: neither durable before `sync`, nor removed before `remove_later` is called. Raises OSError."""
        renamed = os.path.join(self.path, suffixed_name(topic, partition, DELETE))
        os.rename(path, renamed)
        return renamed

    def _rename(self, path: str, name: str) -> str:
        renamed = os.path.join(self.path, name)
        os.rename(path, renamed)
        sync_directory(self.path)
        return renamed

    # --- checkpoints

    def write_recovery_points(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Every 60 s, after truncation and at a clean stop; only after the logs' fsync (D79). Raises OSError."""
        checkpoint_file.write_offsets(os.path.join(self.path, RECOVERY_POINT), offsets)
        self.recovery_points = dict(offsets)

    def write_log_start_offsets(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Only logs that start above the base of their first segment (D81). Raises OSError."""
        checkpoint_file.write_offsets(os.path.join(self.path, LOG_START_OFFSET), offsets)
        self.log_start_offsets = dict(offsets)

    def write_high_watermarks(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Every 5 s and at a stop (D80). Raises OSError."""
        checkpoint_file.write_offsets(os.path.join(self.path, REPLICATION_OFFSET), offsets)
        self.high_watermarks = dict(offsets)

    def forget(self, topic: str, partition: int) -> None:
        """Nothing is known of it here any more: what checkpoints said of a replica that is gone isn't true of one that takes its name. Raises OSError."""
        key = (topic, partition)
        for known, write in (
            (self.recovery_points, self.write_recovery_points),
            (self.log_start_offsets, self.write_log_start_offsets),
            (self.high_watermarks, self.write_high_watermarks),
        ):
            if key in known:
                write({other: offset for other, offset in known.items() if other != key})

    def write_cleaner_offsets(self) -> None:
        """`cleaner_offsets` as they are now (D83). Raises OSError."""
        checkpoint_file.write_offsets(os.path.join(self.path, CLEANER_OFFSET), self.cleaner_offsets)

    # --- the end

    def close(self, clean_broker_epoch: int | None = None) -> None:
        """Unlock. With a broker epoch, first promise a clean stop: only when every log was loaded, synced and closed (D84)."""
        try:
            if clean_broker_epoch is not None:
                write_clean_shutdown(self.path, clean_broker_epoch)
        finally:
            self._lock.release()


def bytes_of_log(path: str) -> int:
    """How many bytes of records a partition's directory has. Raises OSError."""
    with os.scandir(path) as entries:
        return sum(entry.stat().st_size for entry in entries if entry.name.endswith(LOG))


def create_directory(path: str) -> None:
    """Make a missing log directory, durably (D6). Raises OSError, also when it can't be read."""
    if not os.path.exists(path):
        os.makedirs(path)
        sync_directory(os.path.dirname(path))
    if not os.path.isdir(path) or not os.access(path, os.R_OK | os.X_OK):
        raise OSError(f"{path} is not a readable log directory")


def require_distinct(paths: Iterable[str]) -> None:
    """Raise LogDirectoryError when two entries of log.dirs are one directory (D6)."""
    seen: dict[str, str] = {}
    for path in paths:
        real = os.path.realpath(path)
        if real in seen:
            raise LogDirectoryError(f"log.dirs names one directory twice: {seen[real]} and {path}. Give each disk its own.")
        seen[real] = path


def require_one_of_each(directories: Sequence[LogDirectory], now_ms: int) -> None:
    """All directories of a node: twins that never had a record are marked for deletion. Raises LogDirectoryError for others, and OSError."""
    by_path = {directory.path: directory for directory in directories}
    with suppress(OSError):  # then they are told of
        for twin in untouched_twins(entry for directory in directories for entry in directory.partitions()):
            by_path[os.path.dirname(twin.path)].mark_deleted(twin.path, twin.topic, twin.partition, now_ms)
    require_no_duplicates(entry for directory in directories for entry in directory.partitions())


def untouched_twins(partitions: Iterable[PartitionDirectory]) -> list[PartitionDirectory]:
    """Replicas that never had a record, where there is another one of the partition: left in a directory that failed or was full as they were made, so that
    they were made again elsewhere. Raises OSError."""
    kept: dict[tuple[str, int], PartitionDirectory] = {}
    twins = []
    for found in partitions:
        if found.suffix:
            continue
        known = kept.setdefault((found.topic, found.partition), found)
        if known is found:
            continue
        if _is_untouched(found.path):
            twins.append(found)
        elif _is_untouched(known.path):
            twins.append(known)
            kept[found.topic, found.partition] = found
    return twins


def _is_untouched(path: str) -> bool:
    """Whether a log is empty and begins at offset 0, or there is none."""
    with os.scandir(path) as entries:
        return all(entry.name.strip("0") == LOG and not entry.stat().st_size for entry in entries if entry.name.endswith(LOG))


def require_no_duplicates(partitions: Iterable[PartitionDirectory]) -> None:
    """Raise LogDirectoryError when a partition has two live replicas, or two future ones, over all directories of the node (D110)."""
    seen: dict[tuple[str, int, str], str] = {}
    for path, topic, partition, suffix in partitions:
        if suffix in (DELETE, STRAY):
            continue
        key = (topic, partition, suffix)
        if key in seen:
            raise LogDirectoryError(
                f"Duplicate log directories for {topic}-{partition} are found in both {seen[key]} and {path}. A disk probably failed while "
                "the replica was being moved: remove the one on the disk that failed recently."
            )
        seen[key] = path


def is_stray(topic_id: bytes | None, replicas: Sequence[int] | None, broker_id: int) -> bool:
    """Whether a replica on disk isn't the cluster's (D72).

    `topic_id`: from its partition.metadata, None when missing; `replicas`: the brokers of that topic id's partition in the image, None if unknown.
    """
    return topic_id is None or not replicas or broker_id not in replicas


def place_partition(counts: Mapping[str, int], cordoned: Iterable[str] = ()) -> list[str]:
    """Directories in the order in which to try them for a new replica: the one with the fewest logs first, cordoned ones never
    unless all are, then the first (D127). `counts`: logs by live directory, in the order of log.dirs."""
    barred = set(cordoned)
    free = sorted((path for path in counts if path not in barred), key=counts.__getitem__)
    return free or list(counts)[:1]
