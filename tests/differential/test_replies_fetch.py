"""The same Fetch, ListOffsets, OffsetForLeaderEpoch and DeleteRecords requests to both engines (W27, W28, R12-R15): sizes, errors, sessions, special timestamps."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from barnabas.wire.messages.delete_records import DeleteRecordsRequest
from barnabas.wire.messages.fetch import FetchRequest
from barnabas.wire.messages.list_offsets import ListOffsetsRequest
from barnabas.wire.messages.offset_for_leader_epoch import OffsetForLeaderEpochRequest
from barnabas.wire.messages.produce import ProduceRequest
from barnabas.wire.records.builder import build_batch
from barnabas.wire.records.record import Record
from tests.differential.transcript import Client, Transcript, assert_same, module_scripts

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.nodes import Node

pytestmark = [pytest.mark.apache, pytest.mark.node]

WHEN = 1_700_000_000_000
HURRIED_S = 5.0
TWICE = "one partition twice in a request"
NO_ID = "a Fetch that names the topic id of zeros beside an unknown one"
NONSENSE = "negative limits in Fetch, or an unknown isolation level"
Topic = FetchRequest.Topic
Part = FetchRequest.Topic.Partition


def _fill(script: Transcript, topic: str, batches: int = 5, size: int = 100, partition: int = 0, step_ms: int = 1000) -> None:
    """Batches of two records, `step_ms` apart."""
    data = ProduceRequest.TopicProduceData
    for n in range(batches):
        when = WHEN + n * step_ms
        records = build_batch([Record(timestamp=when, value=b"a" * size), Record(timestamp=when + step_ms // 2, value=b"b" * size)])
        part = data.PartitionProduceData(index=partition, records=records)
        reply = script.client.call(ProduceRequest(acks=-1, timeout_ms=5000, topic_data=[data(name=topic, partition_data=[part])]), 9)
        assert reply.responses[0].partition_responses[0].error_code == 0


def _fetch(
    topic: str, offset: int, *, topic_id: bytes = bytes(16), wait_ms: int = 0, min_bytes: int = 0, max_bytes: int = 1 << 24, **fields: int
) -> FetchRequest:
    part = Part(**{"partition": 0, "fetch_offset": offset, "partition_max_bytes": 1 << 20, **fields})  # type: ignore[arg-type]
    return FetchRequest(
        max_wait_ms=wait_ms, min_bytes=min_bytes, max_bytes=max_bytes, topics=[Topic(topic=topic, topic_id=topic_id, partitions=[part])]
    )


def every_version(script: Transcript) -> None:
    topic_id = script.create_topic("fetch-versions")
    _fill(script, "fetch-versions")
    script.all_versions(lambda _: _fetch("fetch-versions", 0), last=12)
    script.all_versions(lambda _: _fetch("", 0, topic_id=topic_id), first=13)
    script.all_versions(lambda _: _fetch("fetch-versions", 3), "inside a batch", last=12)


def what_is_not_there(script: Transcript) -> None:
    topic_id = script.create_topic("fetch-errors")
    _fill(script, "fetch-errors")
    for version in (4, 11, 12):
        script.call(_fetch("fetch-absent", 0), version, "unknown topic")
        script.call(_fetch("not/legal", 0), version, "illegal topic")
        script.call(_fetch("fetch-errors", 0, partition=7), version, "unknown partition")
        script.call(_fetch("fetch-errors", 0, partition=-1), version, "negative partition")
    for version in (13, 17, 18):
        script.call(_fetch("", 0, topic_id=b"\1" * 16), version, "unknown id")
        script.call(_fetch("", 0), version, "no id")
        script.call(_fetch("", 0, topic_id=topic_id, partition=7), version, "unknown partition")
    for version in (4, 12):
        for offset in (-1, -2, 10, 11, 1 << 40, -(1 << 62)):
            script.call(_fetch("fetch-errors", offset), version, f"offset {offset}")
    for version in (9, 12):
        for epoch in (-1, 0, 1, 5, -2):
            script.call(_fetch("fetch-errors", 0, current_leader_epoch=epoch), version, f"leader epoch {epoch}")
    script.call(_fetch("fetch-errors", 10, last_fetched_epoch=0), 12, "last fetched epoch")
    script.call(_fetch("fetch-errors", 10, last_fetched_epoch=4), 12, "last fetched epoch ahead")


def several_ids(script: Transcript) -> None:
    """Known, unknown and no topic id side by side, without a session and at the begin of one."""
    known, unknown, none = script.create_topic("fetch-several"), b"\1" * 16, bytes(16)
    _fill(script, "fetch-several")
    for named in ([known, none], [none, known], [unknown, known], [known, unknown], [none, unknown], [unknown, none]):
        topics = [_fetch("", 4, topic_id=topic_id).topics[0] for topic_id in named]
        for version, epoch in ((13, -1), (17, -1), (13, 0), (17, 0)):
            request = FetchRequest(max_wait_ms=0, min_bytes=0, session_epoch=epoch, topics=topics)
            script.call(request, version, f"epoch {epoch}", differs=NO_ID if none in named and unknown in named else "")


def long_and_short(script: Transcript) -> None:
    """Slices that leave by a send of their own among such as are gathered."""
    script.create_topic("fetch-long", 4)
    for partition, size in enumerate((10, 30_000, 8_000, 100_000)):
        _fill(script, "fetch-long", batches=2, size=size, partition=partition)
    for order in ((0, 1, 2, 3), (3, 2, 1, 0), (1, 3), (0, 2)):
        parts = [Part(partition=n, fetch_offset=0, partition_max_bytes=1 << 20) for n in order]
        script.call(FetchRequest(max_wait_ms=0, min_bytes=0, topics=[Topic(topic="fetch-long", partitions=parts)]), 12, f"{order}")


def sizes(script: Transcript) -> None:
    """The first batch comes whole even above the limits; later ones are cut."""
    script.create_topic("fetch-sizes", 2)
    _fill(script, "fetch-sizes", size=400)
    _fill(script, "fetch-sizes", size=400, partition=1)
    for version in (4, 12):
        for limit in (0, 1, 100, 900, 1800, 2000, 3000, 1 << 30):
            script.call(_fetch("fetch-sizes", 0, partition_max_bytes=limit), version, f"partition limit {limit}")
            script.call(_fetch("fetch-sizes", 0, max_bytes=limit), version, f"limit {limit}")
            script.call(_fetch("fetch-sizes", 5, partition_max_bytes=limit), version, f"partition limit {limit} from inside")
    for limit in (0, 1, 1000, 2000, 6000):
        parts = [Part(partition=n, fetch_offset=0, partition_max_bytes=1 << 20) for n in (1, 0)]
        script.call(
            FetchRequest(max_wait_ms=0, min_bytes=0, max_bytes=limit, topics=[Topic(topic="fetch-sizes", partitions=parts)]),
            12,
            f"two, limit {limit}",
        )
        parts = [Part(partition=n, fetch_offset=0, partition_max_bytes=limit) for n in (1, 0)]
        script.call(FetchRequest(max_wait_ms=0, min_bytes=0, topics=[Topic(topic="fetch-sizes", partitions=parts)]), 12, f"two, each {limit}")
    script.call(FetchRequest(max_wait_ms=0, min_bytes=0, topics=[]), 12, "no topics")
    script.call(
        FetchRequest(
            max_wait_ms=0,
            min_bytes=0,
            isolation_level=1,
            topics=[Topic(topic="fetch-sizes", partitions=[Part(partition=0, fetch_offset=0, partition_max_bytes=9999)])],
        ),
        12,
        "read committed",
    )
    script.call(
        FetchRequest(
            max_wait_ms=0,
            min_bytes=0,
            isolation_level=9,
            topics=[Topic(topic="fetch-sizes", partitions=[Part(partition=0, fetch_offset=0, partition_max_bytes=9999)])],
        ),
        12,
        "isolation level 9",
        differs=NONSENSE,
    )
    script.call(
        FetchRequest(
            max_wait_ms=0,
            min_bytes=0,
            topics=[Topic(topic="fetch-sizes", partitions=[Part(partition=0, fetch_offset=0, partition_max_bytes=999)] * 2)],
        ),
        12,
        "one partition twice",
        differs=TWICE,
    )


def read_committed(script: Transcript) -> None:
    """No aborted transactions, and nothing that could have had any, are told apart."""
    topic_id = script.create_topic("fetch-committed", 2)
    _fill(script, "fetch-committed", 2)
    for version in range(4, 19):
        for partition, offset, limit in ((0, 0, 1 << 20), (0, 4, 1 << 20), (0, 99, 1 << 20), (1, 0, 0), (1, -1, 100), (7, 0, 100)):
            request = _fetch(
                "fetch-committed", offset, topic_id=topic_id if version >= 13 else bytes(16), partition=partition, partition_max_bytes=limit
            )
            request.isolation_level = 1
            script.call(request, version, f"{partition} from {offset}")
    _fill(script, "fetch-committed", 2, partition=1)
    for limit in (0, 1, 150, 300, 1 << 20):
        parts = [Part(partition=0, fetch_offset=2, partition_max_bytes=1 << 20), Part(partition=1, fetch_offset=0, partition_max_bytes=1 << 20)]
        request = FetchRequest(max_wait_ms=0, min_bytes=0, max_bytes=limit, topics=[Topic(topic="fetch-committed", partitions=parts)])
        request.isolation_level = 1
        script.call(request, 12, f"limit {limit}, two")
    for epochs in ({"current_leader_epoch": 5}, {"last_fetched_epoch": 0}, {"last_fetched_epoch": 3}):
        request = _fetch("fetch-committed", 2, **epochs)
        request.isolation_level = 1
        script.call(request, 12, str(epochs))


def waiting(script: Transcript) -> None:
    """Unmet min bytes wait out max wait; met ones and errors don't (W27)."""
    script.create_topic("fetch-waiting")
    _fill(script, "fetch-waiting")

    def lasts(ask: Callable[[], object]) -> bool:
        before = time.monotonic()
        ask()
        return time.monotonic() - before > 0.35

    def timed(note: str, request: FetchRequest) -> None:
        waits = lasts(lambda: script.call(request, 12, note))
        script.note(f"{note}: waits", waits and all(lasts(lambda: script.client.call(request, 12)) for _ in range(2)))  # once may be the machine

    timed("at the end", _fetch("fetch-waiting", 10, wait_ms=400, min_bytes=1))
    timed("at the end, no min bytes", _fetch("fetch-waiting", 10, wait_ms=400, min_bytes=0))
    timed("more than there is", _fetch("fetch-waiting", 8, wait_ms=400, min_bytes=100_000))
    timed("less than there is", _fetch("fetch-waiting", 0, wait_ms=400, min_bytes=10))
    timed("an error", _fetch("fetch-waiting", 99, wait_ms=400, min_bytes=1))
    timed("no wait", _fetch("fetch-waiting", 10, wait_ms=0, min_bytes=1))
    timed("negative wait", _fetch("fetch-waiting", 10, wait_ms=-1, min_bytes=1))
    timed("no topics", FetchRequest(max_wait_ms=400, min_bytes=1, topics=[]))


def what_hurries_a_fetch_that_waits(script: Transcript) -> None:
    """It waits for 20 s, which is longer than its client does: "no answer" is one of the answers. Each has a connection of its own, and all wait together."""
    script.create_topic("fetch-hurried", 2)
    _fill(script, "fetch-hurried")
    script.create_topic("fetch-segments")
    _fill(script, "fetch-segments", 3, step_ms=5 * 24 * 3_600_000)  # records of ten days: the log is rolled
    ended = Part(partition=0, fetch_offset=10, partition_max_bytes=1 << 20)
    absent, beyond = Part(partition=7, partition_max_bytes=1 << 20), Part(partition=1, fetch_offset=5, partition_max_bytes=1 << 20)
    asked = {"up to a segment's end": _fetch("fetch-segments", 0, wait_ms=20_000, min_bytes=10_000)}
    for note, parts in (
        ("nothing to read", [ended]),
        ("beside an absent one", [ended, absent]),
        ("absent", [absent]),
        ("out of range", [ended, beyond]),
    ):
        topics = [Topic(topic="fetch-hurried", partitions=[Part(**{f.name: getattr(part, f.name) for f in part.fields}) for part in parts])]
        asked[note] = FetchRequest(max_wait_ms=20_000, min_bytes=1, topics=topics)

    def answer(request: FetchRequest) -> object:
        with closing(Client(script.node.port, timeout_s=HURRIED_S)) as client:
            try:
                return client.call(request, 12)
            except TimeoutError:
                return "no answer"

    with ThreadPoolExecutor(len(asked)) as pool:
        for note, answered in zip(asked, pool.map(answer, asked.values()), strict=True):
            script.note(note, answered)


def sessions(script: Transcript) -> None:
    """KIP-227: what a session leaves out, brings back, forgets; wrong ids and epochs."""
    ids = [script.create_topic("session-a", 2), script.create_topic("session-b", 1)]
    _fill(script, "session-a")
    names = ["session-a", "session-b"]

    def request(session: int, epoch: int, wanted: list[tuple[int, int, int]], forgotten: list[tuple[int, int]] = []) -> FetchRequest:  # noqa: B006
        topics = [
            Topic(topic=names[t], topic_id=ids[t], partitions=[Part(partition=p, fetch_offset=o, partition_max_bytes=1 << 20)]) for t, p, o in wanted
        ]
        gone = [FetchRequest.ForgottenTopic(topic=names[t], topic_id=ids[t], partitions=[p]) for t, p in forgotten]
        return FetchRequest(max_wait_ms=0, min_bytes=0, session_id=session, session_epoch=epoch, topics=topics, forgotten_topics_data=gone)

    for version in (7, 12, 13, 17):
        full = script.call(request(0, 0, [(0, 0, 0), (0, 1, 0), (1, 0, 0)]), version, "full, opens a session")
        session = full.session_id
        script.call(request(session, 1, []), version, "same again: the data is still new to it")
        script.call(request(session, 2, [(0, 0, 10)]), version, "moved to the end")
        script.call(request(session, 3, []), version, "nothing new")
        _fill(script, "session-b", 1)
        script.call(request(session, 4, []), version, "new data in b")
        script.call(request(session, 5, [(1, 0, 99)]), version, "out of range in b")
        script.call(request(session, 6, []), version, "still out of range")
        script.call(request(session, 7, [], [(1, 0)]), version, "b forgotten")
        script.call(request(session, 7, []), version, "epoch again")
        script.call(request(session, 20, []), version, "epoch ahead")
        script.call(request(session, 8, [(1, 0, 0)]), version, "b again")
        script.call(request(12345, 1, []), version, "unknown session")
        script.call(request(session, -1, [(0, 0, 0)]), version, "closes the session")
        script.call(request(session, 9, []), version, "after the close")
        script.call(request(0, -1, [(0, 0, 0)]), version, "no session")
        script.call(request(0, 5, [(0, 0, 0)]), version, "no session, odd epoch")


def list_offsets(script: Transcript) -> None:
    """W28."""
    script.create_topic("offsets")
    script.create_topic("offsets-empty")
    _fill(script, "offsets")
    ask = ListOffsetsRequest.Topic

    def request(topic: str, timestamp: int, partition: int = 0, isolation: int = 0, epoch: int = -1) -> ListOffsetsRequest:
        part = ask.Partition(partition_index=partition, timestamp=timestamp, current_leader_epoch=epoch)
        return ListOffsetsRequest(replica_id=-1, isolation_level=isolation, topics=[ask(name=topic, partitions=[part])], timeout_ms=5000)

    times = [-1, -2, -3, -4, -5, -6, -7, -100, 0, WHEN, WHEN + 1, WHEN + 500, WHEN + 501, WHEN + 4500, WHEN + 4501, 1 << 62]
    for timestamp in times:
        for topic in ("offsets", "offsets-empty"):
            script.all_versions(lambda _, topic=topic, timestamp=timestamp: request(topic, timestamp), f"{topic} at {timestamp}")
    for version in (1, 4, 7, 10, 11):
        script.call(request("offsets", -1, partition=3), version, "unknown partition")
        script.call(request("offsets-absent", -1), version, "unknown topic")
        script.call(request("not/legal", -1), version, "illegal topic")
        script.call(ListOffsetsRequest(replica_id=-1, topics=[]), version, "nothing")
        for empty in ("offsets", "offsets-absent"):
            script.call(ListOffsetsRequest(replica_id=-1, topics=[ask(name=empty, partitions=[])]), version, f"{empty} without partitions")
        apart = [ask(name="offsets", partitions=[ask.Partition(partition_index=n, timestamp=-1)]) for n in (0, 3)]
        script.call(ListOffsetsRequest(replica_id=-1, topics=apart), version, "one topic twice")
    for epoch in (0, 1, 9):
        script.call(request("offsets", -1, epoch=epoch), 11, f"epoch {epoch}")
    script.call(request("offsets", -1, isolation=1), 11, "read committed")
    twice = [ask.Partition(partition_index=0, timestamp=-1), ask.Partition(partition_index=0, timestamp=-2)]
    script.call(ListOffsetsRequest(replica_id=-1, topics=[ask(name="offsets", partitions=twice)]), 11, "one partition twice", differs=TWICE)


def offset_for_leader_epoch(script: Transcript) -> None:
    script.create_topic("epochs")
    _fill(script, "epochs")
    ask = OffsetForLeaderEpochRequest.OffsetForLeaderTopic
    for version in (2, 3, 4):
        for topic, partition in (("epochs", 0), ("epochs", 5), ("epochs-absent", 0)):
            for current in (-1, 0, 3):
                for epoch in (-1, 0, 1, 7):
                    part = ask.OffsetForLeaderPartition(partition=partition, current_leader_epoch=current, leader_epoch=epoch)
                    request = OffsetForLeaderEpochRequest(replica_id=-1, topics=[ask(topic=topic, partitions=[part])])
                    script.call(request, version, f"{topic} {partition} current {current} epoch {epoch}")


def delete_records(script: Transcript) -> None:
    script.create_topic("records-deleted")
    script.create_topic("records-compacted", configs={"cleanup.policy": "compact"})
    _fill(script, "records-deleted")
    ask = DeleteRecordsRequest.Topic
    for version in (0, 1, 2):
        for topic, partition, offset in (
            ("records-deleted", 0, 3 + version),
            ("records-deleted", 0, 1),
            ("records-deleted", 0, 999),
            ("records-deleted", 0, -2),
            ("records-deleted", 4, 0),
            ("records-absent", 0, 0),
            ("records-compacted", 0, 0),
            ("__consumer_offsets", 0, 0),
            ("__consumer_offsets", 99, 0),
        ):
            request = DeleteRecordsRequest(
                topics=[ask(name=topic, partitions=[ask.Partition(partition_index=partition, offset=offset)])], timeout_ms=3000
            )
            script.call(request, version, f"{topic} {partition} before {offset}")
        for topic in ("records-deleted", "records-absent"):
            script.call(DeleteRecordsRequest(topics=[ask(name=topic, partitions=[])], timeout_ms=3000), version, f"{topic} without partitions")
    script.call(_fetch("records-deleted", 0), 12, "below the start")
    script.call(_fetch("records-deleted", 5), 12, "at the start")
    request = DeleteRecordsRequest(topics=[ask(name="records-deleted", partitions=[ask.Partition(partition_index=0, offset=-1)])], timeout_ms=3000)
    script.call(request, 2, "all")
    script.call(_fetch("records-deleted", 10), 12, "at the end")
    script.call(_fetch("records-deleted", 9), 12, "before the end")
    latest = ListOffsetsRequest.Topic.Partition(partition_index=0, timestamp=-3)
    script.call(
        ListOffsetsRequest(replica_id=-1, topics=[ListOffsetsRequest.Topic(name="records-deleted", partitions=[latest])]), 11, "a deleted one"
    )


@pytest.mark.parametrize("script", module_scripts(__name__), ids=lambda script: script.__name__)
def test_same_replies(script: object, apache_node: Node, barnabas_node: Node) -> None:
    assert_same(script, apache_node, barnabas_node)  # type: ignore[arg-type]
