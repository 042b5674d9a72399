"""Names inside a partition directory: 20 digits of an offset, then what the file is (D8, D51, D106). No I/O."""

from __future__ import annotations

LOG = ".log"
INDEX = ".index"
TIME_INDEX = ".timeindex"
TRANSACTION_INDEX = ".txnindex"
PRODUCER_SNAPSHOT = ".snapshot"
INDEX_SUFFIXES = (INDEX, TIME_INDEX, TRANSACTION_INDEX)

DELETED = ".deleted"
CLEANED = ".cleaned"
SWAP = ".swap"
KRAFT_SNAPSHOT_DELETED = ".checkpoint.deleted"

PARTITION_METADATA = "partition.metadata"

OFFSET_DIGITS = 20


def offset_name(offset: int, suffix: str) -> str:
    """`00000000000000000042.log` of 42."""
    return f"{offset:020d}{suffix}"


def offset_of(name: str) -> int:
    """The offset that a file name starts with, -1 when it doesn't."""
    digits = name.partition(".")[0]
    return int(digits) if len(digits) == OFFSET_DIGITS and digits.isascii() and digits.isdigit() else -1
