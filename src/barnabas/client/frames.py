"""Frames out of a socket, and bytes in: a big reply is received into memory of its own size, where it stays, and is copied by nobody.

Owns the cut into frames and the wait for room to send. Doesn't know what a frame says (`connection`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from barnabas.wire.types import DecodeError

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_FRAME_BYTES = 512 * 1024 * 1024
SMALL_BYTES = 64 * 1024
"""What is received at once while no bigger frame is under way."""
SIZE_BYTES = 4


class Frames(asyncio.BufferedProtocol):
    """`accept` gets each frame without its size; `ended` hears once, with the error or None, that no more will come. Set both before the loop goes on."""

    def __init__(self) -> None:
        self.accept: Callable[[bytes | memoryview], object] = _nobody
        self.ended: Callable[[BaseException | None], object] = _nobody
        self._small = memoryview(bytearray(SMALL_BYTES))
        self._large: memoryview | None = None
        """The frame under way that doesn't fit the small buffer."""
        self._have = 0
        """Bytes in the buffer that is being filled."""
        self._transport: asyncio.Transport | None = None
        self._room = asyncio.Event()
        self._room.set()

    def write(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)

    async def drain(self) -> None:
        """Waits until the socket has taken most of what was written."""
        await self._room.wait()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    # What the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self._room.set()
        self.ended(error)

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def get_buffer(self, sizehint: int) -> memoryview:
        return (self._small if self._large is None else self._large)[self._have :]

    def buffer_updated(self, nbytes: int) -> None:
        self._have += nbytes
        try:
            if self._large is None:
                self._cut()
            elif self._have == len(self._large):
                frame, self._large, self._have = self._large, None, 0
                self.accept(frame)
        except DecodeError as error:
            self.ended(error)
            self.close()

    def _cut(self) -> None:
        """Hands on what is whole in the small buffer. Raises DecodeError."""
        small, have, at = self._small, self._have, 0
        while have - at >= SIZE_BYTES:
            size = int.from_bytes(small[at : at + SIZE_BYTES], "big", signed=True)
            if not 4 <= size <= MAX_FRAME_BYTES:
                raise DecodeError(f"a reply of {size} bytes is announced; is this a Kafka listener without TLS?")
            start, end = at + SIZE_BYTES, at + SIZE_BYTES + size
            if end > have:
                if SIZE_BYTES + size > SMALL_BYTES:
                    self._large = memoryview(bytearray(size))
                    self._have = have - start
                    self._large[: self._have] = small[start:have]
                    return
                break
            self.accept(bytes(small[start:end]))
            at = end
        self._have = have - at
        if at:
            small[: self._have] = bytes(small[at:have])


def _nobody(_: object) -> None:
    """Before a connection owns its frames."""
