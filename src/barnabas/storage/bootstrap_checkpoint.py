"""bootstrap.checkpoint: the records with which a new cluster begins (D18-D21).

Owns the file; which records it holds is `format`'s to choose, and the controller's to apply (C5).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from barnabas.wire.types import write_uvarint

from .atomic_file import replace_file
from .metadata_snapshot import SnapshotReader, snapshot_batches

if TYPE_CHECKING:
    from collections.abc import Iterable

    from barnabas.wire.schema import Message

FILE_NAME = "bootstrap.checkpoint"


def write_bootstrap_checkpoint(directory: str, records: Iterable[Message], now_ms: int) -> None:
    """Replace one directory's file by these records, each in its version 0. Raises OSError."""
    values = [b"\x01" + write_uvarint(record.api_key) + b"\x00" + record.encode(0) for record in records]
    replace_file(os.path.join(directory, FILE_NAME), b"".join(snapshot_batches(values, epoch=0, now_ms=now_ms)))


def read_bootstrap_checkpoint(directory: str) -> list[bytes] | None:
    """The values of its records, framed as in the metadata log (D28); None without a file. Raises SnapshotError, OSError."""
    try:
        reader = SnapshotReader(os.path.join(directory, FILE_NAME))
    except FileNotFoundError:
        return None
    try:
        return list(reader.values())
    finally:
        reader.close()
