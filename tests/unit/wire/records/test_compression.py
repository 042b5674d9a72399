"""Codecs: both ways, in every variant that clients write, and never more than the bound."""

from __future__ import annotations

import gzip
import random

import cramjam
import pytest

from barnabas.wire.records.compression import XERIAL_HEADER, Codec, DecompressionError, TooLarge, compress, decompress

DATA = random.Random(1).randbytes(40_000) + b"records " * 20_000
CODECS = [Codec.GZIP, Codec.SNAPPY, Codec.LZ4, Codec.ZSTD]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("data", [b"", b"x", DATA])
def test_round_trip(codec: Codec, data: bytes) -> None:
    assert bytes(decompress(codec, compress(codec, data))) == data


@pytest.mark.parametrize("codec, levels", [(Codec.GZIP, (-1, 1, 9)), (Codec.LZ4, (1, 9, 17)), (Codec.ZSTD, (-131072, 1, 3, 22))])
def test_levels(codec: Codec, levels: tuple[int, ...]) -> None:
    assert {bytes(decompress(codec, compress(codec, DATA, level))) for level in levels} == {DATA}
    fastest, best = (9, 17) if codec == Codec.LZ4 else (min(levels), max(levels)) if codec == Codec.ZSTD else (1, 9)
    assert len(compress(codec, DATA, best)) < len(compress(codec, DATA, fastest))


@pytest.mark.parametrize("codec", CODECS)
def test_bound(codec: Codec) -> None:
    packed = compress(codec, DATA)
    assert bytes(decompress(codec, packed, len(DATA))) == DATA
    with pytest.raises(TooLarge):
        decompress(codec, packed, len(DATA) - 1)


@pytest.mark.parametrize("codec", CODECS)
def test_bomb(codec: Codec) -> None:
    bomb = compress(codec, bytes(64 << 20))
    with pytest.raises(TooLarge):
        decompress(codec, bomb, 1 << 20)


def test_a_claim_is_not_believed() -> None:
    with pytest.raises(DecompressionError):
        decompress(Codec.SNAPPY, b"\xff\xff\xff\xff\x0f" + bytes(10))  # a bare snappy block that says 4 GB
    with pytest.raises(DecompressionError):  # a zstd frame that says 1 TB and has no block
        decompress(Codec.ZSTD, b"\x28\xb5\x2f\xfd\xe0" + (1 << 40).to_bytes(8, "little"))


@pytest.mark.parametrize("codec", CODECS)
def test_cut_off_or_broken(codec: Codec) -> None:
    packed = compress(codec, DATA)
    for broken in (packed[:-1], packed[: len(packed) // 2], b"\xff" * 40, packed[:20] + b"\x55" * 20 + packed[40:]):
        with pytest.raises(DecompressionError):
            out = decompress(codec, broken)
            if bytes(out) != DATA:  # snappy and lz4 without checksums may only garble
                raise DecompressionError


def test_snappy_variants() -> None:
    bare = bytes(cramjam.snappy.compress_raw(DATA))
    assert bytes(decompress(Codec.SNAPPY, bare)) == DATA
    one_block = XERIAL_HEADER + len(bare).to_bytes(4, "big") + bare
    assert bytes(decompress(Codec.SNAPPY, one_block)) == DATA
    assert bytes(decompress(Codec.SNAPPY, one_block + one_block)) == DATA * 2  # joined streams
    assert compress(Codec.SNAPPY, DATA).startswith(XERIAL_HEADER)


def test_lz4_variants() -> None:
    own = compress(Codec.LZ4, DATA)
    assert own[4] & ~0x18 == 0x60  # version 1, independent blocks, no content checksum, no dictionary
    assert bytes(decompress(Codec.LZ4, own + b"behind the end mark")) == DATA
    linked = bytes(cramjam.lz4.compress(DATA))
    assert bytes(decompress(Codec.LZ4, linked)) == DATA
    with pytest.raises(DecompressionError):
        decompress(Codec.LZ4, linked, linked_blocks=False)


def test_gzip_members_may_be_joined() -> None:
    assert bytes(decompress(Codec.GZIP, gzip.compress(b"a") + gzip.compress(b"b"))) == b"ab"
    assert bytes(decompress(Codec.GZIP, gzip.compress(b"a") + b"behind")) == b"a"


def test_zstd_frames_may_be_joined() -> None:
    frame = compress(Codec.ZSTD, b"ab" * 300)
    skippable = b"\x50\x2a\x4d\x18" + (3).to_bytes(4, "little") + b"abc"
    assert bytes(decompress(Codec.ZSTD, frame + skippable + frame)) == b"ab" * 600


def test_unknown_codec() -> None:
    with pytest.raises(DecompressionError):
        decompress(5, b"")
