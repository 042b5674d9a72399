"""From a metadata snapshot, a segment of the metadata log, or a whole directory of them, to the image that they say. Files are only read.

Owns what is read in which order, and the lock that Apache's shell takes. What the records mean is `core.metadata`'s.
"""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING

from barnabas.core.configs.definitions.client_metrics import CLIENT_METRICS
from barnabas.core.configs.definitions.group import GROUP
from barnabas.core.configs.definitions.topic import TOPIC
from barnabas.core.metadata import image as images
from barnabas.core.metadata.delta import MetadataDelta, UnreplayableRecord
from barnabas.core.metadata.image import EMPTY
from barnabas.core.metadata.record_versions import decode_record
from barnabas.storage.metadata_snapshot import SUFFIX, SnapshotId, parse_snapshot_name
from barnabas.wire.logs.cluster_metadata import AbortTransactionRecord, BeginTransactionRecord, EndTransactionRecord, NoOpRecord
from barnabas.wire.records.batch import iterate_headers
from barnabas.wire.records.record import decode_records
from barnabas.wire.types import DecodeError

from .java import log_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from barnabas.core.metadata.image import MetadataImage
    from barnabas.wire.records.batch import BatchHeader
    from barnabas.wire.schema import Message

METADATA_PARTITION = "__cluster_metadata-0"
LOG_SUFFIX = ".log"
_KNOWN = {images.TOPIC: TOPIC, images.CLIENT_METRICS: CLIENT_METRICS, images.GROUP: GROUP}
_CONFIGS = {kind: frozenset(row[0] for row in rows) for kind, rows in _KNOWN.items()}


class LockedDirectory(RuntimeError):
    java_class = "java.lang.RuntimeException"


def load(path: str) -> MetadataImage:
    """The image at the end of the file, or of the directory's newest snapshot and the log behind it. Raises OSError, LockedDirectory."""
    if os.path.isdir(path):
        return _load_directory(path)
    _refuse_if_locked(os.path.dirname(os.path.dirname(os.path.abspath(path))))
    return _replay(path, EMPTY, 0)


def state(path: str) -> tuple[tuple[str, int, int], ...]:
    """What tells that a directory's image may have changed since; of a file, nothing does."""
    if not os.path.isdir(path):
        return ()
    with os.scandir(_metadata_directory(path)) as entries:
        found = [(entry.name, entry.stat()) for entry in entries if entry.name.endswith((LOG_SUFFIX, SUFFIX))]
    return tuple(sorted((name, stat.st_size, stat.st_mtime_ns) for name, stat in found))


def _metadata_directory(path: str) -> str:
    inner = os.path.join(path, METADATA_PARTITION)
    return inner if os.path.isdir(inner) else path


def _load_directory(path: str) -> MetadataImage:
    """Also a running node's: its log is appended to only, and what is behind the last whole batch is left out."""
    path = _metadata_directory(path)
    names = sorted(os.listdir(path))
    snapshots = [parsed[0] for parsed in map(_snapshot_id, names) if parsed is not None and parsed[1] == SUFFIX]
    logs = [name for name in names if name.endswith(LOG_SUFFIX) and name[: -len(LOG_SUFFIX)].isdecimal()]
    if not snapshots and not logs:
        raise FileNotFoundError(2, "No metadata snapshot and no metadata log is in this directory", path)
    image = EMPTY
    if snapshots:
        newest = max(snapshots)
        image = _replay(os.path.join(path, newest.file_name), EMPTY, 0)._replace(offset=newest.offset - 1, epoch=newest.epoch)
    for name in logs:
        image = _replay(os.path.join(path, name), image, image.offset + 1)
    return image


def _snapshot_id(name: str) -> tuple[SnapshotId, str] | None:
    try:
        return parse_snapshot_name(name)
    except ValueError:
        return None


def _refuse_if_locked(directory: str) -> None:
    """A file is read only while no node runs on its directory, as Apache's shell does."""
    import fcntl

    try:
        with open(os.path.join(directory, ".lock"), "r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise LockedDirectory(
            f"Unable to lock {directory}. Please ensure that no broker or controller process is using this directory before proceeding."
        ) from None
    except OSError:
        return  # there is none


def _replay(path: str, image: MetadataImage, first: int) -> MetadataImage:
    """`image` and the batches of the file from offset `first` on."""
    with open(path, "rb", buffering=0) as file:
        if not os.fstat(file.fileno()).st_size:
            return image
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    held: list[Message] | None = None
    with data, memoryview(data) as view:
        delta = MetadataDelta(image, is_supported_config=_is_supported)
        last: BatchHeader | None = None
        for position, header in _headers(view, path):
            if header.is_control or header.base_offset < first:
                continue
            with view[position : position + header.size] as batch:
                for record in _records(batch):
                    held = _apply(record, delta, held)
            last = header
        return image if last is None else delta.apply(last.last_offset, last.leader_epoch, last.max_timestamp)


def _headers(view: memoryview, path: str) -> Iterator[tuple[int, BatchHeader]]:
    try:
        yield from iterate_headers(view)
    except DecodeError as error:
        log_line("ERROR", f"{path} can't be read to its end: {error}", __name__)


def _records(batch: memoryview) -> Iterator[Message]:
    offset = -1
    try:
        for record in decode_records(batch):
            offset = record.offset
            yield decode_record(record.value or b"")[0]
    except DecodeError as error:
        log_line("ERROR", f"unable to read metadata record at offset {offset}: {error}", "org.apache.kafka.metadata.util.SnapshotFileReader")


def _apply(record: Message, delta: MetadataDelta, held: list[Message] | None) -> list[Message] | None:
    """The records of an open metadata transaction, which count once it ends."""
    if isinstance(record, BeginTransactionRecord):
        return []
    if isinstance(record, AbortTransactionRecord):
        return None
    if isinstance(record, EndTransactionRecord):
        for kept in held or ():
            _apply(kept, delta, None)
        return None
    if held is not None:
        held.append(record)
        return held
    if not isinstance(record, NoOpRecord):
        try:
            delta.replay(record)
        except UnreplayableRecord as error:
            log_line("ERROR", f"Error replaying metadata log record: {error}", "shell")
    return None


def _is_supported(kind: int, name: str) -> bool:
    """Names that 4.3.1 doesn't know are left out where it knows them all; brokers may have any."""
    return kind == images.BROKER or name in _CONFIGS.get(kind, ())
