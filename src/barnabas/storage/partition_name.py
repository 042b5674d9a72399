"""Names of partition directories: TOPIC-N, and TOPIC-N.UUID with -delete, -future or -stray (D1, D109-D111)."""

from __future__ import annotations

import os
from typing import NamedTuple

from .checkpoint_file import parse_integer

DELETE = "-delete"
FUTURE = "-future"
STRAY = "-stray"
SUFFIXES = (DELETE, FUTURE, STRAY)
MAX_NAME_BYTES = 255


class PartitionName(NamedTuple):
    topic: str
    partition: int
    suffix: str = ""
    """Empty, or one of DELETE, FUTURE, STRAY."""


def parse_partition_name(name: str) -> PartitionName:
    """Take a directory's name apart. Raises ValueError for a name that stops Apache Kafka too."""
    suffix = next((known for known in SUFFIXES if name.endswith(known)), "")
    plain = name
    if suffix:
        plain, dot, unique = name[: -len(suffix)].rpartition(".")
        if not dot or not unique:
            raise ValueError(f"{name!r} ends with {suffix} but lacks the .UUID before it")
    topic, _, partition = plain.rpartition("-")
    try:
        if topic:
            return PartitionName(topic, parse_integer(partition, 32), suffix)
    except ValueError:
        pass
    raise ValueError(f"{name!r} is not in the form of topic-partition or topic-partition.uniqueId-delete (or -future, -stray)")


def partition_directory_name(topic: str, partition: int) -> str:
    return f"{topic}-{partition}"


def suffixed_name(topic: str, partition: int, suffix: str) -> str:
    """A fresh name with a suffix. A long topic is cut to keep 255 bytes, except in a -future name, which must give the topic back."""
    ending = f"-{partition}.{os.urandom(16).hex()}{suffix}"
    return (topic if suffix == FUTURE else topic[: MAX_NAME_BYTES - len(ending)]) + ending
