"""What is set of controller.quorum.* reaches the quorum, and does there what it says (Q3, Q16, Q34, Q43)."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from barnabas.core.quorum.events import Election
from barnabas.core.quorum.log_shape import TOPIC_ID
from barnabas.core.quorum.peer_events import Failed
from barnabas.node.config.node_config import read_node_config
from barnabas.wire.messages.fetch import FetchRequest, FetchResponse
from barnabas.wire.messages.fetch_snapshot import FetchSnapshotRequest
from tests.quorum_members import Play

if TYPE_CHECKING:
    from pathlib import Path

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@localhost:9093,2@localhost:9094,3@localhost:9095
listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
controller.listener.names=CONTROLLER
log.dirs=/data
"""


def follower(tmp_path: Path, **settings: int) -> Play:
    """A member with these keys (`_` for `.`) behind controller.quorum. that follows node 2."""
    lines = [f"controller.quorum.{name.replace('_', '.')}={value}\n" for name, value in settings.items()]
    (tmp_path / "server.properties").write_text(PROPERTIES + "".join(lines))
    config = read_node_config(str(tmp_path / "server.properties"))
    return Play(settings=config.quorum.protocol, election=Election(5)).follow(2, 6)


def test_sizes(tmp_path: Path) -> None:
    """controller.quorum.fetch.max.bytes, controller.quorum.fetch.snapshot.max.bytes"""
    play = follower(tmp_path, fetch_max_bytes=12_345, fetch_snapshot_max_bytes=67_890)
    (fetch,) = play.sent(FetchRequest)
    assert fetch.message.max_bytes == 12_345
    row = FetchResponse.FetchableTopicResponse.PartitionData
    snapshot = row(partition_index=0, high_watermark=-1, records=b"", snapshot_id=row.SnapshotId(end_offset=100, epoch=4))
    snapshot.current_leader = row.LeaderIdAndEpoch(leader_id=2, leader_epoch=6)
    play.answer(fetch, FetchResponse(responses=[FetchResponse.FetchableTopicResponse(topic_id=TOPIC_ID, partitions=[snapshot])]))
    (piece,) = play.sent(FetchSnapshotRequest)
    assert piece.message.max_bytes == 67_890


def test_pauses(tmp_path: Path) -> None:
    """controller.quorum.retry.backoff.ms, controller.quorum.election.backoff.max.ms"""
    play = follower(tmp_path, retry_backoff_ms=300, election_backoff_max_ms=400)
    (fetch,) = play.sent(FetchRequest)
    asked_ms: dict[int, list[int]] = {2: [0]}
    began_ms, unanswered = play.now_ms, [fetch]
    while play.now_ms < began_ms + 1_000:  # nobody answers: neither the leader nor who might know of another
        while unanswered:
            lost = unanswered.pop()
            play.happen(Failed(lost.peer.id, lost.correlation_id))
            unanswered += play.sent(FetchRequest)
        play.wait(1)
        unanswered += play.sent(FetchRequest)
        for send in unanswered:
            asked_ms.setdefault(send.peer.id, []).append(play.now_ms - began_ms)
    assert len(asked_ms[2]) > 1
    assert all(later - earlier >= 300 for times in asked_ms.values() for earlier, later in pairwise(times))
    play.end(2, 6, (3, 7, 1))  # two go before it: half of the longest wait
    play.wait(199)
    assert play.quorum.state == "Follower"
    play.wait(2)
    assert play.quorum.state == "Prospective"
