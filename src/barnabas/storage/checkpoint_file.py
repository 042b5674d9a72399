"""Kafka's text checkpoints: version, count, one entry a line (D77, D78).

Owns the text format, and the two kinds of entries that Kafka keeps in it: offsets by partition (recovery-point-, replication-, log-start-
and cleaner-offset-checkpoint) and leader epochs (leader-epoch-checkpoint). Doesn't decide what to do about junk: the reader
raises, its caller rebuilds (O13).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .atomic_file import read_file, replace_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

RECOVERY_POINT = "recovery-point-offset-checkpoint"
REPLICATION_OFFSET = "replication-offset-checkpoint"
LOG_START_OFFSET = "log-start-offset-checkpoint"
CLEANER_OFFSET = "cleaner-offset-checkpoint"
LEADER_EPOCH = "leader-epoch-checkpoint"

VERSION = 0
MAX_BYTES = 64 * 1024 * 1024

TopicPartition = tuple[str, int]


class CheckpointError(ValueError):
    """A checkpoint that Apache Kafka couldn't read either; the message names the file, the line and the way out."""

    def __init__(self, path: str, line: int, problem: str) -> None:
        super().__init__(f"{path}:{line}: {problem}. Kafka can rebuild this file: move it away and start again.")
        self.path = path


def parse_integer(text: str, bits: int) -> int:
    """What Java's parseInt and parseLong take: an optional sign and digits, in range. Raises ValueError."""
    digits = text[1:] if text[:1] in ("+", "-") else text
    if not digits.isdecimal() or len(digits) > 40:
        raise ValueError(f"{text!r} is not a number")
    number = int(text)
    if not -(1 << (bits - 1)) <= number < 1 << (bits - 1):
        raise ValueError(f"{text} does not fit {bits} bits")
    return number


def read_entries(path: str, fields: int) -> list[list[str]]:
    """The entries of a checkpoint, each split in exactly `fields` words. An empty or missing file has none. Raises CheckpointError, OSError."""
    try:
        data = read_file(path, MAX_BYTES)
    except FileNotFoundError:
        return []
    try:
        lines = data.decode().replace("\r\n", "\n").replace("\r", "\n").split("\n")
    except UnicodeDecodeError as error:
        raise CheckpointError(path, data.count(b"\n", 0, error.start) + 1, "not UTF-8 text") from None
    if lines[-1] == "":
        lines.pop()  # the newline that ends the last line
    version = _header(path, lines, 0, "version")
    if version not in (None, VERSION):
        raise CheckpointError(path, 1, f"version {version} is unknown, {VERSION} was expected")
    count = _header(path, lines, 1, "number of entries")
    if version is None or count is None:
        return []
    entries = [line.split() for line in lines[2:]]
    for number, entry in enumerate(entries, 3):
        if len(entry) != fields:
            raise CheckpointError(path, number, f"{fields} words were expected, {len(entry)} found")
    if len(entries) != count:
        raise CheckpointError(path, 2, f"{count} entries are announced, {len(entries)} follow")
    return entries


def _header(path: str, lines: list[str], index: int, name: str) -> int | None:
    if index >= len(lines):
        return None
    try:
        return parse_integer(lines[index], 32)
    except ValueError as error:
        raise CheckpointError(path, index + 1, f"the {name} is not readable, {error}") from None


def write_entries(path: str, entries: Iterable[str], *, sync: bool = True) -> None:
    """Replace a checkpoint by these lines, atomically. Raises OSError."""
    lines = list(entries)
    replace_file(path, "".join(f"{line}\n" for line in (str(VERSION), str(len(lines)), *lines)).encode(), sync=sync)


def create_checkpoint(path: str) -> None:
    """Make an empty checkpoint where none is, as Kafka does at start."""
    with open(path, "ab", buffering=0):
        pass


def read_offsets(path: str) -> dict[TopicPartition, int]:
    """Offsets by (topic, partition). Raises CheckpointError, OSError."""
    offsets = {}
    for number, (topic, partition, offset) in enumerate(read_entries(path, 3), 3):
        try:
            offsets[topic, parse_integer(partition, 32)] = parse_integer(offset, 64)
        except ValueError as error:
            raise CheckpointError(path, number, str(error)) from None
    return offsets


def write_offsets(path: str, offsets: Mapping[TopicPartition, int], *, sync: bool = True) -> None:
    """Replace an offset checkpoint. Raises OSError."""
    write_entries(path, [f"{topic} {partition} {offset}" for (topic, partition), offset in offsets.items()], sync=sync)


def read_leader_epochs(path: str) -> list[tuple[int, int]]:
    """(epoch, start offset) in the file's order; whether they rise is the caller's to judge. Raises CheckpointError, OSError."""
    epochs = []
    for number, (epoch, start_offset) in enumerate(read_entries(path, 2), 3):
        try:
            epochs.append((parse_integer(epoch, 32), parse_integer(start_offset, 64)))
        except ValueError as error:
            raise CheckpointError(path, number, str(error)) from None
    return epochs


def write_leader_epochs(path: str, epochs: Iterable[tuple[int, int]], *, sync: bool = True) -> None:
    """Replace a leader epoch checkpoint by (epoch, start offset). Raises OSError."""
    write_entries(path, [f"{epoch} {start_offset}" for epoch, start_offset in epochs], sync=sync)
