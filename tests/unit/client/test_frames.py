"""Frames out of whatever pieces a socket brings."""

from __future__ import annotations

import struct
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barnabas.client.frames import SMALL_BYTES, Frames

SIZES = [4, 5, 100, SMALL_BYTES - 5, SMALL_BYTES - 4, SMALL_BYTES - 3, SMALL_BYTES, 3 * SMALL_BYTES]


def _receive(frames: Frames, data: bytes, pieces: Random) -> None:
    """As a loop does: it fills as much of the buffer as there is."""
    at = 0
    while at < len(data):
        buffer = frames.get_buffer(-1)
        assert len(buffer) > 0
        count = min(len(buffer), len(data) - at, pieces.choice((1, 3, 1000, 1 << 20)) if pieces.random() < 0.1 else 1 << 20)
        buffer[:count] = data[at : at + count]
        frames.buffer_updated(count)
        at += count


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(SIZES), max_size=8), st.integers(0, 2**32).map(Random))
def test_frames_whole_and_in_order(sizes: list[int], random: Random) -> None:
    sent = [random.randbytes(size) for size in sizes]
    frames, found = Frames(), list[bytes]()
    frames.accept = lambda frame: found.append(bytes(frame))
    _receive(frames, b"".join(struct.pack(">i", len(frame)) + frame for frame in sent), random)
    assert found == sent


@pytest.mark.parametrize("size", [0, 3, -1, 0x48545450])
def test_a_size_that_cannot_be(size: int) -> None:
    frames, ends = Frames(), list[object]()
    frames.ended = ends.append
    _receive(frames, struct.pack(">i", size) + b"/1.1 400 Bad Request", Random(0))
    assert "is announced" in str(ends[0])
