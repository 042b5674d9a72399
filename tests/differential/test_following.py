"""What a follower asks of its leader, whatever that answers: Apache Kafka's broker and Barnabas' ask the same. R1-R16.

The leader is played. It leads two partitions of one topic; the real node has the other replica of each. One answer after the other is given, and what the
follower asks next is noted.
"""

from __future__ import annotations

import pprint
import queue
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from barnabas.wire.errors import Error
from barnabas.wire.messages.create_topics import CreateTopicsRequest
from barnabas.wire.messages.fetch import FetchRequest, FetchResponse
from barnabas.wire.messages.incremental_alter_configs import IncrementalAlterConfigsRequest
from barnabas.wire.messages.list_offsets import ListOffsetsRequest, ListOffsetsResponse
from barnabas.wire.records.batch import stamp
from barnabas.wire.records.builder import build_batch
from barnabas.wire.records.record import Record
from tests.differential.transcript import Client
from tests.played_broker import Asked, PlayedBroker
from tests.system.waiting import wait_until

if TYPE_CHECKING:
    from barnabas.wire.schema import Message
    from tests.conftest import NodeFactory
    from tests.nodes import Node

pytestmark = [pytest.mark.apache, pytest.mark.node]

TOPIC = "followed"
SETTINGS = {
    "replica.fetch.backoff.ms": "300",
    "replica.fetch.wait.max.ms": "1234",
    "replica.fetch.min.bytes": "7",
    "replica.fetch.max.bytes": "54321",
    "replica.fetch.response.max.bytes": "7654321",
    "replica.socket.timeout.ms": "30000",
    "broker.session.timeout.ms": "60000",
    "default.replication.factor": "1",
}
Row = FetchResponse.FetchableTopicResponse.PartitionData


class Leader:
    """Answers fetches with what the test puts into `answers`, and holds those for which there is nothing."""

    def __init__(self) -> None:
        self.answers: queue.Queue[FetchResponse] = queue.Queue()
        self.fetches: queue.Queue[Asked] = queue.Queue()
        self.others: list[Asked] = []
        self.topic_id = b""
        self.latest, self.earliest = 4, 0
        self.tells_offsets = True

    def answer(self, asked: Asked) -> Message | None:
        request = asked.request
        if isinstance(request, FetchRequest):
            self.fetches.put(asked)
            return self.answers.get(timeout=30)
        self.others.append(asked)
        if isinstance(request, ListOffsetsRequest) and self.tells_offsets:
            (topic,) = request.topics
            (wanted,) = topic.partitions
            offset = self.latest if wanted.timestamp == -1 else self.earliest
            row = ListOffsetsResponse.Topic.Partition(partition_index=wanted.partition_index, error_code=0, offset=offset, leader_epoch=0)
            return ListOffsetsResponse(topics=[ListOffsetsResponse.Topic(name=topic.name, partitions=[row])])
        return None

    def tell(self, *rows: Row, session_id: int = 77, error: Error = Error.NONE) -> None:
        topics = [FetchResponse.FetchableTopicResponse(topic_id=self.topic_id, partitions=list(rows))] if rows else []
        self.answers.put(FetchResponse(session_id=session_id, error_code=error, responses=topics))

    def next(self) -> Asked:
        return self.fetches.get(timeout=40)


def records(offset: int, count: int, epoch: int = 0) -> bytes:
    batch = bytearray(build_batch([Record(timestamp=1_700_000_000_000 + n, key=None, value=b"v%d" % n) for n in range(count)]))
    stamp(batch, offset, epoch)
    return bytes(batch)


def row(partition: int, data: bytes = b"", *, high_watermark: int = 0, error: Error = Error.NONE, start: int = 0, **more: Any) -> Row:
    return Row(
        partition_index=partition, error_code=error, high_watermark=high_watermark, last_stable_offset=0, log_start_offset=start, records=data, **more
    )


def shown(asked: Asked) -> dict[str, Any]:
    """A fetch without what differs from run to run."""
    request = asked.request
    assert isinstance(request, FetchRequest)
    return {
        "version": asked.version,
        "client": asked.client_id,
        "replica": (request.replica_state.replica_id, request.replica_state.replica_epoch > 0),
        "limits": (request.max_wait_ms, request.min_bytes, request.max_bytes, request.isolation_level),
        "session": (request.session_id, request.session_epoch),
        "partitions": sorted(
            (p.partition, p.current_leader_epoch, p.fetch_offset, p.last_fetched_epoch, p.log_start_offset, p.partition_max_bytes)
            for topic in request.topics
            for p in topic.partitions
        ),
        "forgotten": sorted(index for topic in request.forgotten_topics_data for index in topic.partitions),
    }


def create(node: Node, *, partitions: int, name: str = TOPIC) -> bytes:
    """A topic that the played broker leads; its id."""
    of = CreateTopicsRequest.CreatableTopic
    assignments = [of.CreatableReplicaAssignment(partition_index=n, broker_ids=[2, 1]) for n in range(partitions)]
    topic = of(name=name, num_partitions=-1, replication_factor=-1, assignments=assignments)
    with closing(Client(node.port)) as client:
        (made,) = client.call(CreateTopicsRequest(topics=[topic], timeout_ms=5000), 7).topics
    assert made.error_code == 0, made
    topic_id: bytes = made.topic_id
    return topic_id


def follow(node: Node) -> list[tuple[str, Any]]:
    leader, noted = Leader(), []
    with PlayedBroker(node, 2, leader.answer):
        leader.topic_id = create(node, partitions=2)

        def step(title: str, *rows: Row, **told: Any) -> Asked:
            """Tell the follower something; what it asks next."""
            leader.tell(*rows, **told)
            asked = leader.next()
            noted.append((title, shown(asked)))
            return asked

        first = _with_both(leader)
        noted.append(("first", shown(first)))
        step("records", row(0, records(0, 3)), row(1))
        step("nothing new")
        step("a high watermark", row(0, high_watermark=3))
        step("several batches, the last one cut", row(0, records(3, 2) + records(5, 1) + records(6, 1)[:40], high_watermark=3))
        step("both", row(0, records(6, 1), high_watermark=6), row(1, records(0, 2), high_watermark=1))
        step("another session", error=Error.FETCH_SESSION_ID_NOT_FOUND, session_id=0)
        step("its first answer", row(0, high_watermark=6), row(1, high_watermark=1), session_id=78)
        step("no session", session_id=78, error=Error.INVALID_FETCH_SESSION_EPOCH)
        step("again", row(0, high_watermark=6), row(1, high_watermark=1), session_id=79)
        step("log start", row(0, high_watermark=7, start=2), session_id=79)
        step("parted", row(1, diverging_epoch=Row.EpochEndOffset(epoch=0, end_offset=1)), session_id=79)
        step("on from there", row(1, records(1, 1), high_watermark=1), session_id=79)
        noted.append(("other questions", [type(asked.request).__name__ for asked in leader.others]))
        leader.tell(row(0, error=Error.OFFSET_OUT_OF_RANGE), session_id=79)
        again = _next_with(leader, 0)
        noted.append(("out of range", [(p.partition, p.fetch_offset, p.last_fetched_epoch) for t in again.topics for p in t.partitions]))
        noted.append(("asked of the leader", [_asked_offsets(asked) for asked in leader.others]))
        leader.latest, leader.earliest = 90, 80
        leader.tell(row(0, error=Error.OFFSET_OUT_OF_RANGE), session_id=79)
        again = _next_with(leader, 0)
        noted.append(
            ("far behind", [(p.partition, p.fetch_offset, p.last_fetched_epoch, p.log_start_offset) for t in again.topics for p in t.partitions])
        )
        leader.answers.put(FetchResponse(session_id=79))
    return noted


def _with_both(leader: Leader) -> Asked:
    """The first fetch that has both partitions: they may come one after the other."""
    while True:
        asked = leader.next()
        assert isinstance(asked.request, FetchRequest)
        if asked.request.session_epoch == 0 and sum(len(topic.partitions) for topic in asked.request.topics) == 2:
            return asked
        leader.tell(session_id=0)


def _next_with(leader: Leader, partition: int) -> FetchRequest:
    """The next fetch that names a partition; what comes before is answered with nothing."""
    while True:
        request = leader.next().request
        assert isinstance(request, FetchRequest)
        if any(p.partition == partition for topic in request.topics for p in topic.partitions):
            return request
        leader.tell(session_id=79)


def _asked_offsets(asked: Asked) -> tuple[Any, ...]:
    request = asked.request
    assert isinstance(request, ListOffsetsRequest)
    ((wanted,),) = (topic.partitions for topic in request.topics)
    return asked.version, request.replica_id, request.isolation_level, wanted.partition_index, wanted.current_leader_epoch, wanted.timestamp


def test_follows_alike(apache_nodes: NodeFactory, barnabas_nodes: NodeFactory) -> None:
    with ThreadPoolExecutor(2) as pool:
        theirs, ours = pool.map(lambda make: follow(make(SETTINGS)), (apache_nodes, barnabas_nodes))
    assert pprint.pformat(ours, width=150) == pprint.pformat(theirs, width=150)


@pytest.mark.timeout(60)
def test_fetchers_pauses_and_patience(barnabas_nodes: NodeFactory) -> None:
    """num.replica.fetchers connections to a leader; pauses that grow to replica.fetch.backoff.ms, and new connections after replica.socket.timeout.ms."""
    settings = {
        "num.replica.fetchers": "2",
        "replica.fetch.backoff.ms": "200",
        "replica.socket.timeout.ms": "700",
        "broker.session.timeout.ms": "60000",
    }
    leader, times = Leader(), []
    with PlayedBroker(node := barnabas_nodes(settings), 2, leader.answer):
        leader.topic_id = create(node, partitions=1)
        for _ in range(8):
            times.append(leader.next())
            leader.tell(row(0, error=Error.UNKNOWN_LEADER_EPOCH), session_id=0)
        assert times[-1].at_s - times[-2].at_s > 0.19
        unanswered = leader.next()
        again = leader.next()
        assert again.connection != unanswered.connection
        assert again.at_s - unanswered.at_s > 0.69
        leader.tell(session_id=0)
        leader.tell(session_id=0)
    leader = Leader()
    with PlayedBroker(node := barnabas_nodes(settings), 2, leader.answer):
        leader.topic_id = create(node, partitions=4)
        clients = set()
        while len(clients) < 2:
            clients.add(leader.next().client_id)
            leader.tell(session_id=0)
        assert clients == {"broker-1-fetcher-0", "broker-1-fetcher-1"}
        Resource = IncrementalAlterConfigsRequest.AlterConfigsResource
        config = Resource.AlterableConfig(name="num.replica.fetchers", config_operation=0, value="4")
        with closing(Client(node.port)) as client:
            asked = IncrementalAlterConfigsRequest(resources=[Resource(resource_type=4, resource_name="1", configs=[config])], validate_only=False)
            assert not client.call(asked, 1).responses[0].error_code
        while len(clients) < 4:  # without a restart
            clients.add(leader.next().client_id)
            leader.tell(session_id=0)
        assert clients == {f"broker-1-fetcher-{number}" for number in range(4)}


def test_offsets_that_nobody_tells(barnabas_nodes: NodeFactory) -> None:
    """A replica asks where its leader's log begins, by a connection that is given up for another replica's sake: it is fetched for again."""
    leader = Leader()
    leader.tells_offsets = False
    with PlayedBroker(node := barnabas_nodes({"broker.session.timeout.ms": "60000"}), 2, leader.answer):
        leader.topic_id = create(node, partitions=1)
        leader.next()
        leader.tell(row(0, error=Error.OFFSET_OUT_OF_RANGE), session_id=0)
        wait_until(lambda: leader.others)
        second = create(node, partitions=1, name="second")
        waits = leader.next()
        assert _topics(waits) == {second}
        third = create(node, partitions=1, name="third")
        again = leader.next()
        assert again.connection != waits.connection
        assert _topics(again) == {leader.topic_id, second, third}
        leader.tell(session_id=0)
        leader.tell(session_id=0)


def test_a_leader_that_never_tells_its_offsets(barnabas_nodes: NodeFactory) -> None:
    """Nothing else is asked of it: it is given up after replica.socket.timeout.ms all the same."""
    leader = Leader()
    leader.tells_offsets = False
    with PlayedBroker(node := barnabas_nodes({"broker.session.timeout.ms": "60000", "replica.socket.timeout.ms": "700"}), 2, leader.answer):
        leader.topic_id = create(node, partitions=1)
        first = leader.next()
        leader.tell(row(0, error=Error.OFFSET_OUT_OF_RANGE), session_id=0)
        again = leader.next()
        assert again.connection != first.connection
        assert _topics(again) == {leader.topic_id}
        leader.tell(session_id=0)


def _topics(asked: Asked) -> set[bytes]:
    assert isinstance(asked.request, FetchRequest)
    return {topic.topic_id for topic in asked.request.topics}
