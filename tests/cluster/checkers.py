"""What must hold of a cluster after anything that it was made to suffer. Each checker raises AssertionError with what it found.

Owns: acknowledged records in every replica (M25), logs byte for byte (M26), leader epochs (M29), the metadata log and what every broker tells of it,
groups, topics that came and went.
Doesn't own: the traffic that is checked (load.py).
"""

from __future__ import annotations

import os
import time
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from barnabas.storage.checkpoint_file import LEADER_EPOCH, read_leader_epochs
from barnabas.wire.records.batch import HEADER_SIZE, read_header
from barnabas.wire.records.record import decode_records
from tests.differential.transcript import Client as Blocking
from tests.differential.transcript import Closed
from tests.system.requests import read_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from barnabas.wire.records.batch import BatchHeader
    from tests.cluster.cluster import Cluster, Member
    from tests.cluster.load import Acknowledged, Churn, Group, Load

CAUGHT_UP_S = 60.0
UNKNOWN = -1


class Batch(NamedTuple):
    base_offset: int
    next_offset: int
    data: bytes


def nothing_lost(cluster: Cluster, load: Load) -> None:
    """Every acknowledged record is where it was acknowledged, in every replica, once, and each partition has them in the order in which they were sent."""
    assert not load.failed, f"{len(load.failed)} records were given up: {load.failed[:3]}"
    assert load.acknowledged, "nothing was acknowledged"
    wanted = dict.fromkeys(range(load.partitions), UNKNOWN)
    by_partition: dict[int, list[Acknowledged]] = {partition: [] for partition in wanted}
    for row in load.acknowledged:
        by_partition[row.partition].append(row)
        wanted[row.partition] = max(wanted[row.partition], UNKNOWN if row.offset is None else row.offset)
    for row in cluster.partitions(load.topic):
        for replica in row.replica_nodes:
            if cluster.members[replica].running():
                _replica_has(
                    cluster.members[replica], load.topic, row.partition_index, by_partition[row.partition_index], wanted[row.partition_index]
                )


def _replica_has(member: Member, topic: str, partition: int, acknowledged: list[Acknowledged], last: int) -> None:
    found = _read(member, topic, partition, last)
    numbers = [int(value) for value in found.values()]
    where = f"{topic}-{partition} on node {member.node_id} ({member.engine.name})"
    twice = {number for number, count in Counter(numbers).items() if count > 1}
    same = {number: headers for number, headers in _headers_of(member, topic, partition, twice).items() if not _numbered_anew(headers)}
    assert not same, f"{where} has {len(same)} records twice: {list(same.items())[:1]}"
    first = dict.fromkeys(numbers)
    assert list(first) == sorted(first), f"{where} is out of order"
    lost = [row for row in acknowledged if (row.number not in first if row.offset is None else found.get(row.offset) != b"%d" % row.number)]
    assert not lost, f"{where}: {len(lost)} of {len(acknowledged)} acknowledged records are lost: {lost[:5]}"


def _headers_of(member: Member, topic: str, partition: int, numbers: set[int]) -> dict[int, list[BatchHeader]]:
    """By number, the headers of the batches that have it."""
    found: dict[int, list[BatchHeader]] = {number: [] for number in numbers}
    for batch in _log(member, topic, partition) if numbers else ():
        for record in decode_records(batch.data):
            if int(record.value or b"") in numbers:
                found[int(record.value or b"")].append(read_header(batch.data))
    return found


def _numbered_anew(headers: list[BatchHeader]) -> bool:
    """Whether the client sent it with another producer epoch each time. librdkafka bumps it when a batch came before one that had failed, for all partitions,
    and sends again whatever waits for an acknowledgement, written or not: no broker can know these as the same (KIP-98 counts sequences within an epoch).
    """
    return 1 < len(headers) == len({(header.producer_id, header.producer_epoch) for header in headers})


def _read(member: Member, topic: str, partition: int, last: int) -> dict[int, bytes]:
    """What a consumer is given by this very replica. A follower hears of the high watermark a moment after its leader."""
    deadline = time.monotonic() + CAUGHT_UP_S
    with closing(Blocking(member.port, member.address()[0])) as client:
        found: dict[int, bytes] = {}
        while True:
            found.update(read_all(client, topic, partition, len(found)))
            if not found or next(reversed(found)) < last:
                if time.monotonic() > deadline:
                    return found
                time.sleep(0.05)
                continue
            return found


def logs_are_equal(cluster: Cluster, *names: str) -> int:
    """Batches of one partition are the same bytes in all its replicas once these have caught up. Returns how many were compared."""
    compared = 0
    for name in names:
        for row in cluster.partitions(name):
            deadline = time.monotonic() + CAUGHT_UP_S
            while True:
                logs = {n: _log(cluster.members[n], name, row.partition_index) for n in row.replica_nodes}
                ends = {n: log[-1].next_offset if log else 0 for n, log in logs.items()}
                if len(set(ends.values())) == 1:
                    break
                assert time.monotonic() < deadline, f"{name}-{row.partition_index}: logs end at {ends} by node"
                time.sleep(0.1)
            compared += _same_batches(f"{name}-{row.partition_index}", logs)
    return compared


def _log(member: Member, topic: str, partition: int) -> list[Batch]:
    directory = member.partition_directory(topic, partition)
    assert directory is not None, f"node {member.node_id} has no {topic}-{partition}"
    return list(batches_in(directory))


def batches_in(directory: str) -> Iterator[Batch]:
    """Whole batches of a partition's directory, in order; a file may be written meanwhile."""
    for name in sorted(entry for entry in os.listdir(directory) if entry.endswith(".log")):
        with open(f"{directory}/{name}", "rb") as file:
            data = file.read()
        position = 0
        while position + HEADER_SIZE <= len(data):
            header = read_header(data, position)
            if position + header.size > len(data):
                break
            yield Batch(header.base_offset, header.next_offset, data[position : position + header.size])
            position += header.size


def _same_batches(what: str, logs: dict[int, list[Batch]]) -> int:
    start = max((log[0].base_offset for log in logs.values() if log), default=0)
    kept = {n: [batch for batch in log if batch.base_offset >= start] for n, log in logs.items()}
    (first, theirs), *rest = kept.items()
    for other, ours in rest:
        for one, two in zip(theirs, ours, strict=False):
            assert one == two, (
                f"{what}: nodes {first} and {other} differ at offset {one.base_offset}: {read_header(one.data)} and {read_header(two.data)}"
            )
        assert len(theirs) == len(ours), f"{what}: nodes {first} and {other} have {len(theirs)} and {len(ours)} batches"
    return len(theirs)


def epochs_agree(cluster: Cluster, *names: str) -> None:
    """Replicas whose logs are equal keep the same leader epochs of what is in them. An epoch that began at a log's end, and has nothing yet, may be missing.

    Apache Kafka writes its file a moment after the log.
    """
    for name in names:
        for row in cluster.partitions(name):
            deadline = time.monotonic() + CAUGHT_UP_S
            while True:
                kept = {n: _epochs(cluster.members[n], name, row.partition_index) for n in row.replica_nodes}
                if all(entries == kept[row.leader_id] for entries in kept.values()):
                    break
                assert time.monotonic() < deadline, f"{name}-{row.partition_index}: epochs by node {kept}, leader {row.leader_id}"
                time.sleep(0.1)


def _epochs(member: Member, topic: str, partition: int) -> list[tuple[int, int]]:
    directory = member.partition_directory(topic, partition)
    assert directory is not None
    log = list(batches_in(directory))
    end = log[-1].next_offset if log else 0
    return [(epoch, start) for epoch, start in read_leader_epochs(f"{directory}/{LEADER_EPOCH}") if start < end]


def metadata_is_equal(cluster: Cluster) -> int:
    """The committed metadata log is the same bytes on every node, and all brokers tell the same of topics and brokers. Returns the batches compared."""
    committed = cluster.quorum().high_watermark
    deadline = time.monotonic() + CAUGHT_UP_S
    while True:
        logs = {
            n: [b for b in batches_in(f"{m.log_dir}/__cluster_metadata-0") if b.next_offset <= committed]
            for n, m in cluster.members.items()
            if m.running()
        }
        ends = {n: log[-1].next_offset if log else 0 for n, log in logs.items()}
        if min(ends.values()) == committed:
            break
        assert time.monotonic() < deadline, f"the metadata logs end at {ends} by node; committed up to {committed}"
        time.sleep(0.1)
    compared = _same_batches("__cluster_metadata-0", logs)
    while True:
        views = {member.node_id: _view(member) for member in cluster.running(cluster.brokers)}
        if len({repr(view) for view in views.values()}) == 1:
            break
        assert time.monotonic() < deadline, f"brokers tell different things: {views}"
        time.sleep(0.1)
    return compared


def _view(member: Member) -> object:
    try:
        found = member.metadata()
    except (OSError, Closed) as error:
        return repr(error)
    brokers = sorted((broker.node_id, broker.host, broker.port, broker.rack) for broker in found.brokers)
    rows = sorted(
        (t.name or "", p.partition_index, p.leader_id, p.leader_epoch, tuple(p.replica_nodes), tuple(sorted(p.isr_nodes)))
        for t in found.topics
        for p in t.partitions
    )
    return brokers, rows


def group_saw_all(load: Load, group: Group) -> None:
    """The group's members saw every acknowledged record, and never jumped over one."""
    ends = dict.fromkeys(range(load.partitions), 0)
    for row in load.acknowledged:
        ends[row.partition] = max(ends[row.partition], (UNKNOWN if row.offset is None else row.offset) + 1)
    group.wait_until_seen(ends)
    assert not group.jumps, f"members jumped: (partition, expected, seen) {group.jumps[:5]}"


def topics_are_as_told(cluster: Cluster, churn: Churn) -> None:
    """Topics whose creation was acknowledged are there, those whose deletion was aren't, on every broker once it has heard of them."""
    assert churn.made, f"no topic could be made: {churn.refused[:3]}"
    for member in cluster.running(cluster.brokers):
        deadline = time.monotonic() + CAUGHT_UP_S
        while True:
            there = {topic.name for topic in member.metadata().topics if topic.name}
            lost, back = churn.made - churn.perhaps_deleted - there, churn.deleted & there
            if not lost and not back:
                break
            assert time.monotonic() < deadline, f"node {member.node_id} lacks topics {sorted(lost)}, has deleted ones {sorted(back)}"
            time.sleep(0.1)


def nobody_died(cluster: Cluster) -> None:
    died = cluster.died()
    assert not died, f"nodes {died} ended by themselves\n{cluster.outputs()}"
    for member in cluster.members.values():
        assert "Traceback" not in member.tail(1 << 20), f"node {member.node_id}:\n{member.tail()}"
