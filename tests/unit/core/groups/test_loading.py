"""G6, G10, G15, G30: state from a log that Apache may have written, with transactions and with groups of newer protocols."""

from __future__ import annotations

import pytest

from barnabas.core.groups.context import Caller
from barnabas.core.groups.records import GroupLogRecord, KeptRecord, Offset, OffsetRecord
from barnabas.core.groups.settings import GroupSettings
from barnabas.core.groups.shard import GroupShard
from barnabas.wire.logs import group_coordinator as wire
from barnabas.wire.messages.heartbeat import HeartbeatRequest
from barnabas.wire.messages.join_group import JoinGroupRequest
from barnabas.wire.messages.offset_commit import OffsetCommitRequest
from barnabas.wire.messages.offset_fetch import OffsetFetchRequest
from barnabas.wire.records.builder import build_batch
from barnabas.wire.records.record import Record
from barnabas.wire.schema import Message
from barnabas.wire.types import DecodeError
from tests.scenarios.groups.stage import MemoryLog, topic_id

ASSIGNED = wire.ConsumerGroupCurrentMemberAssignmentValue


def put(log: MemoryLog, *records: GroupLogRecord, producer_id: int = -1) -> None:
    rows = [Record(timestamp=1, key=key, value=value) for key, value in (record.encode() for record in records)]
    transactional = producer_id >= 0
    log.put(
        build_batch(rows, base_offset=log.end_offset, producer_id=producer_id, producer_epoch=0, base_sequence=0, transactional=transactional),
        len(rows),
    )


def mark(log: MemoryLog, producer_id: int, committed: bool) -> None:
    row = Record(timestamp=1, key=b"\x00\x00\x00\x01" if committed else b"\x00\x00\x00\x00", value=bytes(6))
    log.put(build_batch([row], base_offset=log.end_offset, producer_id=producer_id, producer_epoch=0, transactional=True, control=True), 1)


def commit(partition: int, offset: int, group: str = "g") -> OffsetRecord:
    return OffsetRecord(group, "t", partition, Offset(offset, -1, "", 1, -1, topic_id("t")))


def kept(type_: int, value: Message | None, group: str = "g", *more: str) -> KeptRecord:
    key = type_.to_bytes(2, "big") + b"".join(len(text).to_bytes(2, "big") + text.encode() for text in (group, *more))
    return KeptRecord(type_, group, key, None if value is None else b"\x00\x00" + value.encode(0), value)


def load(log: MemoryLog) -> GroupShard:
    shard = GroupShard(GroupSettings(), log, lambda: "id")
    for batch in log.batches:
        assert shard.load_batch(batch, 5) == []
    shard.loaded(log.end_offset, log.high_watermark, 5)
    return shard


def fetch(shard: GroupShard, *, stable: bool = True, group: str = "g", partitions: int = 3) -> list[int | str]:
    topics = [OffsetFetchRequest.Group.Topics(name="t", partition_indexes=list(range(partitions)))]
    shard.fetch_offsets(OffsetFetchRequest.Group(group_id=group, topics=topics), stable, 9, "fetch", 5)
    ((_, answer),) = shard.take_replies()
    return [each.error_code or each.committed_offset for topic in answer.topics for each in topic.partitions]  # type: ignore[attr-defined]


def test_pending_offsets_show_after_the_commit_marker() -> None:
    log = MemoryLog()
    put(log, commit(0, 1), commit(1, 2))
    put(log, commit(0, 10), commit(2, 30), producer_id=7)
    assert fetch(load(log)) == [88, 2, 88]
    assert fetch(load(log), stable=False) == [1, 2, -1]
    mark(log, 7, committed=True)
    assert fetch(load(log)) == [10, 2, 30]


def test_aborted_offsets_never_show() -> None:
    log = MemoryLog()
    put(log, commit(0, 10), producer_id=7)
    mark(log, 7, committed=False)
    assert fetch(load(log)) == [-1, -1, -1]


def test_a_younger_plain_commit_wins_over_the_transaction() -> None:
    log = MemoryLog()
    put(log, commit(0, 10), producer_id=7)
    put(log, commit(0, 11))
    mark(log, 7, committed=True)
    assert fetch(load(log)) == [11, -1, -1]


def test_two_transactions_on_one_partition() -> None:
    log = MemoryLog()
    put(log, commit(0, 10), producer_id=7)
    put(log, commit(0, 20), producer_id=8)
    mark(log, 8, committed=True)
    assert fetch(load(log))[0] == 88
    mark(log, 7, committed=True)
    assert fetch(load(log))[0] == 20


def test_a_tombstone_removes_pending_offsets_too() -> None:
    log = MemoryLog()
    put(log, commit(0, 10), producer_id=7)
    put(log, OffsetRecord("g", "t", 0, None))
    mark(log, 7, committed=True)
    assert fetch(load(log))[0] == -1


def test_deleting_a_group_takes_pending_offsets_along() -> None:
    log = MemoryLog()
    put(log, commit(0, 10), producer_id=7)
    put(log, commit(1, 11))
    shard = load(log)
    log.new.clear()
    shard.delete_groups(["g"], "delete", 6)
    shard.flush()
    assert len(log.new) == 3
    assert not shard.context.groups.current
    assert not shard.context.offsets.open_transactions.current


def test_an_idempotent_batch_is_no_transaction() -> None:
    """G8: sequences with producer id -1; a producer id without the transactional bit doesn't make offsets pending either."""
    log = MemoryLog()
    put(log, commit(0, 5))
    assert fetch(load(log))[0] == 5


def test_unknown_types_are_skipped_with_a_warning() -> None:
    log = MemoryLog()
    log.put(build_batch([Record(key=b"\x00\x63", value=b"")]), 1)
    put(log, commit(0, 5))
    shard = GroupShard(GroupSettings(), log, lambda: "id")
    warnings = [warning for batch in log.batches for warning in shard.load_batch(batch, 5)]
    assert len(warnings) == 1
    assert "type 99" in warnings[0]


def test_unknown_versions_stop_the_load() -> None:
    shard = GroupShard(GroupSettings(), MemoryLog(), lambda: "id")
    with pytest.raises(DecodeError, match="version 9"):
        shard.load_batch(build_batch([Record(key=b"\x00\x02\x00\x01g", value=b"\x00\x09")]), 5)


def consumer_group(log: MemoryLog) -> None:
    put(
        log,
        kept(
            5,
            wire.ConsumerGroupMemberMetadataValue(client_id="c", client_host="/h", subscribed_topic_names=["t"], classic_member_metadata=None),
            "g",
            "m",
        ),
        kept(3, wire.ConsumerGroupMetadataValue(epoch=2), "g"),
        kept(7, wire.ConsumerGroupTargetAssignmentMemberValue(topic_partitions=[]), "g", "m"),
        kept(6, wire.ConsumerGroupTargetAssignmentMetadataValue(assignment_epoch=2), "g"),
        kept(8, ASSIGNED(member_epoch=2, previous_member_epoch=0, state=0, assigned_partitions=[], partitions_pending_revocation=[]), "g", "m"),
    )


def test_a_consumer_group_is_kept_and_seen() -> None:
    log = MemoryLog()
    put(log, commit(0, 5))
    consumer_group(log)
    shard = load(log)
    (row,) = shard.list_groups([], ["Consumer"])
    assert (row.group_id, row.group_type, row.group_state, row.protocol_type) == ("g", "consumer", "Stable", "consumer")
    assert shard.list_groups([], ["classic"]) == []
    (described,) = shard.describe_groups(["g"], 6)
    assert (described.group_state, described.error_code, described.error_message) == ("Dead", 69, "Group g is not a classic group.")
    (described,) = shard.describe_groups(["g"], 5)
    assert (described.group_state, described.error_code) == ("Dead", 0)
    assert fetch(shard)[0] == 5


def answer(shard: GroupShard) -> int:
    shard.flush()
    ((_, response),) = shard.take_replies()
    if hasattr(response, "topics"):
        return int(response.topics[0].partitions[0].error_code)
    return int(response.error_code)  # type: ignore[attr-defined]


def test_a_consumer_group_refuses_the_classic_protocol() -> None:
    log = MemoryLog()
    consumer_group(log)
    shard = load(log)
    protocols = [JoinGroupRequest.Protocol(name="range", metadata=b"")]
    join = JoinGroupRequest(group_id="g", session_timeout_ms=10000, member_id="", protocol_type="consumer", protocols=protocols)
    shard.join_group(join, Caller("c", "/h", 9), "join", 6)
    assert answer(shard) == 23
    shard.heartbeat(HeartbeatRequest(group_id="g", generation_id=2, member_id="m"), "beat", 6)
    assert answer(shard) == 25


@pytest.mark.parametrize(
    ("member_id", "epoch", "version", "error"), [("m", 2, 9, 0), ("m", 1, 9, 113), ("m", 2, 8, 35), ("x", 2, 9, 25), ("", -1, 9, 25)]
)
def test_commits_to_a_consumer_group(member_id: str, epoch: int, version: int, error: int) -> None:
    log = MemoryLog()
    consumer_group(log)
    shard = load(log)
    partitions = [OffsetCommitRequest.Topic.Partition(partition_index=0, committed_offset=9, committed_metadata="")]
    topics = [OffsetCommitRequest.Topic(name="t", partitions=partitions)]
    shard.commit_offsets(OffsetCommitRequest(group_id="g", generation_id_or_member_epoch=epoch, member_id=member_id, topics=topics), version, "c", 6)
    assert answer(shard) == error


def test_an_empty_consumer_group_is_deleted_record_by_record() -> None:
    log = MemoryLog()
    consumer_group(log)
    put(log, kept(8, None, "g", "m"), kept(7, None, "g", "m"), kept(5, None, "g", "m"), kept(3, wire.ConsumerGroupMetadataValue(epoch=3), "g"))
    shard = load(log)
    assert [row.group_state for row in shard.list_groups([], [])] == ["Empty"]
    log.new.clear()
    shard.delete_groups(["g"], "delete", 6)
    shard.flush()
    assert [(key[:2], value) for key, value in log.new] == [(b"\x00\x06", None), (b"\x00\x03", None)]
    assert shard.list_groups([], []) == []
    assert load(log).list_groups([], []) == []


def test_an_empty_consumer_group_may_become_a_classic_one() -> None:
    log = MemoryLog()
    put(log, kept(3, wire.ConsumerGroupMetadataValue(epoch=3), "g"))
    shard = load(log)
    protocols = [JoinGroupRequest.Protocol(name="range", metadata=b"")]
    join = JoinGroupRequest(group_id="g", session_timeout_ms=10000, member_id="", protocol_type="consumer", protocols=protocols)
    shard.join_group(join, Caller("c", "/h", 9), "join", 6)
    assert answer(shard) == 79
    assert [row.group_type for row in load(log).list_groups([], [])] == ["classic"]


def test_share_groups() -> None:
    log = MemoryLog()
    put(
        log,
        kept(10, wire.ShareGroupMemberMetadataValue(client_id="c", client_host="/h"), "s", "m"),
        kept(11, wire.ShareGroupMetadataValue(epoch=2), "s"),
    )
    shard = load(log)
    assert [(row.group_type, row.group_state) for row in shard.list_groups(["stable"], ["SHARE"])] == [("share", "Stable")]
    assert fetch(shard, group="s", partitions=1) == [-1]
    shard.tick(10**12)
    shard.flush()
    assert [row.group_id for row in shard.list_groups([], [])] == ["s"]


def test_a_classic_group_with_members_and_records_of_another_kind_stops_the_load() -> None:
    log = MemoryLog()
    put(log, kept(11, wire.ShareGroupMetadataValue(epoch=2), "g"), kept(3, wire.ConsumerGroupMetadataValue(epoch=2), "g"))
    with pytest.raises(DecodeError, match="group g is a share group"):
        load(log)
