"""Ids of log directories: the reserved ones (D10) and when one counts as online. Source: Apache's `DirectoryId`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

MIGRATING = bytes(16)
"""The broker hasn't said which directory, since its metadata.version knew of none."""
UNASSIGNED = (1).to_bytes(16, "big")
LOST = (2).to_bytes(16, "big")

_FIRST_USABLE = (100).to_bytes(16, "big")


def is_reserved(directory_id: bytes) -> bool:
    return directory_id < _FIRST_USABLE


def is_online(directory_id: bytes, online: Collection[bytes]) -> bool:
    """Whether a replica in `directory_id` may lead, given the directories its broker reports. No directories at all means an old registration."""
    if directory_id in (UNASSIGNED, MIGRATING):
        return True
    if directory_id == LOST:
        return False
    return not online or directory_id in online


def random_id(random_bytes: bytes) -> bytes:
    """The 16 `random_bytes` as a random (version 4) UUID, which is how Kafka makes ids; such a one is never reserved."""
    raw = bytearray(random_bytes)
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    return bytes(raw)
