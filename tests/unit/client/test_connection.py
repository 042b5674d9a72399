"""A connection against a peer that is nothing but bytes: versions, pipelining, ends."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from typing import TYPE_CHECKING

import pytest

from barnabas.client.connection import Connection
from barnabas.client.errors import ConnectionLost, KafkaError, TimedOut
from barnabas.wire.errors import Error
from barnabas.wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from barnabas.wire.messages.header import RequestHeader, ResponseHeader
from barnabas.wire.messages.metadata import MetadataRequest, MetadataResponse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Answer = Callable[[RequestHeader, bytes], list[bytes] | None]

ApiVersion = ApiVersionsResponse.ApiVersion
TABLE = [ApiVersion(api_key=18, min_version=0, max_version=4), ApiVersion(api_key=3, min_version=0, max_version=9)]


def frame(body: bytes) -> bytes:
    return struct.pack(">i", len(body)) + body


def reply(correlation_id: int, body: bytes, *, flexible: bool = False) -> bytes:
    return frame(ResponseHeader(correlation_id=correlation_id).encode(1 if flexible else 0) + body)


def versions(header: RequestHeader) -> list[bytes]:
    """As a node that knows ApiVersions up to 4."""
    return [reply(header.correlation_id, ApiVersionsResponse(error_code=0, api_keys=TABLE).encode(header.request_api_version))]


def against(answer: Answer, talk: Callable[[str, int], Awaitable[None]]) -> None:
    """Runs `talk` against a server that sends what `answer` returns; None hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                size = int.from_bytes(await reader.readexactly(4), "big")
                data = await reader.readexactly(size)
                flexible = int.from_bytes(data[:2], "big") == 18 and int.from_bytes(data[2:4], "big") >= 3
                flexible |= int.from_bytes(data[:2], "big") == 3 and int.from_bytes(data[2:4], "big") >= 9
                header, position = RequestHeader.decode_from(data, 2 if flexible else 1)
                replies = answer(header, data[position:])
                if replies is None:
                    break
                for each in replies:
                    writer.write(each)
        except EOFError:
            pass
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async def run() -> None:
        serving: set[asyncio.Task[None]] = set()

        async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            serving.add(asyncio.current_task())  # type: ignore[arg-type]
            await serve(reader, writer)

        async with await asyncio.start_server(keep, "127.0.0.1", 0) as server:
            await talk("127.0.0.1", server.sockets[0].getsockname()[1])
        await asyncio.wait_for(asyncio.gather(*serving), 5)

    asyncio.run(run())


def test_an_old_node_is_asked_again_in_the_version_it_offers() -> None:
    asked = []

    def answer(header: RequestHeader, body: bytes) -> list[bytes]:
        asked.append(header.request_api_version)
        if header.request_api_version > 2:  # W4: version 0's form, error 35, one entry
            refused = ApiVersionsResponse(error_code=Error.UNSUPPORTED_VERSION, api_keys=[ApiVersion(api_key=18, min_version=0, max_version=2)])
            return [reply(header.correlation_id, refused.encode(0))]
        return versions(header)

    async def talk(host: str, port: int) -> None:
        connection = await Connection.open(host, port)
        assert connection.version_of(ApiVersionsRequest) == 4
        assert connection.version_of(MetadataRequest) == 9
        connection.close()

    against(answer, talk)
    assert asked == [4, 2]


def test_a_version_that_nobody_shares_is_refused() -> None:
    def answer(header: RequestHeader, body: bytes) -> list[bytes]:
        only = ApiVersionsResponse(error_code=0, api_keys=[ApiVersion(api_key=3, min_version=90, max_version=99)])
        return [reply(header.correlation_id, only.encode(header.request_api_version))]

    async def talk(host: str, port: int) -> None:
        connection = await Connection.open(host, port)
        with pytest.raises(KafkaError) as raised:
            await connection.call(MetadataRequest())
        assert raised.value.error is Error.UNSUPPORTED_VERSION
        connection.close()

    against(answer, talk)


def test_pipelined_requests_get_their_own_replies() -> None:
    held: list[bytes] = []

    def answer(header: RequestHeader, body: bytes) -> list[bytes]:
        if header.request_api_key == 18:
            return versions(header)
        topic = MetadataRequest.decode(body, 9).topics
        assert topic is not None
        response = MetadataResponse(brokers=[], topics=[], cluster_id=topic[0].name)
        held.append(reply(header.correlation_id, response.encode(9), flexible=True))
        return held if len(held) == 3 else []

    async def talk(host: str, port: int) -> None:
        connection = await Connection.open(host, port)
        names = ["a", "b", "c"]
        replies = await asyncio.gather(*(connection.call(MetadataRequest(topics=[MetadataRequest.Topic(name=name)])) for name in names))
        assert [each.cluster_id for each in replies] == names
        connection.close()

    against(answer, talk)


def test_whoever_is_cancelled_as_the_answer_comes_is_cancelled() -> None:
    """Two answers come at once; who gets the first one cancels who waits for the second one."""
    held: list[bytes] = []

    def answer(header: RequestHeader, body: bytes) -> list[bytes]:
        if header.request_api_key == 18:
            return versions(header)
        held.append(reply(header.correlation_id, MetadataResponse(brokers=[], topics=[]).encode(9), flexible=True))
        return [b"".join(held)] if len(held) == 2 else []

    async def talk(host: str, port: int) -> None:
        connection = await Connection.open(host, port)

        async def first() -> bool:
            await connection.call(MetadataRequest())
            return second.cancel()

        cancelling = asyncio.create_task(first())
        second = asyncio.create_task(connection.call(MetadataRequest()))
        assert await cancelling, "the second one wasn't through yet"
        with pytest.raises(asyncio.CancelledError):
            await second
        assert connection.usable
        connection.close()

    against(answer, talk)


def test_whoever_waits_hears_that_the_peer_hung_up() -> None:
    async def talk(host: str, port: int) -> None:
        connection = await Connection.open(host, port)
        with pytest.raises(ConnectionLost):
            await connection.call(MetadataRequest())
        assert not connection.usable
        with pytest.raises(ConnectionLost):
            await connection.call(MetadataRequest())

    against(lambda header, body: versions(header) if header.request_api_key == 18 else None, talk)


def test_no_answer_in_time_ends_the_connection() -> None:
    async def talk(host: str, port: int) -> None:
        connection = await Connection.open(host, port)
        with pytest.raises(TimedOut):
            await connection.call(MetadataRequest(), timeout_s=0.05)
        assert not connection.usable

    against(lambda header, body: versions(header) if header.request_api_key == 18 else [], talk)


def test_nonsense_isnt_read_as_a_huge_reply() -> None:
    async def talk(host: str, port: int) -> None:
        with pytest.raises(ConnectionLost, match="is this a Kafka listener"):
            await Connection.open(host, port)

    against(lambda header, body: [b"HTTP/1.1 400 Bad Request\r\n\r\n"], talk)


def test_nobody_listens() -> None:
    async def run() -> None:
        with pytest.raises(ConnectionLost):
            await Connection.open("127.0.0.1", 1)

    asyncio.run(run())
