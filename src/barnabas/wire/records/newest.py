"""Which record of a key is the newest: a table of keys in a fixed piece of memory, and the judgement that compaction makes of a batch's records by it.

The pure Python twin of `_native.c`, and its definition. The table is a buffer of slots of 24 bytes: the key's MD5, by which Apache Kafka tells keys
apart too (D118), and the key's newest offset, big-endian; an empty slot has no MD5. A key stands in the first free slot from its place on. Which segments are
read, and what is done with the answer, is `storage.compaction`'s.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from barnabas.wire.records.record import iterate_records
from barnabas.wire.types import DecodeError

if TYPE_CHECKING:
    from barnabas.wire.records.record import Record

    Buffer = bytes | bytearray | memoryview
    Table = bytearray | memoryview

SLOT = 24
_HASH = 16
_EMPTY = bytes(_HASH)
_OFFSET = Struct(">q")


def _slot_of(table: Table, key: bytes) -> tuple[int, bytes, bool]:
    """(where its slot begins, its MD5, whether it is taken by that key already); -1 where a full table doesn't have it."""
    from hashlib import md5  # with OpenSSL, 3 MB, which the native part does without

    digest = md5(key, usedforsecurity=False).digest()
    count = len(table) // SLOT
    slot = int.from_bytes(digest[:8], "big") % count
    for _ in range(count):
        at = slot * SLOT
        there = bytes(table[at : at + _HASH])
        if there == digest:
            return at, digest, True
        if there == _EMPTY:
            return at, digest, False
        slot += 1
        if slot == count:
            slot = 0
    return -1, digest, False


def _records(data: Buffer, count: int, base_offset: int) -> list[Record] | None:
    try:
        return list(iterate_records(data, count, base_offset, 0))
    except DecodeError:
        return None


def note_keys(data: Buffer, count: int, base_offset: int, from_offset: int, table: Table, room: int, /) -> tuple[int, int, bool] | None:
    """Note the keys of uncompressed records at `from_offset` or behind: (keys that were new, the last offset noted or -1, whether all were noted).

    Once there is `room` for no further key nothing more is noted, not even of a key that the table has. None where the bytes are wrong.
    """
    records = _records(data, count, base_offset)
    if records is None:
        return None
    added, noted = 0, -1
    for record in records:
        if record.key is None or record.offset < from_offset:
            continue
        if added >= room:
            return added, noted, False
        at, digest, is_known = _slot_of(table, record.key)
        if at < 0:
            return added, noted, False
        if not is_known:
            table[at : at + _HASH] = digest
            added += 1
        _OFFSET.pack_into(table, at + _HASH, record.offset)
        noted = record.offset
    return added, noted, True


def judge(data: Buffer, count: int, base_offset: int, table: Table, latest_offset: int, drops_tombstones: bool, /) -> tuple[int, int, bytes] | None:
    """What stays of uncompressed records: (how many, how many of those have no value, a byte for each record: 1 if it stays). None where the bytes are wrong.

    A record stays if it lies behind `latest_offset`, up to which the table knows, or if it has a key, none newer is known, and it has a value, unless
    tombstones may stay too.
    """
    records = _records(data, count, base_offset)
    if records is None:
        return None
    verdicts = bytearray(len(records))
    tombstones = 0
    for number, record in enumerate(records):
        if record.offset <= latest_offset:
            if record.key is None or (record.value is None and drops_tombstones):
                continue
            at, _, is_known = _slot_of(table, record.key)
            if is_known and _OFFSET.unpack_from(table, at + _HASH)[0] > record.offset:
                continue
        verdicts[number] = 1
        tombstones += record.value is None
    return sum(verdicts), tombstones, bytes(verdicts)
