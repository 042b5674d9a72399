"""What a hostile client sends: requests whose fields are plausible in one place and absurd in the next, and frames that were damaged on the way.

Made from the declarations in `barnabas.wire`, by a generator of random numbers that the test hands in, so that a failure can be repeated by its seed.
"""

from __future__ import annotations

import socket
import struct
import time
from contextlib import suppress
from itertools import count as counted
from itertools import islice
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from barnabas.node.router import served_apis
from barnabas.wire.apis import BROKER, Api
from barnabas.wire.framing import encode_request
from barnabas.wire.messages.api_versions import ApiVersionsRequest
from barnabas.wire.records.builder import build_batch
from barnabas.wire.records.record import Record
from tests.differential.transcript import Client
from tests.messages import Values
from tests.system.requests import create_topics, put, read_all, records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from barnabas.wire.schema import Field, Struct
    from tests.nodes import Node

TOPICS = ("fuzz-a", "fuzz-b", "fuzz-new")
GROUPS = ("g1", "g2", "")
LAST = 0x7ABCDEF  # the correlation id behind which nothing is to come
_TOGETHER = 5
_LONGEST_WAIT_MS = 20
MOST_RESIDENT = 80 << 20
_WAITS = {"max_wait_ms", "session_timeout_ms", "rebalance_timeout_ms", "timeout_ms"}


class Hostile(Values):
    """Values that reach beyond the first check: names that exist, partitions that are there, batches that are sound, or nearly."""

    def __init__(self, random: Random, topic_ids: list[bytes]) -> None:
        super().__init__(random)
        self.topic_ids = topic_ids

    def field(self, owner: type[Struct], field: Field, flexible: bool, version: int) -> Any:
        value = super().field(owner, field, flexible, version)
        if field.name in _WAITS and isinstance(value, int):
            return min(value, _LONGEST_WAIT_MS)  # who waits longer makes the test wait
        return value

    def primitive(self, type_name: str) -> Any:
        random = self.random
        if type_name == "Records":
            return self.records()
        if random.random() < 0.3:
            return super().primitive(type_name)
        if type_name == "String":
            return random.choice(
                (*TOPICS, *GROUPS, "1", "member", "range", "consumer", "retention.ms", "max.message.bytes", "cleanup.policy", "delete")
            )
        if type_name == "Uuid":
            return random.choice(self.topic_ids)
        if type_name == "Int8":
            return random.choice((0, 1, 2, 3, 4, -1, 32))
        if type_name.startswith("Int"):
            return random.choice((0, 0, 0, 1, 1, 2, 3, -1, -1, -2, -3, 10, 1000, 30_000))
        return super().primitive(type_name)

    def records(self) -> bytes | None:
        random = self.random
        if random.random() < 0.1:
            return random.choice((None, b"", random.randbytes(100)))
        rows = [
            Record(timestamp=random.choice((-1, 0, 1_700_000_000_000)), key=random.choice((None, b"key")), value=random.choice((None, b"value" * 10)))
            for _ in range(random.choice((1, 1, 3, 50)))
        ]
        batch = bytearray(
            build_batch(
                rows,
                codec=random.choice((0, 0, 1, 2, 3, 4)),
                producer_id=random.choice((-1, -1, 7)),
                producer_epoch=random.choice((-1, 0)),
                base_sequence=random.choice((-1, 0, 1)),
            )
        )
        for _ in range(random.choice((0, 0, 1, 3))):
            batch[random.randrange(len(batch))] = random.randrange(256)
        return bytes(batch) * random.choice((1, 1, 1, 2))


def frames(values: Hostile, leave_out: frozenset[str], *, damaged: bool, listener: int = BROKER) -> Iterator[tuple[Api, int, bytes]]:
    """(API, version, frame) without end, correlation ids ascending: every served API in every version as likely as any other."""
    random = values.random
    pairs = [(api, version) for api in served_apis(listener) if api.name not in leave_out for version in range(api.first, api.last + 1)]
    for correlation in counted(random.choice((-(2**31), -10, 0))):
        api, version = random.choice(pairs)
        request = values.message(api.request(), version)
        frame = encode_request(api, version, correlation, random.choice((None, "", "fuzz", "__admin_client")), request)
        yield api, version, damage(frame, random) if damaged else frame


def damage(frame: bytes, random: Random) -> bytes:
    """One to three bytes of the body changed, or the frame cut or stretched; its size says what it has, or nearly always."""
    body = bytearray(frame[4:])
    for _ in range(random.randint(1, 3)):
        body[random.randrange(8, len(body)) if len(body) > 8 else 0] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))
    match random.randrange(8):
        case 0:
            del body[random.randrange(8, len(body) + 1) :]
        case 1:
            body += random.randbytes(random.choice((1, 100)))
    size = len(body) if random.random() < 0.98 else random.choice((-1, 0, 7, 8, len(body) - 1, len(body) + 1, 2**31 - 1))
    return struct.pack(">i", size) + body


def last_frame() -> bytes:
    return encode_request(_API_VERSIONS, 0, LAST, None, ApiVersionsRequest())


_API_VERSIONS = next(api for api in served_apis(BROKER) if api.name == "ApiVersions")


def exchange(port: int, data: bytes, timeout_s: float = 10.0) -> list[int] | None:
    """Send frames and then `last_frame`; the correlation ids of all answers in the order they came, or None when the node closed before the last.

    Raises TimeoutError when the node neither answers nor closes.
    """
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.settimeout(timeout_s)
        deadline = time.monotonic() + timeout_s
        found: list[int] = []
        try:
            client.sendall(data + last_frame())
            received = bytearray()
            while not found or found[-1] != LAST:
                more = client.recv(1 << 20)
                if not more:
                    return None
                received += more
                position = 0
                while len(received) - position >= 8 and len(received) - position >= 4 + int.from_bytes(received[position : position + 4], "big"):
                    found.append(struct.unpack_from(">i", received, position + 4)[0])
                    position += 4 + int.from_bytes(received[position : position + 4], "big")
                del received[:position]
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{len(found)} answers, then none")
        except (ConnectionResetError, BrokenPipeError):
            return None
    return found


def fuzz(node: Node, *, seed: int, count: int, damaged: bool, listener: int = BROKER) -> None:
    """Send `count` frames in small groups. Asserts that answers come in order, all but those to acks=0; that nothing was raised in the node, which
    serves and stops afterwards as if nothing had been; and that it keeps nothing of it."""
    values = Hostile(Random(seed), create_topics(node.port, "fuzz-a", "fuzz-b", partitions=3))
    source = frames(values, frozenset({"UnregisterBroker"}), damaged=damaged, listener=listener)
    port = node.port if listener == BROKER else int(node.properties["listeners"].rsplit(":", 1)[1])
    for _ in range(count // _TOGETHER):
        sent = list(islice(source, _TOGETHER))
        try:
            answers = exchange(port, b"".join(frame for _, _, frame in sent), 0.2 if damaged else 20)
        except TimeoutError:
            assert damaged, f"seed {seed}: no answer to one of {[(api.name, version) for api, version, _ in sent]}"
            continue  # it may say that there is more to come, or wait long
        if answers is not None and not damaged:
            assert answers == sorted(answers), f"seed {seed}"
            unanswered = {api.name for api, _, frame in sent if struct.unpack_from(">i", frame, 8)[0] not in answers}
            assert unanswered <= {"Produce"}, f"seed {seed}: {unanswered}"
    output = node.tail(1 << 20)
    assert "Traceback" not in output, f"seed {seed}: {output}"
    create_topics(node.port, "after")
    client = Client(node.port)
    assert put(client, "after", 0, records(b"sound")).error_code == 0
    assert read_all(client, "after", 0) == {0: b"sound"}
    client.close()
    assert resident_bytes(node) < MOST_RESIDENT
    assert node.stop() == 0


def resident_bytes(node: Node) -> int:
    status = Path(f"/proc/{node.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


def is_asleep(node: Node) -> bool:
    """Whether all its threads wait for something: whatever it was asked, it has done all there is to do for now."""
    states = set()
    for path in Path(f"/proc/{node.pid}/task").glob("*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
            states.add(path.read_text().rpartition(")")[2].split()[0])
    return states == {"S"}
