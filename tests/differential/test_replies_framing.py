"""What closes a connection, what is answered all the same: a table, tried on both engines (W8-W10, W19, T22, T23)."""

from __future__ import annotations

import socket
import struct
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.nodes import Node

pytestmark = [pytest.mark.apache, pytest.mark.node]

WAIT_S = 2.0
LONG_WAIT_S = 15.0


def _frame(body: bytes) -> bytes:
    return struct.pack(">i", len(body)) + body


def _header(key: int, version: int, correlation: int = 7, client: bytes | None = b"x") -> bytes:
    return struct.pack(">hhih", key, version, correlation, -1 if client is None else len(client)) + (client or b"")


METADATA_1 = _header(3, 1) + struct.pack(">i", 0)
METADATA_12 = _header(3, 12) + b"\0" + b"\1\0\0\0"  # header tags; no topics, no creation, no operations, no tags

CASES: dict[str, bytes] = {
    "size -1": struct.pack(">i", -1),
    "size 0": struct.pack(">i", 0),
    "size 1": _frame(b"\0"),
    "size over the limit": struct.pack(">i", 104857601),
    "size at the limit, nothing behind it": struct.pack(">i", 104857600),
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "tls": bytes.fromhex("160301020001000001fc0303") + bytes(64),
    "half a size": b"\0\0",
    "half a frame": _frame(METADATA_1)[:-2],
    "plain": _frame(METADATA_1),
    "flexible": _frame(METADATA_12),
    "null client id": _frame(_header(3, 1, client=None) + struct.pack(">i", 0)),
    "empty client id": _frame(_header(3, 1, client=b"") + struct.pack(">i", 0)),
    "client id length -2": _frame(struct.pack(">hhih", 3, 1, 7, -2) + struct.pack(">i", 0)),
    "client id longer than the frame": _frame(struct.pack(">hhih", 3, 1, 7, 500) + b"abc"),
    "client id not utf-8": _frame(_header(3, 1, client=b"\xff\xfe") + struct.pack(">i", 0)),
    "unknown header tag": _frame(_header(3, 12) + b"\1\x7f\2ab" + b"\1\0\0\0"),
    "header tag cut": _frame(_header(3, 12) + b"\1\x7f\x50ab"),
    "unknown body tag": _frame(_header(3, 12) + b"\0" + b"\1\0\0\1\x7f\2ab"),
    "trailing bytes": _frame(METADATA_1 + b"trailing"),
    "trailing bytes, flexible": _frame(METADATA_12 + b"trailing"),
    "unknown key 999": _frame(_header(999, 0)),
    "unknown key -1": _frame(_header(-1, 0)),
    "controlled shutdown, gone": _frame(_header(7, 3)),
    "controller's key: Vote": _frame(_header(52, 0) + b"\0\0\1\0"),
    "controller's key: BrokerHeartbeat": _frame(_header(63, 0) + b"\0" + bytes(18)),
    "version too high": _frame(_header(3, 99) + b"\0\1\0\0\0"),
    "version negative": _frame(_header(3, -1) + struct.pack(">i", 0)),
    "Produce 2": _frame(_header(0, 2) + struct.pack(">hii", -1, 1000, 0)),
    "Fetch 3": _frame(_header(1, 3) + struct.pack(">iiiii", -1, 0, 0, 100, 0)),
    "ApiVersions 99": _frame(_header(18, 99) + b"\0\1\1\0"),
    "ApiVersions -1": _frame(_header(18, -1)),
    "body missing": _frame(_header(3, 1)),
    "array longer than the frame": _frame(_header(3, 1) + struct.pack(">i", 1000)),
    "array of 2^31-1": _frame(_header(3, 1) + struct.pack(">i", 2**31 - 1)),
    "array -1": _frame(_header(3, 1) + struct.pack(">i", -1)),
    "array -2": _frame(_header(3, 1) + struct.pack(">i", -2)),
    "array -1 where it may not be": _frame(_header(3, 0) + struct.pack(">i", -1)),
    "compact array longer than the frame": _frame(_header(3, 12) + b"\0" + b"\xff\xff\xff\xff\x07"),
    "string longer than the frame": _frame(_header(3, 1) + struct.pack(">ih", 1, 500) + b"ab"),
    "string -1 where it may not be": _frame(_header(3, 1) + struct.pack(">ih", 1, -1)),
    "string not utf-8": _frame(_header(3, 4) + struct.pack(">ih", 1, 2) + b"\xff\xfe\0"),
    "varint of six bytes": _frame(_header(3, 12) + b"\0" + b"\x80\x80\x80\x80\x80\x01"),
    "SaslHandshake": _frame(_header(17, 1) + struct.pack(">h", 5) + b"PLAIN"),
    "SaslAuthenticate": _frame(_header(36, 1) + struct.pack(">i", 2) + b"ab"),
    "two at once": _frame(METADATA_1) + _frame(METADATA_12),
    "good, then bad": _frame(METADATA_1) + _frame(_header(999, 0)),
    "bad, then good": _frame(_header(999, 0)) + _frame(METADATA_1),
}


def _outcome(node: Node, data: bytes, wait_s: float = WAIT_S) -> list[str]:
    """Answers (by size and correlation id) until the connection closes or nothing more comes, then whether it still works."""
    seen: list[str] = []
    received = b""
    with socket.create_connection(("127.0.0.1", node.port), timeout=wait_s) as s:
        s.sendall(data)
        while True:
            try:
                part = s.recv(65536)
            except TimeoutError:
                seen.append("stays open")
                break
            except ConnectionError:
                part = b""
            if not part:
                seen.append("closed")
                break
            received += part
            while len(received) >= 4 and len(received) - 4 >= struct.unpack_from(">i", received)[0]:
                size, correlation = struct.unpack_from(">ii", received)
                seen.append(f"answer to {correlation}")
                received = received[4 + size :]
    return seen


@pytest.fixture(scope="module")
def outcomes(apache_node: Node, barnabas_node: Node) -> list[dict[str, list[str]]]:
    """Of every case on each node; all wait together."""
    with ThreadPoolExecutor(2 * len(CASES)) as pool:
        found = [pool.map(partial(_outcome, node), CASES.values()) for node in (apache_node, barnabas_node)]
        return [dict(zip(CASES, each, strict=True)) for each in found]


@pytest.mark.parametrize("case", CASES)
def test_same_outcome(case: str, outcomes: list[dict[str, list[str]]], apache_node: Node, barnabas_node: Node) -> None:
    theirs, ours = (each[case] for each in outcomes)
    if ours != theirs:  # one of them was slow, perhaps
        with ThreadPoolExecutor(2) as pool:
            theirs, ours = pool.map(lambda node: _outcome(node, CASES[case], LONG_WAIT_S), (apache_node, barnabas_node))
    assert ours == theirs
