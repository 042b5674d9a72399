"""The five codecs of a batch's records (0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd), both ways, with a bound on what comes out.

Owns Kafka's framing: xerial blocks around snappy, lz4 frames with independent blocks and no content checksum. Output is bounded before it is allocated:
for zstd, lz4 and snappy the compressed bytes themselves say how much they can become at most; gzip is inflated in steps.
Sources: RFC 1952, RFC 8878 (zstd frames and blocks), the LZ4 frame format 1.6, snappy-java's stream format. Codecs are imported when first used.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import TYPE_CHECKING

from barnabas.wire.types import DecodeError

if TYPE_CHECKING:
    Buffer = bytes | bytearray | memoryview

DEFAULT_MAX_BYTES = 128 << 20

GZIP_MEMBER = b"\x1f\x8b\x08"
XERIAL_MAGIC = b"\x82SNAPPY\x00"
XERIAL_HEADER = XERIAL_MAGIC + b"\x00\x00\x00\x01\x00\x00\x00\x01"
XERIAL_BLOCK_SIZE = 32 << 10
SNAPPY_MOST = 32  # no snappy element makes more than 64 bytes of 3
LZ4_MOST = 255
LZ4_MAGIC = 0x184D2204
ZSTD_MAGIC = 0xFD2FB528
ZSTD_BLOCK_MAX = 128 << 10

BIG_INT = Struct(">i")
LITTLE_INT = Struct("<I")


class Codec(IntEnum):
    """A batch's compression, as its attributes name it (bits 0-2)."""

    NONE = 0
    GZIP = 1
    SNAPPY = 2
    LZ4 = 3
    ZSTD = 4


# compression.<codec>.level where the topic doesn't say
DEFAULT_LEVELS = {Codec.NONE: 0, Codec.GZIP: -1, Codec.SNAPPY: 0, Codec.LZ4: 9, Codec.ZSTD: 3}


class DecompressionError(DecodeError):
    """The compressed bytes are broken, cut off, or in a variant that Kafka refuses."""


class TooLarge(DecodeError):
    """The records would come to more bytes than the caller allows."""


def compress(codec: int, data: Buffer, level: int | None = None) -> bytes:
    """`data` compressed as Kafka's own producers do. `level` counts as in compression.gzip.level, .lz4.level and .zstd.level; None is Kafka's default."""
    if codec == Codec.NONE:
        return bytes(data)
    if level is None:
        level = DEFAULT_LEVELS[Codec(codec)]
    if codec == Codec.GZIP:
        import zlib

        stream = zlib.compressobj(level, zlib.DEFLATED, 31)
        return stream.compress(data) + stream.flush()
    import cramjam

    if codec == Codec.SNAPPY:
        return _compress_xerial(cramjam.snappy.compress_raw, memoryview(data))
    if codec == Codec.LZ4:
        # Kafka's default, 9, stands for the fast compressor; any other level for the slow one, which knows 3 to 12.
        frame = cramjam.lz4.Compressor(level=0 if level == 9 else max(3, min(12, level)), content_checksum=False, block_linked=False)
        frame.compress(bytes(data))
        return bytes(frame.finish())
    return bytes(cramjam.zstd.compress(data, level))


def decompress(
    codec: int, data: Buffer, max_bytes: int = DEFAULT_MAX_BYTES, *, linked_blocks: bool = True, scratch: bytearray | None = None
) -> Buffer:
    """The records inside `data`. Raises DecompressionError, or TooLarge once they exceed `max_bytes`; neither allocates more than that.

    `linked_blocks=False` refuses lz4 frames whose blocks depend on one another, as Apache Kafka does on both sides.
    The answer may lie in `scratch`, where that is large enough: fresh memory costs more than decompressing into it.
    """
    view = memoryview(data)
    if codec == Codec.NONE:
        return view
    if codec == Codec.GZIP:
        return _gunzip(view, max_bytes)
    if codec == Codec.SNAPPY:
        return _decompress_snappy(view, max_bytes, scratch)
    if codec == Codec.LZ4:
        return _decompress_lz4(view, max_bytes, linked_blocks, scratch)
    if codec == Codec.ZSTD:
        return _decompress_zstd(view, max_bytes, scratch)
    raise DecompressionError(f"codec {codec} isn't known; 0 to 4 are")


def _gunzip(data: memoryview, max_bytes: int) -> bytes:
    import zlib

    parts: list[bytes] = []
    room = max_bytes
    rest: Buffer = data
    while True:
        member = zlib.decompressobj(31)
        try:
            part = member.decompress(rest, room + 1)
            while part:
                parts.append(part)
                room -= len(part)
                if room < 0:
                    raise TooLarge(f"gzip: more than {max_bytes} bytes")
                part = member.decompress(member.unconsumed_tail, room + 1)
        except zlib.error as error:
            raise DecompressionError(f"gzip: {error}") from None
        if not member.eof:
            raise DecompressionError("gzip: the stream is cut off")
        rest = member.unused_data
        if rest[:3] != GZIP_MEMBER:  # members may be joined; anything else behind the last one is ignored, as Java does
            break
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _compress_xerial(compress_raw, data: memoryview) -> bytes:  # type: ignore[no-untyped-def]
    parts = [XERIAL_HEADER]
    for start in range(0, len(data), XERIAL_BLOCK_SIZE):
        block = bytes(compress_raw(data[start : start + XERIAL_BLOCK_SIZE]))
        parts += (BIG_INT.pack(len(block)), block)
    return b"".join(parts)


def _decompress_snappy(data: memoryview, max_bytes: int, scratch: bytearray | None) -> Buffer:
    """Xerial blocks (what Java and most clients write) or one bare snappy block (what older librdkafka wrote)."""
    if not data:
        raise DecompressionError("snappy: nothing there")
    blocks = _xerial_blocks(data) if data[:8] == XERIAL_MAGIC and len(data) >= 16 else [data]
    import cramjam

    sizes = []
    for block in blocks:
        try:
            size = cramjam.snappy.decompress_raw_len(block)
        except cramjam.DecompressionError as error:
            raise DecompressionError(f"snappy: {error}") from None
        if size > SNAPPY_MOST * len(block) or (size == 0 and len(block) > 1):
            raise DecompressionError(f"snappy: a block of {len(block)} bytes claims {size}")
        sizes.append(size)
    if sum(sizes) > max_bytes:
        raise TooLarge(f"snappy: more than {max_bytes} bytes")
    room = _room(sum(sizes), scratch)
    position = 0
    for block, size in zip(blocks, sizes, strict=True):
        try:
            made = cramjam.snappy.decompress_raw_into(block, room[position : position + size]) if size else 0
        except cramjam.DecompressionError as error:
            raise DecompressionError(f"snappy: {error}") from None
        if made != size:
            raise DecompressionError("snappy: a block is shorter than it says")
        position += size
    return room


def _xerial_blocks(data: memoryview) -> list[memoryview]:
    blocks = []
    position = len(XERIAL_HEADER)
    while len(data) - position >= 4:
        if data[position : position + 8] == XERIAL_MAGIC:  # streams may be joined end to end
            position += len(XERIAL_HEADER)
            continue
        (size,) = BIG_INT.unpack_from(data, position)
        position += 4
        if size < 0 or size > len(data) - position:
            raise DecompressionError(f"snappy: a block of {size} bytes where {len(data) - position} are left")
        blocks.append(data[position : position + size])
        position += size
    return blocks


def _decompress_lz4(data: memoryview, max_bytes: int, linked_blocks: bool, scratch: bytearray | None) -> Buffer:
    """One lz4 frame; what follows its end mark is ignored, as Apache Kafka does."""
    end, most = _measure_lz4(data, linked_blocks)
    return _decompress_into("lz4", data[:end], most, max_bytes, scratch)


def _measure_lz4(data: memoryview, linked_blocks: bool) -> tuple[int, int]:
    """(where the frame ends, the most bytes that it can become)."""
    if len(data) < 7 or LITTLE_INT.unpack_from(data)[0] != LZ4_MAGIC:
        raise DecompressionError("lz4: no frame")
    flags, descriptor = data[4], data[5]
    if flags >> 6 != 1 or flags & 3 or descriptor & 0x8F or descriptor >> 4 < 4:
        raise DecompressionError("lz4: a frame of another version or with a dictionary")
    if not flags & 0x20 and not linked_blocks:
        raise DecompressionError("lz4: linked blocks aren't allowed")
    block_most = 1 << (8 + 2 * (descriptor >> 4))
    position = 7 + (8 if flags & 8 else 0)
    most = 0
    while True:
        if len(data) - position < 4:
            raise DecompressionError("lz4: the frame is cut off")
        word = LITTLE_INT.unpack_from(data, position)[0]
        position += 4
        if word == 0:
            return position + (4 if flags & 4 else 0), most
        size = word & 0x7FFFFFFF
        if size > block_most or size > len(data) - position:
            raise DecompressionError(f"lz4: a block of {size} bytes where at most {min(block_most, len(data) - position)} can be")
        most += size if word >> 31 else min(block_most, LZ4_MOST * size)
        position += size + (4 if flags & 0x10 else 0)


def _decompress_zstd(data: memoryview, max_bytes: int, scratch: bytearray | None) -> Buffer:
    if not data:
        return b""
    most = _measure_zstd(data, max_bytes)
    return _decompress_into("zstd", data, most, max_bytes, scratch)


def _measure_zstd(data: memoryview, max_bytes: int) -> int:
    """The most bytes that the frames can become, from their block headers alone; the walk ends once that exceeds `max_bytes`."""
    position = most = 0
    while len(data) - position >= 8 and most <= max_bytes:
        magic, size = LITTLE_INT.unpack_from(data, position)[0], LITTLE_INT.unpack_from(data, position + 4)[0]
        if magic & 0xFFFFFFF0 == 0x184D2A50:  # a skippable frame
            position += 8 + size
            continue
        if magic != ZSTD_MAGIC:
            break
        descriptor = data[position + 4]
        single = descriptor >> 5 & 1
        position += 5 + (1 - single) + (0, 1, 2, 4)[descriptor & 3] + (single, 2, 4, 8)[descriptor >> 6]
        last = 0
        while not last and len(data) - position >= 3 and most <= max_bytes:
            block = data[position] | data[position + 1] << 8 | data[position + 2] << 16
            last, kind, size = block & 1, block >> 1 & 3, block >> 3
            position += 3 + (1 if kind == 1 else size)
            most += ZSTD_BLOCK_MAX if kind == 2 else size
        position += 4 if descriptor & 4 else 0
    return most


def _decompress_into(name: str, data: memoryview, most: int, max_bytes: int, scratch: bytearray | None) -> Buffer:
    import cramjam

    out = _room(min(most, max_bytes), scratch)
    try:
        made = getattr(cramjam, name).decompress_into(data, out)
    except cramjam.DecompressionError as error:
        if most > max_bytes and "write" in str(error):
            raise TooLarge(f"{name}: more than {max_bytes} bytes") from None
        raise DecompressionError(f"{name}: {error}") from None
    return out[:made]


def _room(size: int, scratch: bytearray | None) -> memoryview:
    return memoryview(bytearray(size) if scratch is None or size > len(scratch) else scratch)[:size]
