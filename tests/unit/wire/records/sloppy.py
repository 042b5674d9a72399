"""Makes batches as no decent client would: each place may lie, with a probability that the caller names. For property and differential tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.wire.records.batch import ATTRIBUTES_POSITION, CRC, CRC_POSITION, HEADER, HEADER_SIZE
from barnabas.wire.records.compression import Codec, compress
from barnabas.wire.records.native import crc32c

if TYPE_CHECKING:
    from random import Random

NOW_MS = 1_700_000_000_000
MOST = (1 << 63) - 1
EXTREMES = (0, 1, -1, -2, 5_000_000_000, -5_000_000_000, MOST, -MOST - 1, 1 << 31, -(1 << 31))


class Sloppy:
    """A source of batches. `lies` is the chance, at each place, of something wrong or odd there; 0 makes valid batches only."""

    def __init__(self, random: Random, lies: float = 0.0) -> None:
        self.random = random
        self.lies = lies

    def lie(self, truth: int, *others: int) -> int:
        return self.random.choice(others) if self.random.random() < self.lies else truth

    def number(self, value: int, bits: int = 32) -> bytes:
        """A zigzag varint, now and then longer than it must be, or without end."""
        raw = (value << 1 if value >= 0 else ~(value << 1)) & (1 << bits) - 1
        out = bytearray()
        while raw > 0x7F:
            out.append(raw & 0x7F | 0x80)
            raw >>= 7
        out.append(raw)
        if self.random.random() < self.lies / 4:
            out[-1] |= 0x80
            out += self.random.choice((b"\x00", b"\x80\x00", b"\x7f", b"\x80\x80\x80\x7f", b"\xff" * 10))
        return bytes(out)

    def blob(self) -> bytes | None:
        size = self.random.choice((None, 0, 1, 3, 20, 63, 64, 65, 200))
        return None if size is None else self.random.randbytes(size)

    def sized(self, content: bytes | None) -> bytes:
        size = -1 if content is None else len(content)
        return self.number(self.lie(size, size + 1, size - 1, -1, -7, 1 << 30)) + (content or b"")

    def headers(self) -> bytes:
        count = self.random.choice((0, 0, 0, 1, 3))
        parts = [self.number(self.lie(count, count + 1, count - 1, -1, 1 << 20))]
        for _ in range(count):
            key = self.random.choice((b"", b"trace", "größe".encode()))
            parts.append(self.sized(b"\xff\xfe" if self.random.random() < self.lies else key))
            parts.append(self.sized(self.blob()))
        return b"".join(parts)

    def record(self, index: int, delta: int) -> bytes:
        parts = [bytes((self.lie(0, 1, 0x80, 0xFF),)), self.number(self.lie(delta, *EXTREMES), 64), self.number(self.lie(index, index + 1, 0, -1))]
        parts += [self.sized(b"key" if self.random.random() > self.lies else self.blob()), self.sized(self.blob()), self.headers()]
        body = b"".join(parts)
        size = len(body)
        return self.number(self.lie(size, size + 1, size - 1, 0, -1, 1 << 29)) + body

    def records(self, count: int) -> tuple[bytes, int]:
        """(records, the greatest timestamp delta where nothing lies)."""
        deltas = [0] + [self.random.randrange(-1000, 1000) for _ in range(count - 1)]
        body = b"".join(self.record(i, delta) for i, delta in enumerate(deltas))
        if self.random.random() < self.lies / 4:
            body += self.random.choice((b"\x00", body))
        return body, max(deltas, default=0)

    def batch(self, codec: int = Codec.NONE) -> bytes:
        """One batch; its CRC is true but for a few."""
        count = self.random.choice((1, 1, 2, 3, 17))
        body, greatest = self.records(count)
        packed = bytearray(compress(codec, body))
        if packed and codec and self.random.random() < self.lies / 4:
            packed[self.random.randrange(len(packed))] ^= 1 << self.random.randrange(8)
        if packed and codec and self.random.random() < self.lies / 4:
            del packed[self.random.randrange(len(packed)) :]
        base_timestamp = self.lie(NOW_MS, *EXTREMES, NOW_MS + 3_600_001, NOW_MS - 3_600_001)
        max_timestamp = self.lie((base_timestamp + greatest + (1 << 63)) % (1 << 64) - (1 << 63), *EXTREMES)
        attributes = self.lie(codec, codec | 8, codec | 32, codec | 64, codec | 128, codec | 0x100, codec | -0x8000, 5, 7)
        producer_id = self.random.choice((-1, self.random.getrandbits(62)))
        sequence = -1 if producer_id < 0 else self.lie(0, 5, MOST >> 32, -1, -2)
        epoch = -1 if producer_id < 0 else self.lie(3, -1)
        if producer_id >= 0 and self.random.random() < 0.3:
            attributes |= 16
        count = self.lie(count, 0, count - 1, count + 1, -1)
        delta = self.lie(count - 1, count, count - 2, -1)
        length = self.lie(49 + len(packed), 48 + len(packed), 50 + len(packed))
        magic = self.lie(2, 1, 0, 3, -1)
        times = (base_timestamp, max_timestamp)
        header = HEADER.pack(self.lie(0, 0, 1, -1), length, -1, magic, 0, attributes, delta, *times, producer_id, epoch, sequence, count)
        batch = bytearray(header + packed)
        crc = crc32c(memoryview(batch)[ATTRIBUTES_POSITION:])
        CRC.pack_into(batch, CRC_POSITION, self.lie(crc, crc ^ 1))
        if self.random.random() < self.lies / 4:
            batch += self.random.choice(
                (b"\x00", bytes(12), bytes(17), bytes(batch), bytes(batch[:-1]), b"\x00" * 8 + b"\x00\x00\x00\x40" + bytes(40))
            )
        if self.random.random() < self.lies / 8:
            del batch[self.random.choice((0, 5, 12, 17, 26, 27, 40, HEADER_SIZE)) :]
        return bytes(batch)
