"""A raw client, and transcripts of what it was answered, with everything in them that may differ between two nodes replaced by a name.

Owns: one blocking connection (requests through `barnabas.wire`'s codecs, or raw bytes), waiting until a node has done what it answered, normalising replies,
comparing two transcripts.
Normalised: ids, ports, the cluster id, session ids, and times of the node's clock, those in error messages too. Arrays of structs are sorted.
"""

from __future__ import annotations

import difflib
import pprint
import re
import socket
import struct
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from barnabas.wire.apis import APIS
from barnabas.wire.errors import Error
from barnabas.wire.framing import encode_request, read_response_header
from barnabas.wire.messages.create_topics import CreateTopicsRequest
from barnabas.wire.messages.describe_configs import DescribeConfigsRequest
from barnabas.wire.messages.fetch import FetchResponse
from barnabas.wire.messages.find_coordinator import FindCoordinatorRequest
from barnabas.wire.messages.heartbeat import HeartbeatRequest
from barnabas.wire.messages.incremental_alter_configs import IncrementalAlterConfigsRequest
from barnabas.wire.messages.list_offsets import ListOffsetsRequest
from barnabas.wire.messages.metadata import MetadataRequest, MetadataResponse
from barnabas.wire.records.batch import LOG_APPEND_TIME, iterate_headers
from barnabas.wire.schema import Message, Struct
from barnabas.wire.types import ZERO_UUID
from tests.system.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.nodes import Node

DIFFERENCES = Path(__file__).parents[2] / "docs" / "differences.md"
TIMEOUT_S = 30.0
EVERY_COORDINATOR = "0123"
"""Groups of which each has another of the four partitions of __consumer_offsets that tests' nodes have."""
_GROUP, _OF_GROUP = 32, 8  # resource type; configuration source
NOW_WITHIN_MS = 120_000
RANGE_OF_TIMES = re.compile(r"\[-?\d{9,}, \d{9,}\]")


class Closed(Exception):
    """The node closed the connection instead of answering."""


class Client:
    """One connection; requests one after the other."""

    def __init__(self, port: int, host: str = "127.0.0.1", timeout_s: float = TIMEOUT_S) -> None:
        self.port = port
        self.socket = socket.create_connection((host, port), timeout=timeout_s)
        self.correlation = 0

    def close(self) -> None:
        self.socket.close()

    def call(self, request: Message, version: int) -> Any:
        """The decoded reply. Raises Closed."""
        api = APIS[request.api_key]
        self.correlation += 1
        try:
            self.socket.sendall(encode_request(api, version, self.correlation, "differential", request))
        except ConnectionError:
            raise Closed from None
        body = self.read_frame()
        correlation, position = read_response_header(body, api, version)
        assert correlation == self.correlation, f"asked as {self.correlation}, answered as {correlation}"
        response = api.response()
        reply, end = response.decode_from(body, version, position)
        assert end == len(body), f"{len(body) - end} bytes behind the reply"
        return reply

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read_frame(self) -> bytes:
        """The next frame without its size. Raises Closed."""
        return self._read(struct.unpack(">i", self._read(4))[0])

    def _read(self, size: int) -> bytes:
        parts = []
        while size:
            try:
                part = self.socket.recv(min(size, 1 << 20))
            except ConnectionError:
                raise Closed from None
            if not part:
                raise Closed
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def metadata(self, topic: str) -> MetadataResponse.Topic:
        request = MetadataRequest(topics=[MetadataRequest.Topic(name=topic)], allow_auto_topic_creation=False)
        found: MetadataResponse = self.call(request, 12)
        return found.topics[0]


class Transcript:
    """What one node answered to one script, line by line."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.client = Client(node.port)
        self.names: dict[bytes, str] = {}
        self.entries: list[tuple[str, Any]] = []

    def __enter__(self) -> Transcript:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def reconnect(self) -> None:
        self.client.close()
        self.client = Client(self.node.port)

    def call(self, request: Message, version: int, note: str = "", differs: str = "") -> Any:
        """Sends, notes the normalised reply (or that there was none), returns the reply as it came (None without one).

        `differs` quotes docs/differences.md where the engines differ on purpose: then the reply isn't compared.
        """
        title = f"{type(request).__name__.removesuffix('Request')} {version} {note}".rstrip()
        try:
            reply = self.client.call(request, version)
        except Closed:
            self.reconnect()
            self.note(title, "closed")
            return None
        except TimeoutError:
            self.reconnect()
            self.note(title, "no answer")
            return None
        if differs:
            assert differs in DIFFERENCES.read_text(), f"docs/differences.md doesn't say {differs!r}"
            return reply
        self.note(title, reply)
        return reply

    def all_versions(self, make: Callable[[int], Message], note: str = "", first: int = 0, last: int = 1 << 15) -> None:
        """Calls in every version that 4.3.1 serves, between `first` and `last`."""
        api = APIS[make(max(first, 13)).api_key]
        for version in range(max(api.first, first), min(api.last, last) + 1):
            self.call(make(version), version, note)

    def note(self, title: str, value: Any) -> None:
        self.entries.append((title, self.normal("", value)))

    def create_topic(self, name: str, partitions: int = 1, configs: dict[str, str] | None = None) -> bytes:
        """Creates a topic, waits until it takes writes, and names its id in the transcript. Kept for ever: the records' times are fixed and old."""
        config = CreateTopicsRequest.CreatableTopic.CreatableTopicConfig
        topic = CreateTopicsRequest.CreatableTopic(
            name=name,
            num_partitions=partitions,
            replication_factor=1,
            assignments=[],
            configs=[config(name=key, value=value) for key, value in ({"retention.ms": "-1"} | (configs or {})).items()],
        )
        reply = self.client.call(CreateTopicsRequest(topics=[topic], timeout_ms=30000, validate_only=False), 7)
        assert reply.topics[0].error_code == 0, reply
        self.names[reply.topics[0].topic_id] = f"id of {name}"
        wait_for_leaders(self.client, name, partitions)
        return bytes(reply.topics[0].topic_id)

    def settle(self) -> None:
        settle(self.node)

    def normal(self, field: str, value: Any) -> Any:
        if isinstance(value, Struct):
            shown = {f.name: self.normal(f.name, getattr(value, f.name)) for f in value.fields}
            return shown | ({"unknown_tags": value.unknown_tags} if value.unknown_tags else {})
        if isinstance(value, list):
            parts = [self.normal(field, part) for part in value]
            return sorted(parts, key=repr) if value and isinstance(value[0], Struct) else parts
        if isinstance(value, bytes) and len(value) == 16 and field.endswith(("_id", "topic_id")):
            return "no id" if value == ZERO_UUID else self.names.get(value, "an id")
        if field == "records":
            return None if value is None else batches(bytes(value))
        if isinstance(value, memoryview):
            return bytes(value)
        return self._normal_scalar(field, value)

    def _normal_scalar(self, field: str, value: Any) -> Any:
        if field.endswith("error_message") and value:
            return RANGE_OF_TIMES.sub("[a time, a time]", value)
        if field == "cluster_id" and value:
            return "the cluster's id"
        if field == "port" and value == self.node.port:
            return "the node's port"
        if field == "session_id" and value:
            return "a session"
        if isinstance(value, int) and abs(value - time.time() * 1000) < NOW_WITHIN_MS:
            return "now"
        return value


def with_topics_once(reply: Any) -> Any:
    """Apache Kafka's Fetch names a topic anew when its partitions' errors stand apart."""
    if not isinstance(reply, FetchResponse):
        return reply
    topics: dict[Any, Any] = {}
    for topic in reply.responses:
        first = topics.setdefault((topic.topic, topic.topic_id), topic)
        if first is not topic:
            first.partitions = first.partitions + topic.partitions
    return reply.replace(responses=list(topics.values()))


def batches(records: bytes) -> list[Any]:
    """The headers of the batches in a Fetch reply, without a cut one at the end (docs/differences.md). The CRC stands for the records."""
    shown: list[Any] = []
    for _, header in iterate_headers(records):
        stamped = bool(header.attributes & LOG_APPEND_TIME)
        shown.append(header._asdict() | ({"crc": "stamped", "max_timestamp": "stamped"} if stamped else {}))
    return shown


def wait_for_leaders(client: Client, topic: str, partitions: int) -> None:
    """Until Metadata lists leaders and the partitions answer for offsets: Apache lists a topic a moment before it serves it."""
    part = ListOffsetsRequest.Topic.Partition
    request = ListOffsetsRequest(
        replica_id=-1, topics=[ListOffsetsRequest.Topic(name=topic, partitions=[part(partition_index=n, timestamp=-1) for n in range(partitions)])]
    )
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        if client.metadata(topic).error_code == 0:
            answered = client.call(request, 5).topics[0].partitions
            if all(p.error_code == 0 for p in answered):
                return
        time.sleep(0.02)
    raise AssertionError(f"{topic} has no leaders after {TIMEOUT_S} s")


def settle(node: Node) -> None:
    """Until what the node has answered is in force: it may answer before."""
    with closing(Client(node.port)) as client:
        settle_by(client)


def settle_by(client: Client) -> None:
    """As `settle`, on a connection that is there.

    A node puts one change of its metadata into force after the other. So two more are made, and looked for: each can be seen a moment before all of it is in
    force, but not before all that came earlier is. Nothing of them stays.
    """
    name, key = f"settled-{uuid.uuid4().hex[:8]}", "consumer.session.timeout.ms"
    Altered = IncrementalAlterConfigsRequest.AlterConfigsResource
    asked = DescribeConfigsRequest.Resource(resource_type=_GROUP, resource_name=name, configuration_keys=[key])

    def is_given() -> bool:
        return [row.config_source for row in client.call(DescribeConfigsRequest(resources=[asked]), 4).results[0].configs] == [_OF_GROUP]

    for is_wanted, value in ((True, "50000"), (False, None)):
        change = Altered.AlterableConfig(name=key, config_operation=0 if is_wanted else 1, value=value)
        resource = Altered(resource_type=_GROUP, resource_name=name, configs=[change])
        row = client.call(IncrementalAlterConfigsRequest(resources=[resource], validate_only=False), 1).responses[0]
        assert row.error_code == 0, row
        wait_until(lambda is_wanted=is_wanted: is_given() is is_wanted)  # type: ignore[misc]


def wait_for_coordinators(client: Client, *groups: str) -> None:
    """Until these groups' coordinators know all of them, and any others."""
    for group in (*groups, *EVERY_COORDINATOR):
        beat = HeartbeatRequest(group_id=group, generation_id=1, member_id="nobody")
        wait_until(lambda group=group: client.call(FindCoordinatorRequest(key=group), 3).error_code == 0)  # type: ignore[misc]
        wait_until(lambda beat=beat: client.call(beat, 3).error_code == Error.UNKNOWN_MEMBER_ID)  # type: ignore[misc]


def transcribe(script: Callable[[Transcript], None], node: Node) -> Transcript:
    with Transcript(node) as transcript:
        script(transcript)
    return transcript


def assert_same(script: Callable[[Transcript], None], apache: Node, barnabas: Node) -> None:
    """Runs the script against both at once and fails with a diff of what they answered."""
    with ThreadPoolExecutor(2) as pool:
        theirs, ours = (transcript.entries for transcript in pool.map(partial(transcribe, script), (apache, barnabas)))
    if ours == theirs:
        return
    differing: dict[str, list[str]] = {}  # a diff -> the titles that show it
    for index in range(max(len(theirs), len(ours))):
        left, right = (entries[index] if index < len(entries) else ("nothing", None) for entries in (theirs, ours))
        if left != right:
            title = left[0] if left[0] == right[0] else f"{left[0]} / {right[0]}"
            differing.setdefault("\n".join(_diff(left[1], right[1])), []).append(title)
    lines = [f"== {'; '.join(titles)}\n{diff}" for diff, titles in differing.items()]
    pytest.fail("Apache (-) and Barnabas (+) answer differently\n" + "\n".join(lines)[:20_000], pytrace=False)


def _diff(left: Any, right: Any) -> list[str]:
    shown = [pprint.pformat(value, width=140, sort_dicts=False).splitlines() for value in (left, right)]
    return [line.rstrip() for line in difflib.unified_diff(*shown, n=2, lineterm="")][2:]


def module_scripts(module_name: str) -> list[Callable[[Transcript], None]]:
    """The scripts of a test module: its public functions that take a transcript."""
    found = vars(sys.modules[module_name]).items()
    return [
        value for name, value in found if callable(value) and getattr(value, "__annotations__", {}).get("script") == "Transcript" and name[0] != "_"
    ]
