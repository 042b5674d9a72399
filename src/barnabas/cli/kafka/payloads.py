"""The records of a load, encoded before they are needed: random letters, lines of a file, or a number that rises.

Owns the bytes behind a batch's header. A prepared body is cut where its records end, so one serves every size of batch. When they leave is `load_source`'s.
"""

from __future__ import annotations

import random
import re
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from barnabas.wire.records.batch import HEADER_SIZE
from barnabas.wire.records.compression import compress
from barnabas.wire.records.record import encode_record, varint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

POOL_BYTES = 4 * 1024 * 1024
POOL_BODIES = 16
POOL_RECORDS = 60_000
MOST_RECORDS = 100_000
"""In one batch."""
LETTERS = bytes(65 + number % 26 for number in range(256))
RECORD_OVERHEAD_BOUND = 61 + 21 + 2
"""What Kafka's producer adds to a record's size before it compares it with max.request.size: a batch's header, a record's frame, no key, no headers."""


class Body(NamedTuple):
    """Records as they go to disk, cut anywhere: `ends[n - 1]` is where the n-th ends, `sums[n - 1]` the payload bytes up to there."""

    data: bytes
    ends: Sequence[int]
    sums: Sequence[int]
    packed: bytes
    """All of them, compressed."""


class Cut(NamedTuple):
    body: bytes | memoryview
    record_count: int
    payload_bytes: int


class Pool:
    """Bodies made once, used in turn."""

    def __init__(self, values: Callable[[], bytes], batch_size: int, codec: int) -> None:
        self.codec = codec
        self._bodies: list[Body] = []
        self._turn = 0
        made, records = 0, 0
        capacity = float(batch_size)
        while not self._bodies or (made < POOL_BYTES and len(self._bodies) < POOL_BODIES and records < POOL_RECORDS):
            body = _body(values, int(capacity), codec)
            if codec and not self._bodies:
                # A batch holds what fits compressed: the first one says how much that is.
                capacity = max(capacity, capacity * len(body.data) / max(1, len(body.packed)) / 1.05)
                body = _body(values, int(capacity), codec)
            self._bodies.append(body)
            made += len(body.data)
            records += len(body.ends)

    def room(self) -> int:
        """Records of the next whole batch."""
        return len(self._bodies[self._turn].ends)

    def cut(self, first: int, count: int) -> Cut:
        """A batch of at most `count` records; which number the first has is of no account here."""
        body = self._bodies[self._turn]
        self._turn = (self._turn + 1) % len(self._bodies)
        count = min(count, len(body.ends))
        if count == len(body.ends):
            return Cut(body.packed, count, body.sums[-1])
        part = memoryview(body.data)[: body.ends[count - 1]]
        return Cut(compress(self.codec, bytes(part)) if self.codec else part, count, body.sums[count - 1])


def _body(values: Callable[[], bytes], batch_size: int, codec: int) -> Body:
    parts: list[bytes] = []
    sizes: list[int] = []
    left = batch_size - HEADER_SIZE
    while len(parts) < MOST_RECORDS:
        value = values()
        record = encode_record(len(parts), 0, None, value)
        if parts and len(record) > left:
            break
        left -= len(record)
        parts.append(record)
        sizes.append(len(value))
    data = b"".join(parts)
    return Body(data, list(accumulate(map(len, parts))), list(accumulate(sizes)), compress(codec, data) if codec else data)


class Rising:
    """The value of each record is its number. Made when it is needed, a batch in one go."""

    def __init__(self, batch_size: int, codec: int) -> None:
        self.codec = codec
        self._batch_size = batch_size
        self._heads: dict[int, list[bytes]] = {}
        self._digits = 1

    def room(self) -> int:
        return max(1, (self._batch_size - HEADER_SIZE) // (self._digits + 10))

    def cut(self, first: int, count: int) -> Cut:
        self._digits = digits = len(str(first))
        count = min(count, self.room(), 10**digits - first)
        heads = self._heads.get(digits)
        if heads is None or len(heads) < count:
            heads = self._heads[digits] = [_head(delta, digits) for delta in range(self.room())]
        data = b"\0".join([head + b"%d" % number for head, number in zip(heads, range(first, first + count), strict=False)]) + b"\0"
        return Cut(compress(self.codec, data) if self.codec else data, count, digits * count)


def _head(delta: int, digits: int) -> bytes:
    """A record up to its value; behind it comes the count of headers, none."""
    inner = b"\0\0" + varint(delta) + b"\x01" + varint(digits)
    return varint(len(inner) + digits + 1) + inner


Payloads = Pool | Rising


def letters(size: int, batch_size: int, codec: int) -> Pool:
    chance = random.Random(0)
    return Pool(lambda: chance.randbytes(size).translate(LETTERS), batch_size, codec)


def of_lines(lines: Sequence[bytes], batch_size: int, codec: int) -> Pool:
    chance = random.Random(0)
    return Pool(lambda: chance.choice(lines), batch_size, codec)


def rising(batch_size: int, codec: int) -> Rising:
    return Rising(batch_size, codec)


def split(text: str, delimiter: str) -> list[bytes]:
    """The texts between matches of the delimiter, as Java's Scanner finds them: none before a first or behind a last one."""
    parts = re.split(delimiter, text)
    if parts and not parts[0]:
        parts = parts[1:]
    if parts and not parts[-1]:
        parts = parts[:-1]
    return [part.encode() for part in parts]
