"""`partition.metadata`: which topic id a partition directory belongs to (D71, D72). Without it Apache Kafka takes the replica for a stray."""

from __future__ import annotations

from barnabas.wire.types import ZERO_UUID, uuid_from_text, uuid_text

from .atomic_file import read_file, replace_file
from .errors import StorageError
from .file_names import PARTITION_METADATA

_MAX_BYTES = 4096


def read_topic_id(directory: str) -> bytes | None:
    """The topic id, None when the file is missing. A final newline is accepted, none is written. Raises StorageError on junk, OSError."""
    path = f"{directory}/{PARTITION_METADATA}"
    try:
        text = read_file(path, _MAX_BYTES).decode()
        fields = dict(line.split(":", 1) for line in text.splitlines() if line.strip())
        if fields["version"].strip() != "0":
            raise ValueError(f"version {fields['version'].strip()} is unknown, 0 was expected")
        topic_id = uuid_from_text(fields["topic_id"].strip())
        if topic_id == ZERO_UUID:
            raise ValueError("the topic id is zero")
    except FileNotFoundError:
        return None
    except (ValueError, KeyError) as error:
        raise StorageError(path, f"unreadable ({error}); expected `version: 0` and `topic_id: ...`", offline=False) from None
    return topic_id


def write_topic_id(directory: str, topic_id: bytes) -> None:
    """Durably, with no newline at the end: Apache Kafka's file, byte for byte. Raises OSError."""
    replace_file(f"{directory}/{PARTITION_METADATA}", f"version: 0\ntopic_id: {uuid_text(topic_id)}".encode())


def bind_topic(directory: str, topic_id: bytes) -> None:
    """Write the file unless it is there. Raises StorageError when it is another topic's, OSError."""
    known = read_topic_id(directory)
    if known is None:
        write_topic_id(directory, topic_id)
    elif known != topic_id:
        raise StorageError(
            directory, f"belongs to another topic: partition.metadata says {uuid_text(known)}, {uuid_text(topic_id)} was expected", offline=False
        )
