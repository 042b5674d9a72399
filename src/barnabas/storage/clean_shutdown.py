""".kafka_cleanshutdown: the promise that every log of a directory ends in a whole, synced batch (D84-D86)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .atomic_file import read_file, sync_directory, write_file
from .flat_json import parse_object

if TYPE_CHECKING:
    from collections.abc import Iterable

FILE_NAME = ".kafka_cleanshutdown"


def write_clean_shutdown(directory: str, broker_epoch: int) -> None:
    """Write it, durably. Only after all logs of the directory were synced and closed and the checkpoints written. Raises OSError."""
    write_file(os.path.join(directory, FILE_NAME), b'{"version":0,"brokerEpoch":%d}' % broker_epoch)
    sync_directory(directory)


def has_clean_shutdown(directory: str) -> bool:
    return os.path.exists(os.path.join(directory, FILE_NAME))


def read_broker_epoch(directory: str) -> int | None:
    """The broker epoch that stopped cleanly, or None when the file is missing, older or unreadable."""
    try:
        epoch = parse_object(read_file(os.path.join(directory, FILE_NAME), 4096))["brokerEpoch"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return epoch if type(epoch) is int else None


def previous_broker_epoch(directories: Iterable[str]) -> int:
    """What a broker registers with: the epoch that all its directories agree on, else -1 (D86, C14)."""
    epochs = {read_broker_epoch(directory) for directory in directories}
    epoch = epochs.pop() if len(epochs) == 1 else None
    return -1 if epoch is None else epoch


def remove_clean_shutdown(directory: str) -> None:
    """Take the promise back before anything is loaded. Raises OSError."""
    try:
        os.unlink(os.path.join(directory, FILE_NAME))
    except FileNotFoundError:
        return
    sync_directory(directory)
