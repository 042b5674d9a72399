"""Java's own habits that show in what Apache's tools print: the order of hashed collections, `repr`s, log lines, stack traces.

Owns: nothing but those. Anything that a script may compare line by line goes through here.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")


def string_hash(text: str) -> int:
    """String.hashCode, as an unsigned 32-bit number."""
    result = 0
    encoded = text.encode("utf-16-be", "surrogatepass")
    for index in range(0, len(encoded), 2):
        result = (31 * result + (encoded[index] << 8 | encoded[index + 1])) & 0xFFFFFFFF
    return result


def integer_hash(number: int) -> int:
    return number & 0xFFFFFFFF


def partition_hash(partition: tuple[str, int]) -> int:
    """TopicPartition.hashCode."""
    return (31 * (31 + partition[1]) + string_hash(partition[0])) & 0xFFFFFFFF


def replica_hash(replica: tuple[str, int, int]) -> int:
    """TopicPartitionReplica.hashCode."""
    topic, partition, broker = replica
    return (31 * (31 * (31 + string_hash(topic)) + partition) + broker) & 0xFFFFFFFF


def table_size(count: int, capacity: int | None = None) -> int:
    """Buckets of a java.util.HashMap with `count` entries that was made for `capacity` (None: made without a size)."""
    size = 16
    if capacity is not None:
        size = 1
        while size < capacity:
            size *= 2
    while count > size * 0.75:
        size *= 2
    return size


def hash_order(items: Iterable[T], hash_of: Callable[[T], int], capacity: int | None = None) -> list[T]:
    """The items in the order in which a HashMap that received them in the given order iterates. Chains keep the order of insertion."""
    items = list(items)
    size = table_size(len(items), capacity)
    return sorted(items, key=lambda item: _spread(hash_of(item)) & (size - 1))


def _spread(hashed: int) -> int:
    return hashed ^ (hashed >> 16)


def string_order(names: Iterable[str], capacity: int | None = None) -> list[str]:
    return hash_order(names, string_hash, capacity)


def log_line(level: str, message: str, logger: str) -> None:
    """A line as the tools' logging configuration writes it, to stderr."""
    import time

    now = time.time()
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
    sys.stdout.flush()
    sys.stderr.write(f"[{stamp},{int(now * 1000) % 1000:03d}] {level} {message} ({logger})\n")
    sys.stderr.flush()


class Thrown(Exception):
    """What a tool throws where no exception of ours has the same class and text."""

    def __init__(self, message: str, java_class: str, trace: str = "") -> None:
        super().__init__(message)
        self.java_class = java_class
        self.trace = trace
        """What its stack trace says besides, such as suppressed exceptions."""


def wrapped(error: BaseException, *classes: str) -> Thrown:
    """The error as the cause of others, the outermost last: each has its cause's first line for its message."""
    for name in classes:
        error = Thrown(java_text(error), name)
    assert isinstance(error, Thrown)
    return error


RUNTIME = "java.lang.RuntimeException"
EXECUTION = "java.util.concurrent.ExecutionException"


def java_name(error: BaseException) -> str:
    """The class by which Apache's tools would name this error."""
    given = getattr(error, "java_class", None)
    if isinstance(given, str):
        return given
    if isinstance(error, FileNotFoundError):
        return "java.nio.file.NoSuchFileException"
    if isinstance(error, ValueError):
        return "java.lang.IllegalArgumentException"
    return "java.lang.RuntimeException"


def java_message(error: BaseException) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return str(error.filename)
    return str(error)


def java_text(error: BaseException) -> str:
    """The first line of the error's stack trace; the rest of one would name lines of a program that isn't running."""
    return f"{java_name(error)}: {java_message(error)}"


def java_regex(pattern: str) -> str:
    """A Java regular expression as Python reads it. The two agree on what topic filters use; possessive quantifiers and classes by name are kept as they are."""
    return pattern.replace("\\p{Alpha}", "[A-Za-z]").replace("\\p{Digit}", "[0-9]").replace("\\p{Alnum}", "[A-Za-z0-9]").replace("\\z", "\\Z")
