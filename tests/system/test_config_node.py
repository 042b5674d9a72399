"""What a node's own keys do, seen on nodes that have them: who it is, its network, its metadata log, the groups that it coordinates."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from barnabas.wire.apis import APIS
from barnabas.wire.errors import Error
from barnabas.wire.framing import encode_request, read_response_header
from barnabas.wire.logs.group_coordinator import OffsetCommitKey, OffsetCommitValue
from barnabas.wire.messages.describe_cluster import DescribeClusterRequest
from barnabas.wire.messages.describe_configs import DescribeConfigsRequest
from barnabas.wire.messages.describe_producers import DescribeProducersRequest
from barnabas.wire.messages.describe_quorum import DescribeQuorumRequest
from barnabas.wire.messages.describe_topic_partitions import DescribeTopicPartitionsRequest
from barnabas.wire.messages.fetch import FetchRequest
from barnabas.wire.messages.find_coordinator import FindCoordinatorRequest
from barnabas.wire.messages.incremental_alter_configs import IncrementalAlterConfigsRequest
from barnabas.wire.messages.join_group import JoinGroupRequest
from barnabas.wire.messages.metadata import MetadataRequest
from barnabas.wire.messages.offset_commit import OffsetCommitRequest
from barnabas.wire.messages.offset_fetch import OffsetFetchRequest
from barnabas.wire.messages.unregister_broker import UnregisterBrokerRequest
from barnabas.wire.records.batch import iterate_headers
from barnabas.wire.records.builder import build_batch
from barnabas.wire.records.compression import Codec
from barnabas.wire.records.record import Record
from tests import nodes
from tests.conftest import SUBJECT, factory
from tests.differential.transcript import Client, Closed
from tests.system.hostile import is_asleep
from tests.system.requests import batches, create_topics, fetch, produce, put, records
from tests.system.test_config_topics import SELDOM, client_of
from tests.system.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.conftest import NodeFactory
    from tests.nodes import Node

pytestmark = pytest.mark.node

OFFSETS = "__consumer_offsets"


def metadata_files(node: Node, pattern: str) -> list[Path]:
    return list((node.log_dir / "__cluster_metadata-0").glob(pattern))


def high_watermark(client: Client) -> int:
    quorum = DescribeQuorumRequest.TopicData
    asked = quorum(topic_name="__cluster_metadata", partitions=[quorum.PartitionData(partition_index=0)])
    return int(client.call(DescribeQuorumRequest(topics=[asked]), 1).topics[0].partitions[0].high_watermark)


@pytest.fixture(scope="module")
def odd(request: pytest.FixtureRequest) -> Iterator[Node]:
    """Node 7, of three listeners, with little of everything."""
    one, two, three = nodes.free_port(), nodes.free_port(), nodes.free_port()
    who = {
        "process.roles": "controller,broker",
        "node.id": "7",
        "broker.rack": "r2",
        "listeners": f"PLAINTEXT://127.0.0.1:{one},INSIDE://127.0.0.1:{two},STEER://127.0.0.1:{three}",
        "advertised.listeners": f"PLAINTEXT://outer.test:{one},INSIDE://inner.test:99",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,INSIDE:PLAINTEXT,STEER:PLAINTEXT",
        "controller.listener.names": "STEER",
        "controller.quorum.bootstrap.servers": f"127.0.0.1:{three}",
        "inter.broker.listener.name": "INSIDE",
    }
    limits = {
        "fetch.max.bytes": "1024",
        "max.incremental.fetch.session.cache.slots": "0",
        "max.request.partition.size.limit": "2",
        "socket.request.max.bytes": "2000",
    }
    threads = {"num.network.threads": "1", "socket.listen.backlog.size": "1"}
    offsets = {"offsets.topic.num.partitions": "1", "offsets.topic.segment.bytes": "2097152", "offsets.topic.compression.codec": "1"}
    groups = {
        "offsets.retention.check.interval.ms": "100",
        "offsets.retention.minutes": "60",
        "group.min.session.timeout.ms": "10000",
        "group.max.session.timeout.ms": "20000",
    }
    producers = {"producer.id.expiration.ms": "1", "producer.id.expiration.check.interval.ms": "50"}
    yield from _made(request, who | limits | threads | offsets | groups | producers | {"metadata.max.idle.interval.ms": "0"})


@pytest.fixture(scope="module")
def small(request: pytest.FixtureRequest) -> Iterator[Node]:
    """With small buffers and segments, a coordinators' topic that one node can't have, and producers that nobody looks for."""
    sockets = {"num.network.threads": "2", "socket.listen.backlog.size": "50", **_buffers(8192)}
    metadata = {"metadata.log.max.record.bytes.between.snapshots": "1", "internal.metadata.log.segment.bytes": "2000"}
    producers = {"producer.id.expiration.ms": "1", "producer.id.expiration.check.interval.ms": SELDOM}
    yield from _made(request, sockets | metadata | producers | {"offsets.topic.replication.factor": "2"})


@pytest.fixture(scope="module")
def large(request: pytest.FixtureRequest) -> Iterator[Node]:
    """With large buffers, a metadata log that never rests, and producers that stay."""
    metadata = {"metadata.log.max.snapshot.interval.ms": "50", "metadata.log.segment.ms": "50", "metadata.max.idle.interval.ms": "20"}
    producers = {"producer.id.expiration.ms": SELDOM, "producer.id.expiration.check.interval.ms": "50"}
    yield from _made(request, _buffers(1_048_576) | metadata | producers)


def _made(request: pytest.FixtureRequest, properties: dict[str, str]) -> Iterator[Node]:
    for make in factory(SUBJECT, request):
        yield make(properties)


def _buffers(size: int) -> dict[str, str]:
    return {"socket.receive.buffer.bytes": str(size), "socket.send.buffer.bytes": str(size)}


def test_who_a_node_is(odd: Node) -> None:
    """node.id, process.roles, listeners, advertised.listeners, listener.security.protocol.map, controller.listener.names, broker.rack."""
    one, two, three = (odd.address(listener)[1] for listener in ("PLAINTEXT", "INSIDE", "STEER"))
    for port, address in ((one, ("outer.test", one)), (two, ("inner.test", 99))):
        client = Client(port)
        (broker,) = client.call(MetadataRequest(topics=[]), 12).brokers
        client.close()
        assert (broker.node_id, broker.rack, (broker.host, broker.port)) == (7, "r2", address)
    client = Client(three)
    controllers = client.call(DescribeClusterRequest(include_cluster_authorized_operations=False, endpoint_type=2), 1)
    client.close()
    assert [(found.broker_id, found.port) for found in controllers.brokers] == [(7, three)]


def test_older_ways_to_say_it(tmp_path: Path) -> None:
    """broker.id for node.id, log.dir for log.dirs, controller.quorum.voters for a quorum in the log; metadata.log.dir."""
    directory = tmp_path / "static"
    directory.mkdir()
    properties = nodes.combined_properties(directory, {"metadata.log.dir": str(directory / "metadata")})
    properties["broker.id"], properties["log.dir"] = properties.pop("node.id"), properties.pop("log.dirs")
    controller = properties.pop("controller.quorum.bootstrap.servers")
    properties["controller.quorum.voters"] = f"1@{controller}"
    static = nodes.Node(SUBJECT._replace(format_command=_format_static), nodes.write_properties(directory / "server.properties", properties))
    static.format().start()
    try:
        with client_of(static) as client:
            wait_until(lambda: high_watermark(client) > 0)
            assert client.call(MetadataRequest(topics=[]), 12).brokers[0].node_id == 1
            create_topics(static.port, "t")
        assert (directory / "log" / "t-0").is_dir()
        assert (directory / "metadata" / "__cluster_metadata-0").is_dir()
        assert not (directory / "log" / "__cluster_metadata-0").exists()
    finally:
        assert static.stop() == 0


def _format_static(properties: Path, cluster_id: str, quorum: Sequence[str]) -> list[str]:
    return nodes.BARNABAS.format_command(properties, cluster_id, [])


def test_limits_of_answers(odd: Node, barnabas_node: Node) -> None:
    """fetch.max.bytes, max.incremental.fetch.session.cache.slots, max.request.partition.size.limit, socket.request.max.bytes."""
    assert _answers(odd) == (1, 2, False, True)
    assert _answers(barnabas_node) == (3, 5, True, False)


def _answers(node: Node) -> tuple[int, int, bool, bool]:
    """How many batches and partitions, whether there was a session, whether a large request was turned away."""
    create_topics(node.port, "five", partitions=5)
    with client_of(node) as client:
        for _ in range(3):
            assert put(client, "five", 0, records(b"x" * 800)).error_code == 0
        found = client.call(fetch("five", 0, 0), 11).responses[0].partitions[0]
        topic = DescribeTopicPartitionsRequest.Topic(name="five")
        described = client.call(DescribeTopicPartitionsRequest(topics=[topic], cursor=None), 0)
        partition = FetchRequest.Topic.Partition(partition=0, fetch_offset=0, partition_max_bytes=1)
        begin = FetchRequest(
            max_wait_ms=0,
            min_bytes=0,
            max_bytes=1,
            session_id=0,
            session_epoch=0,
            topics=[FetchRequest.Topic(topic="five", partitions=[partition])],
        )
        session = client.call(begin, 11).session_id
        refused = False
        try:
            put(client, "five", 0, records(b"x" * 3000))
        except Closed:
            refused = True
    return len(list(batches(bytes(found.records)))), len(described.topics[0].partitions), session != 0, refused


def set_for_all_brokers(node: Node, key: str, value: str) -> None:
    """At run time."""
    Resource = IncrementalAlterConfigsRequest.AlterConfigsResource
    config = Resource.AlterableConfig(name=key, config_operation=0, value=value)
    with closing(Client(node.port)) as client:
        asked = IncrementalAlterConfigsRequest(resources=[Resource(resource_type=4, resource_name="", configs=[config])], validate_only=False)
        assert not client.call(asked, 1).responses[0].error_code


def test_threads_and_backlog(odd: Node, small: Node) -> None:
    """num.network.threads; socket.listen.backlog.size: how many the system lets in while the node does nothing."""
    before = _loops(odd)
    assert _loops(small) == before + 1
    assert _let_in(odd, 12) < 5
    assert _let_in(small, 12) == 12
    set_for_all_brokers(odd, "num.network.threads", "2")
    wait_until(lambda: _loops(odd) == before + 1)  # without a restart
    set_for_all_brokers(odd, "num.network.threads", "1")  # as it was


def _loops(node: Node) -> int:
    """How many threads wait for events, which a network thread does all its life. Others come and go: one brings a node up, one writes snapshots."""
    found = 0
    for path in Path(f"/proc/{node.pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found += os.readlink(path) == "anon_inode:[eventpoll]"
    return found


@pytest.mark.parametrize("threads", [1, 2])
def test_recovery_threads(barnabas_nodes: NodeFactory, threads: int) -> None:
    """num.recovery.threads.per.data.dir: how many long logs are opened at a time after a crash, seen by files whose opening the system holds up."""
    node = barnabas_nodes({"num.recovery.threads.per.data.dir": str(threads)})
    create_topics(node.port, "t", partitions=3)
    client = Client(node.port)
    for partition in range(3):
        for _ in range(2):
            assert not put(client, "t", partition, records(b"x" * 900_000)).error_code
    client.close()
    node.kill()
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)  # how the system tells who holds a lease that somebody opens the file
    leases = [os.open(path, os.O_RDONLY) for path in node.log_dir.glob("t-*/partition.metadata")]
    try:
        for lease in leases:
            fcntl.fcntl(lease, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        node.spawn()
        while leases:
            wait_until(lambda: len(_awaited(leases)) >= min(threads, len(leases)))
            time.sleep(0.1)
            awaited = _awaited(leases)
            assert len(awaited) == min(threads, len(leases))
            leases.remove(awaited[0])
            os.close(awaited[0])
    finally:
        for lease in leases:
            os.close(lease)
        signal.signal(signal.SIGIO, before)
    wait_until(lambda: nodes.lists_broker("127.0.0.1", node.port))
    client = Client(node.port)
    for partition in range(3):
        assert put(client, "t", partition, records(b"x")).base_offset == 2
    client.close()


def _awaited(leases: list[int]) -> list[int]:
    """Those of files that somebody waits for."""
    return [lease for lease in leases if fcntl.fcntl(lease, fcntl.F_GETLEASE) != fcntl.F_WRLCK]


def _let_in(node: Node, count: int) -> int:
    nodes.hold(node.pid)
    made = [socket.socket() for _ in range(count)]
    try:
        for one in made:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", node.port))
        time.sleep(0.3)
        return sum(_is_connected(one) for one in made)
    finally:
        for one in made:
            one.close()
        os.kill(node.pid, signal.SIGCONT)


def _is_connected(one: socket.socket) -> bool:
    try:
        one.getpeername()
    except OSError:
        return False
    return True


def test_metadata_snapshots_and_segments(odd: Node, small: Node, large: Node) -> None:
    """metadata.log.max.record.bytes.between.snapshots, metadata.log.max.snapshot.interval.ms, metadata.log.segment.ms, metadata.max.idle.interval.ms,
    internal.metadata.log.segment.bytes."""
    quiet, by_bytes, by_time = odd, small, large
    with client_of(quiet) as one, client_of(by_time) as other:
        wait_until(lambda: high_watermark(one) > 0)
        wait_until(lambda: high_watermark(one) == high_watermark(one))
        before, then = high_watermark(one), high_watermark(other)
        wait_until(lambda: high_watermark(other) > then + 10)
        assert high_watermark(one) == before
    for node in (by_bytes, by_time):
        create_topics(node.port, "twenty", partitions=20)
        wait_until(lambda node=node: len(metadata_files(node, "*.checkpoint")) > 1)
        wait_until(lambda node=node: len(metadata_files(node, "*.log")) > 1)
    assert len(metadata_files(quiet, "*.checkpoint")) == 1, "the one that format wrote"
    assert len(metadata_files(quiet, "*.log")) == 1


def test_heartbeats(barnabas_nodes: NodeFactory) -> None:
    """broker.heartbeat.interval.ms: a broker that somebody unregistered learns of it by its next heartbeat."""
    often, seldom = (barnabas_nodes({"broker.heartbeat.interval.ms": interval, "broker.session.timeout.ms": "9000"}) for interval in ("50", SELDOM))
    for node in (seldom, often):
        with client_of(node) as client:
            assert client.call(UnregisterBrokerRequest(broker_id=1), 0).error_code == 0
    wait_until(lambda: "Heartbeat refused" in often.tail())
    assert "Heartbeat refused" not in seldom.tail()


def test_config_providers(barnabas_nodes: NodeFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """config.providers: values from a properties file, from a directory's files and from the environment; what nobody has stays as it is written, and is told."""
    (tmp_path / "secrets.properties").write_text("partitions=3\n")
    (tmp_path / "rack").write_text("a-rack")
    monkeypatch.setenv("SIZE", "4321")
    package = "org.apache.kafka.common.config.provider."
    node = barnabas_nodes(
        {
            "config.providers": "file,dir,env",
            "config.providers.file.class": f"{package}FileConfigProvider",
            "config.providers.dir.class": f"{package}DirectoryConfigProvider",
            "config.providers.env.class": f"{package}EnvVarConfigProvider",
            "num.partitions": f"${{file:{tmp_path}/secrets.properties:partitions}}",
            "broker.rack": f"${{dir:{tmp_path}:rack}}-${{file:{tmp_path}/secrets.properties:missing}}",
            "message.max.bytes": "${env:SIZE}",
        }
    )
    with client_of(node) as client:
        assert client.call(DescribeClusterRequest(), 0).brokers[0].rack == f"a-rack-${{file:{tmp_path}/secrets.properties:missing}}"
        resource = DescribeConfigsRequest.Resource(resource_type=4, resource_name="1", configuration_keys=["message.max.bytes", "num.partitions"])
        described = client.call(DescribeConfigsRequest(resources=[resource]), 4).results[0].configs
        assert {config.name: config.value for config in described} == {"message.max.bytes": "4321", "num.partitions": "3"}
    assert "missing} stays as it is written" in node.tail()
    assert "is ignored" not in node.tail()


def test_the_offsets_topic(odd: Node, small: Node) -> None:
    """offsets.topic.num.partitions, offsets.topic.segment.bytes, offsets.topic.compression.codec, offsets.topic.replication.factor."""
    log = odd.log_dir / f"{OFFSETS}-0" / f"{0:020}.log"
    before = log.stat().st_size if log.exists() else 0
    create_topics(odd.port, "t")
    with client_of(odd) as client:
        commit(client, "g")
        assert len(client.metadata(OFFSETS).partitions) == 1
        headers = [header for _, header in iterate_headers(log.read_bytes()[before:])]
        assert {header.codec for header in headers if not header.is_control} == {Codec.GZIP}
        resource = DescribeConfigsRequest.Resource(resource_type=2, resource_name=OFFSETS, configuration_keys=["segment.bytes"])
        assert client.call(DescribeConfigsRequest(resources=[resource]), 4).results[0].configs[0].value == "2097152"
    with client_of(small) as client:
        found = client.call(FindCoordinatorRequest(key="g"), 3)
        create_topics(small.port, "behind-it")
        again = client.call(FindCoordinatorRequest(key="g"), 3)
        assert found.error_code == again.error_code == Error.COORDINATOR_NOT_AVAILABLE
        assert client.metadata(OFFSETS).error_code == Error.UNKNOWN_TOPIC_OR_PARTITION


def commit(client: Client, group: str, topic: str = "t", retention_ms: int = -1) -> None:
    """Offset 5 of a topic's partition 0, as somebody who is in no group."""
    wait_until(lambda: client.call(FindCoordinatorRequest(key=group), 3).error_code == 0)
    Topic = OffsetCommitRequest.Topic
    partition = Topic.Partition(partition_index=0, committed_offset=5, committed_metadata="")
    request = OffsetCommitRequest(group_id=group, retention_time_ms=retention_ms, topics=[Topic(name=topic, partitions=[partition])])
    wait_until(lambda: client.call(request, 4).topics[0].partitions[0].error_code == 0)


def committed(client: Client, group: str, topic: str) -> int:
    asked = OffsetFetchRequest(group_id=group, topics=[OffsetFetchRequest.Topic(name=topic, partition_indexes=[0])])
    found = client.call(asked, 5)
    return -2 if found.error_code else int(found.topics[0].partitions[0].committed_offset)


def put_as_admin(client: Client, topic: str, data: bytes) -> int:
    """Kafka's own tools may write internal topics, under their name."""
    request = produce(topic, 0, data)
    client.send(encode_request(APIS[0], 9, 1, "__admin_client", request))
    body = client.read_frame()
    api = APIS[0]
    _, position = read_response_header(body, api, 9)
    return int(api.response().decode_from(body, 9, position)[0].responses[0].partition_responses[0].error_code)


def test_offsets_expire(odd: Node) -> None:
    """offsets.retention.check.interval.ms, and offsets.retention.minutes: an offset from two hours ago is gone, one of now isn't."""
    create_topics(odd.port, "aging")
    with client_of(odd) as client:
        commit(client, "passing", "aging", retention_ms=1)
        commit(client, "new", "aging")
        wait_until(lambda: committed(client, "passing", "aging") == -1)
        assert committed(client, "new", "aging") == 5
        key = OffsetCommitKey(group="old", topic="aging", partition=0)
        value = OffsetCommitValue(offset=5, metadata="", commit_timestamp=time.time_ns() // 1_000_000 - 7_200_000)
        assert put_as_admin(client, OFFSETS, _offset_record(key, value)) == 0
    odd.stop()
    odd.start()
    with client_of(odd) as client:
        wait_until(lambda: committed(client, "new", "aging") == 5)
        wait_until(lambda: committed(client, "old", "aging") == -1)


def _offset_record(key: OffsetCommitKey, value: OffsetCommitValue) -> bytes:
    return build_batch([Record(timestamp=0, key=b"\x00\x01" + key.encode(0), value=b"\x00\x03" + value.encode(3))])


def test_sessions_of_members(odd: Node) -> None:
    """group.min.session.timeout.ms, group.max.session.timeout.ms."""
    with client_of(odd) as client:
        wait_until(lambda: client.call(FindCoordinatorRequest(key="g"), 3).error_code == 0)
        answers = [join(client, timeout_ms) for timeout_ms in (9_999, 10_000, 20_000, 20_001)]
    bad, good = Error.INVALID_SESSION_TIMEOUT, Error.MEMBER_ID_REQUIRED
    assert answers == [bad, good, good, bad]


def join(client: Client, session_timeout_ms: int) -> int:
    protocol = JoinGroupRequest.Protocol(name="range", metadata=b"")
    request = JoinGroupRequest(
        group_id="g", session_timeout_ms=session_timeout_ms, rebalance_timeout_ms=1000, member_id="", protocol_type="consumer", protocols=[protocol]
    )
    found: list[int] = []

    def loaded() -> bool:
        found.append(client.call(request, 4).error_code)
        return found[-1] not in (Error.COORDINATOR_LOAD_IN_PROGRESS, Error.NOT_COORDINATOR, Error.COORDINATOR_NOT_AVAILABLE)

    wait_until(loaded)
    return found[-1]


def test_producers_are_forgotten(odd: Node, small: Node, large: Node) -> None:
    """producer.id.expiration.ms, producer.id.expiration.check.interval.ms."""
    quick, late, lazy = odd, large, small
    asked = DescribeProducersRequest(topics=[DescribeProducersRequest.Topic(name="producers", partition_indexes=[0])])

    def producers(node: Node) -> int:
        with client_of(node) as client:
            return len(client.call(asked, 0).topics[0].partitions[0].active_producers)

    for node in (lazy, late, quick):
        create_topics(node.port, "producers")
        with client_of(node) as client:
            assert put(client, "producers", 0, records(b"x", producer=(5, 0, 0))).error_code == 0
    wait_until(lambda: producers(quick) == 0)
    assert (producers(late), producers(lazy)) == (1, 1)
    set_for_all_brokers(late, "producer.id.expiration.ms", "1")
    wait_until(lambda: producers(late) == 0)  # without a restart
    set_for_all_brokers(late, "producer.id.expiration.ms", SELDOM)  # as it was


def test_socket_buffers(small: Node, large: Node) -> None:
    """socket.receive.buffer.bytes, socket.send.buffer.bytes: what the system keeps for a node that doesn't read, and for a client that doesn't."""
    (came, left), (came_large, left_large) = _queues(small), _queues(large)
    assert came < 100_000 < came_large
    assert left < 100_000 < left_large


def _queues(node: Node) -> tuple[int, int]:
    """Bytes that wait in the system's queues of one connection, at the node's end: before it reads them, and before its client does."""
    create_topics(node.port, "queued")
    with client_of(node) as client:
        for _ in range(4):
            assert put(client, "queued", 0, records(b"x" * 900_000)).error_code == 0
        client.send(encode_request(APIS[1], 11, 1, "idle", fetch("queued", 0, 0)))
        wait_until(lambda: _queue(node, client, 0) > 0)
        left, quiet = 0, 0
        while quiet < 10:  # it has sent what it can when it sleeps though nobody takes any of it
            before, left = left, _queue(node, client, 0)
            quiet = quiet + is_asleep(node) if left == before else 0
            time.sleep(0.01)
    with client_of(node) as client:
        nodes.hold(node.pid)
        try:
            client.socket.setblocking(False)
            refused = 0
            while refused < 30:
                try:
                    client.socket.send(b"\0" * 65536)
                    refused = 0
                except BlockingIOError:
                    refused += 1
                    time.sleep(0.01)
            came = _queue(node, client, 1)
        finally:
            os.kill(node.pid, signal.SIGCONT)
    return came, left


def _queue(node: Node, client: Client, which: int) -> int:
    """0: sent and not taken, 1: come and not read."""
    here, there = node.port, client.socket.getsockname()[1]
    for table in ("tcp", "tcp6"):
        with open(f"/proc/{node.pid}/net/{table}") as lines:
            for line in list(lines)[1:]:
                _, local, remote, _, queues, *_ = line.split()
                if (int(local.rpartition(":")[2], 16), int(remote.rpartition(":")[2], 16)) == (here, there):
                    return int(queues.split(":")[which], 16)
    return -1
