"""Small requests that would make a node hold, or make, very much: each is bounded, and costs other clients nothing that lasts."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from barnabas.core.fetch_sessions import MOST_PARTITIONS
from barnabas.wire.decoder import MOST_ELEMENTS
from barnabas.wire.errors import Error
from barnabas.wire.messages.create_topics import CreateTopicsRequest
from barnabas.wire.messages.describe_configs import DescribeConfigsRequest
from barnabas.wire.messages.describe_groups import DescribeGroupsRequest
from barnabas.wire.messages.fetch import FetchRequest
from barnabas.wire.messages.find_coordinator import FindCoordinatorRequest
from barnabas.wire.messages.metadata import MetadataRequest
from barnabas.wire.messages.offset_fetch import OffsetFetchRequest
from barnabas.wire.messages.produce import ProduceRequest
from barnabas.wire.records.compression import Codec
from barnabas.wire.types import write_uvarint
from tests.conftest import SUBJECT, factory
from tests.differential.transcript import Client, Closed
from tests.system.hostile import is_asleep, resident_bytes
from tests.system.requests import Partition, create_topics, frame, produce, put, read_all, records
from tests.system.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import NodeFactory
    from tests.nodes import Node

pytestmark = pytest.mark.node

MB = 1 << 20
SMALL = MetadataRequest(topics=[])


@contextlib.contextmanager
def clients(node: Node, count: int) -> Iterator[list[Client]]:
    with contextlib.ExitStack() as stack:
        made = [stack.enter_context(contextlib.closing(Client(node.port))) for _ in range(count)]
        for one in made:
            one.socket.settimeout(30)
        yield made


def peak_bytes(node: Node) -> int:
    return int(Path(f"/proc/{node.pid}/status").read_text().split("VmHWM:")[1].split()[0]) * 1024


def is_closed(node: Node, body: bytes) -> bool:
    """Whether the node's answer to a frame is the end of the connection."""
    with clients(node, 1) as (client,):
        client.send(struct.pack(">i", len(body)) + body)
        try:
            client.read_frame()
        except Closed:
            return True
        return False


def metadata_of(names: int, tags: bytes = b"\0", body_tags: bytes = b"\0") -> bytes:
    """A Metadata request, version 9, of empty names, which are two bytes each."""
    return struct.pack(">hhih", 3, 9, 1, -1) + tags + write_uvarint(names + 1) + b"\1\0" * names + b"\0\0\0" + body_tags


def test_elements(barnabas_nodes: NodeFactory) -> None:
    """Millions of names, of tagged fields in the body or in the header: the connection ends before anything is made of them."""
    node = barnabas_nodes()
    assert not is_closed(node, metadata_of(10))
    before = resident_bytes(node)
    many = 10_000_000
    assert is_closed(node, metadata_of(many))
    assert is_closed(node, metadata_of(0, body_tags=write_uvarint(many) + b"\1\0" * many))
    assert is_closed(node, metadata_of(0, tags=write_uvarint(many) + b"\1\0" * many))
    assert peak_bytes(node) - before < 100 * MB, "the frames, of 20 MB each, as they were received and once more"
    nested = OffsetFetchRequest.Group(group_id="g", topics=[OffsetFetchRequest.Group.Topics(name="t", partition_indexes=[0] * 1000)] * 300)
    assert is_closed(node, frame(OffsetFetchRequest(groups=[nested]), 8)[4:]), f"{MOST_ELEMENTS} in all, wherever they are"
    assert "Traceback" not in node.tail(1 * MB)


def test_topics_by_the_hundred_thousand(barnabas_nodes: NodeFactory) -> None:
    node = barnabas_nodes()
    topics = [CreateTopicsRequest.CreatableTopic(name=f"t{number}", num_partitions=1, replication_factor=1) for number in range(50_000)]
    with clients(node, 1) as (client,):
        answered = client.call(CreateTopicsRequest(topics=topics, timeout_ms=1000), 7).topics
        assert {row.error_code for row in answered} == {Error.POLICY_VIOLATION}
        assert len(client.call(MetadataRequest(topics=None), 12).topics) == 0
    assert peak_bytes(node) < 160 * MB


def test_the_same_configs_again_and_again(barnabas_node: Node) -> None:
    """20 KB would become 130 MB in the answer, and ten times that on the way to it."""
    node = barnabas_node
    resource = DescribeConfigsRequest.Resource(resource_type=4, resource_name="1", configuration_keys=None)
    other = DescribeConfigsRequest.Resource(resource_type=4, resource_name="1", configuration_keys=["node.id"])
    request = DescribeConfigsRequest(resources=[resource] * 2000 + [other], include_synonyms=True, include_documentation=True)
    with clients(node, 1) as (client,):
        first, second = client.call(request, 4).results
    assert len(first.configs) > 200
    assert [row.name for row in second.configs] == ["node.id"]
    groups = [DescribeConfigsRequest.Resource(resource_type=32, resource_name=f"g{number}", configuration_keys=None) for number in range(12_000)]
    with clients(node, 1) as (client,):
        answered = client.call(DescribeConfigsRequest(resources=groups), 4).results
    assert len(answered) == len(groups)
    assert {row.error_code for row in answered} == {0, Error.POLICY_VIOLATION}
    assert sum(len(row.configs) for row in answered) < 201_000


def test_the_same_groups_again_and_again(barnabas_node: Node) -> None:
    """A group has its members' metadata, and any number of offsets: telling of it twenty thousand times would take all memory there is."""
    node = barnabas_node
    everything = OffsetFetchRequest.Group(group_id="g", topics=None)
    with clients(node, 1) as (client,):
        client.call(FindCoordinatorRequest(key_type=0, coordinator_keys=["g"]), 4)
        assert [group.group_id for group in client.call(DescribeGroupsRequest(groups=["g", "h"] * 20_000), 5).groups] == ["g", "h"]
        assert len(client.call(OffsetFetchRequest(groups=[everything] * 20_000), 8).groups) == 1


def test_bombs(barnabas_nodes: NodeFactory) -> None:
    """Batches of a few kilobytes that inflate to 100 MB, very many in one request: it may not take its thread for long."""
    node = barnabas_nodes()
    create_topics(node.port, "t", "u")
    bomb = records(bytes(100 * MB), codec=Codec.ZSTD)
    assert len(bomb) < 16 * 1024
    row = ProduceRequest.TopicProduceData.PartitionProduceData(index=0, records=bomb)
    request = ProduceRequest(acks=-1, timeout_ms=1000, topic_data=[ProduceRequest.TopicProduceData(name="t", partition_data=[row] * 2000)])
    before = resident_bytes(node)
    with clients(node, 1) as (client,):
        client.socket.settimeout(60)
        rows = client.call(request, 9).responses[0].partition_responses
        errors = [row.error_code for row in rows]
        assert len(errors) == 2000
        assert errors[0] == 0
        assert errors[-1] == Error.REQUEST_TIMED_OUT
        assert errors == sorted(errors), "first those that were taken in"
        assert put(client, "u", 0, records(b"x")).error_code == 0
    assert peak_bytes(node) - before < 400 * MB
    assert resident_bytes(node) - before < 60 * MB


def wanted(partitions: range | list[int], *, session: bool, wait_ms: int = 0) -> bytes:
    """A Fetch request, version 11. So many rows are made here more quickly than one by one: they differ in their first four bytes."""
    topics = [FetchRequest.Topic(topic="t", partitions=[Partition(partition=0, fetch_offset=0, partition_max_bytes=1)])]
    request = FetchRequest(max_wait_ms=wait_ms, min_bytes=1, max_bytes=1, session_epoch=0 if session else -1, session_id=0, topics=topics)
    whole, row = frame(request, 11), struct.pack(">iiqqi", 0, -1, 0, -1, 1)
    before, rest = whole.split(row)
    rows = struct.pack(">i", len(partitions)) + b"".join(struct.pack(">i", index) + row[4:] for index in partitions)
    body = before[4:-4] + rows + rest
    return struct.pack(">i", len(body)) + body


def is_kept_waiting(node: Node, client: Client) -> bool:
    """Whether there is no answer although the node has nothing left to do."""
    quiet = 0
    while quiet < 20 and not select.select([client.socket], [], [], 0.01)[0]:
        quiet = quiet + 1 if is_asleep(node) else 0
    return quiet == 20


def test_fetch_sessions(barnabas_nodes: NodeFactory) -> None:
    """Partitions that sessions remember, which needn't exist: beyond so many of all sessions together a client gets none, and can do without."""
    node = barnabas_nodes()
    create_topics(node.port, "t")

    def session_id(count: int) -> int:
        with clients(node, 1) as (client,):
            client.send(wanted(range(count), session=True))
            return int(struct.unpack_from(">i", client.read_frame(), 10)[0])

    size = 199_000
    assert session_id(size) > 0
    assert session_id(MOST_PARTITIONS - size + 1) == 0
    assert session_id(MOST_PARTITIONS - size) > 0
    assert session_id(1) == 0
    assert resident_bytes(node) < 250 * MB


def test_fetches_of_very_many_partitions(barnabas_nodes: NodeFactory) -> None:
    """One partition named again and again: such fetches wait for records as any other, but not many of them at a time."""
    node = barnabas_nodes()
    create_topics(node.port, "t")
    large, small = (wanted([0] * count, session=False, wait_ms=60_000) for count in (199_000, MOST_PARTITIONS - 199_000 + 1))
    with clients(node, 3) as (first, second, third):
        first.send(large)
        assert is_kept_waiting(node, first)
        second.send(small)
        second.read_frame()
        assert is_kept_waiting(node, first)
        first.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # the node hears of it though nothing is read
        first.close()
        first.socket = socket.create_connection(("127.0.0.1", node.port))

        def waits() -> bool:
            """As soon as the first one's place is free."""
            third.send(small)
            if is_kept_waiting(node, third):
                return True
            third.read_frame()
            return False

        wait_until(waits)
    assert peak_bytes(node) < 400 * MB
    with clients(node, 1) as (client,):
        assert put(client, "t", 0, records(b"x")).error_code == 0


@pytest.fixture(scope="module")
def narrow(request: pytest.FixtureRequest) -> Iterator[Node]:
    """A node that has room for one large request; it stops in the end as if nothing had been."""
    sizes = {"socket.request.max.bytes": 4 * MB, "queued.max.request.bytes": 4 * MB, "message.max.bytes": 3 * MB}
    for make in factory(SUBJECT, request):
        node = make({key: str(size) for key, size in sizes.items()})
        yield node
        assert node.stop() == 0


def test_halves_of_large_requests(narrow: Node) -> None:
    """queued.max.request.bytes: who sends more than there is room for is read from later; small requests are served meanwhile."""
    node = narrow
    create_topics(node.port, "halves")
    whole = frame(produce("halves", 0, records(bytes(3 * MB - 1000))), 9)
    before = resident_bytes(node)
    with clients(node, 40) as large:
        for one in large:
            one.socket.setblocking(False)
        left = {one: memoryview(whole)[:-1] for one in large}

        def push() -> bool:
            """Send what is taken; whether nothing more is."""
            sent = 0
            for one in large:
                with contextlib.suppress(BlockingIOError):
                    count = one.socket.send(left[one])
                    left[one] = left[one][count:]
                    sent += count
            return not sent

        wait_until(lambda: all(push() for _ in range(20)), 20)  # the system's own buffers take their part
        wait_until(lambda: "Large requests wait" in node.tail())
        assert resident_bytes(node) - before < 30 * MB, "40 connections, 3 MB each"
        with clients(node, 1) as (client,):
            assert client.call(SMALL, 12).brokers
            assert put(client, "halves", 0, records(b"x" * 1000)).error_code == 0
        gone, large = large[:20], large[20:]
        for one in gone:
            one.close()  # who goes makes room, and who is done does
        for one in large:
            left[one] = memoryview(bytes(left[one]) + whole[-1:])
        wait_until(lambda: push() and not any(left[one] for one in large))
        for one in large:
            one.socket.setblocking(True)
            one.socket.settimeout(30)
            assert one.read_frame()
    with clients(node, 1) as (client,):
        assert len(read_all(client, "halves", 0)) == 21


def test_more_large_requests_than_there_is_room_for(narrow: Node) -> None:
    """Whoever is done gives its place to those who wait, at whichever moment these began to."""
    node = narrow
    create_topics(node.port, "whole")
    request = frame(produce("whole", 0, records(bytes(3 * MB - 1000))), 9)

    def ten_times(client: Client) -> int:
        for _ in range(10):
            client.send(request)
            client.read_frame()
        return 10

    with clients(node, 8) as many, ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ten_times, many)) == 80
