"""What leaders give, what followers take, and when it is committed (Q3-Q7, Q26, Q28-Q31, Q39-Q46, T16-T19)."""

from __future__ import annotations

from random import Random

import pytest

from barnabas.core.quorum.events import Appended, Election, HighWatermark
from barnabas.core.quorum.log_shape import LogShape
from barnabas.core.quorum.member import QuorumBroken
from barnabas.core.quorum.peer_events import AppendFetched, InstallSnapshot, Propose, Read, Reply, SnapshotId, SnapshotInstalled, Truncate
from barnabas.wire.errors import Error
from barnabas.wire.messages.fetch import FetchRequest, FetchResponse
from barnabas.wire.messages.fetch_snapshot import FetchSnapshotRequest, FetchSnapshotResponse
from tests.quorum_members import Play

LOG = ((2, 0), (4, 10))
"""Epoch 4 since offset 10."""
Row = FetchResponse.FetchableTopicResponse.PartitionData


def follower() -> Play:
    """Of 2, in epoch 6, with a log of 20 records, the last of epoch 4."""
    return Play(log=LogShape(20, LOG), election=Election(5)).follow(2, 6)


def leader() -> Play:
    """Of epoch 6; its first three records are 20 to 22."""
    return Play(log=LogShape(20, LOG), election=Election(5)).elect()


# --- the leader


def test_commit_takes_a_majority_and_a_record_of_the_epoch() -> None:
    play = leader()
    play.fetch(2, 20, 4)
    play.fetch(3, 20, 4)
    assert play.sync().all(HighWatermark) == []  # everybody has 20, but nothing of epoch 6
    assert play.fetch(2, 23, 6).high_watermark == 23


def test_the_leader_counts_itself_when_its_disk_has_it() -> None:
    play = leader()
    play.fetch(2, 23, 6)
    assert play.quorum.high_watermark is None
    assert play.sync().all(HighWatermark) == [HighWatermark(23)]


def test_observers_and_replaced_disks_dont_count() -> None:
    play = leader().sync()
    assert play.fetch(9, 23, 6).high_watermark == -1
    play.quorum.history.voters.by_id[3] = play.quorum.voters.by_id[3]._replace(directory_id=b"x" * 16)
    assert play.fetch(3, 23, 6).high_watermark == -1


def test_who_is_level_waits_for_records_or_for_their_commit() -> None:
    play = leader().sync()
    assert play.fetch(2, 23, 6, wait_ms=500, known=-1).high_watermark == 23
    assert play.fetch(3, 23, 6, wait_ms=500, known=23) is None
    play.happen(Appended(((23, 24, 6),)))
    assert play.all(Reply)[-1].read == Read(23, 8 * 1024 * 1024)
    assert play.fetch(3, 24, 6, wait_ms=500, known=23) is None
    play.sync()
    assert play.all(Reply)[-1].message.responses[0].partitions[0].high_watermark == 24
    assert play.fetch(3, 24, 6, wait_ms=500, known=24) is None
    play.wait(501)
    assert play.all(Reply)[-1].read is None  # nothing came


def test_a_parked_fetch_hears_that_the_leader_resigned() -> None:
    play = leader().sync()
    assert play.fetch(3, 23, 6, wait_ms=500, known=23) is None
    play.vote(2, 7, (6, 99))
    (fetch, vote) = play.all(Reply)
    assert fetch.message.responses[0].partitions[0].error_code == Error.NOT_LEADER_OR_FOLLOWER
    assert vote.message.topics[0].partitions[0].vote_granted


def test_a_parked_fetch_is_sent_to_the_new_leader() -> None:
    play = leader().sync()
    assert play.fetch(2, 23, 6, wait_ms=500, known=23) is None
    play.begin(3, 7)
    told = play.all(Reply)[0].message
    assert told.responses[0].partitions[0].current_leader.leader_id == 3
    assert [(row.node_id, row.host) for row in told.node_endpoints] == [(3, "node3")]


def test_records_come_whatever_the_partitions_own_limit_says() -> None:
    play = leader()
    play.fetch(3, 20, 4)
    assert play.all(Reply)[-1].read == Read(20, 8 * 1024 * 1024)
    assert [row.host for row in play.all(Reply)[-1].message.node_endpoints] == ["node1"]


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"epoch": 5}, Error.FENCED_LEADER_EPOCH),
        ({"epoch": 7}, Error.UNKNOWN_LEADER_EPOCH),
        ({"last_epoch": 7}, Error.INVALID_REQUEST),
        ({"offset": -1}, Error.INVALID_REQUEST),
        ({"replica": 1}, Error.UNKNOWN_SERVER_ERROR),
        ({}, Error.NONE),
    ],
)
def test_fetches_are_checked_as_apache_does(asked: dict[str, int], error: Error) -> None:
    assert leader().fetch(**{"replica": 3, "offset": 20, "last_epoch": 4, **asked}).error_code == error
    assert follower().fetch(3, 20, 4).error_code == Error.NOT_LEADER_OR_FOLLOWER


def test_proposals_are_written_at_once_while_the_disk_is_idle() -> None:
    play = leader()
    assert play.happen(Propose(("a",), 10)) == []  # the epoch's first batch is being synced
    assert [type(effect).__name__ for effect in play.sync().effects] == ["AppendProposed"]
    play.sync()
    assert len(play.happen(Propose(("b",), 10))) == 1
    play.happen(Propose(("c",), 10))
    assert [effect.records for effect in play.wait(30) if hasattr(effect, "base_offset")] == [("c",)]  # lingered


# --- the follower


def test_a_fetch_claims_only_what_is_durable() -> None:
    play = follower()
    play.answer_fetch(play.sent(FetchRequest)[-1], 2, records=b"batch", high_watermark=21)
    assert play.all(AppendFetched) == [AppendFetched(b"batch", 6)] and play.sent(FetchRequest) == []
    play.happen(Appended(((20, 22, 6),)))
    assert play.sent(FetchRequest) == [] and play.all(HighWatermark) == [HighWatermark(21)]
    play.sync()
    row = play.sent(FetchRequest)[-1].message.topics[0].partitions[0]
    assert (row.fetch_offset, row.last_fetched_epoch, row.high_watermark, row.partition_max_bytes) == (22, 6, 21, 0)


def test_what_differs_is_cut_but_never_what_is_committed() -> None:
    play = follower()
    play.answer_fetch(play.sent(FetchRequest)[-1], 2, diverging_epoch=Row.EpochEndOffset(epoch=4, end_offset=15))
    assert play.all(Truncate) == [Truncate(15)]
    assert play.sent(FetchRequest)[-1].message.topics[0].partitions[0].fetch_offset == 15
    play.answer_fetch(play.sent(FetchRequest)[-1], 2, high_watermark=12)
    with pytest.raises(QuorumBroken, match="committed"):
        play.answer_fetch(play.sent(FetchRequest)[-1], 2, diverging_epoch=Row.EpochEndOffset(epoch=2, end_offset=10))


def test_a_snapshot_comes_in_pieces_and_takes_the_logs_place() -> None:
    play = follower()
    play.answer_fetch(play.sent(FetchRequest)[-1], 2, snapshot_id=Row.SnapshotId(epoch=5, end_offset=100))
    data = FetchSnapshotResponse.TopicSnapshot.PartitionSnapshot
    for position in (0, 4):
        send = play.sent(FetchSnapshotRequest)[-1]
        assert send.message.topics[0].partitions[0].position == position
        row = data(
            index=0,
            error_code=0,
            snapshot_id=data.SnapshotId(end_offset=100, epoch=5),
            current_leader=data.LeaderIdAndEpoch(leader_id=2, leader_epoch=6),
            size=8,
            position=position,
            unaligned_records=b"half",
        )
        topic = FetchSnapshotResponse.TopicSnapshot(name="__cluster_metadata", partitions=[row])
        play.answer(send, FetchSnapshotResponse(error_code=0, topics=[topic]))
    assert play.all(InstallSnapshot) == [InstallSnapshot(SnapshotId(5, 100))]
    play.happen(SnapshotInstalled(SnapshotId(5, 100), ()))
    assert play.all(HighWatermark) == [HighWatermark(100)] and play.quorum.log.position == (5, 100)


def test_no_well_formed_request_kills_a_member() -> None:
    """T16: epochs, offsets and ids as they come, at a member in any state."""
    random = Random(7)
    play = leader()
    for _ in range(3_000):
        node, epoch, offset = (
            random.choice((2, 3, 9, -1)),
            play.quorum.epoch + random.choice((-1, 0, 0, 0, 1)),
            random.choice((-1, 0, 10, 20, 23, 1 << 40)),
        )
        last = random.randint(-1, epoch + 1)
        what = random.randrange(5)
        if what == 0:
            play.vote(node, epoch, (last, offset), pre=random.random() < 0.5)
        elif what == 1:
            play.begin(node, epoch)
        elif what == 2:
            play.end(node, epoch, (3, 1))
        elif what == 3:
            play.fetch(node, offset, last, epoch=epoch, wait_ms=random.choice((0, 100)))
        else:
            play.wait(random.choice((1, 100, 2_500)))
        play.sync()
