"""Members of a metadata quorum for tests of `core.quorum`: built in a state, asked, and looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from barnabas.core.quorum.events import Appended, Election, Flushed, Start, Tick
from barnabas.core.quorum.log_shape import TOPIC, TOPIC_ID, LogShape
from barnabas.core.quorum.peer_events import Peer, Reply, Request, Response, Send
from barnabas.core.quorum.quorum import Quorum
from barnabas.core.quorum.settings import QuorumSettings
from barnabas.core.quorum.voters import ControlHistory, Endpoint, Voter, VoterSet
from barnabas.wire.logs.raft import KRaftVersionRecord
from barnabas.wire.messages.begin_quorum_epoch import BeginQuorumEpochRequest
from barnabas.wire.messages.end_quorum_epoch import EndQuorumEpochRequest
from barnabas.wire.messages.fetch import FetchRequest, FetchResponse
from barnabas.wire.messages.vote import VoteRequest, VoteResponse

if TYPE_CHECKING:
    from barnabas.core.quorum.events import Effect, Event

CLUSTER = "c"


def voter(voter_id: int, directory_id: bytes | None = None) -> Voter:
    return Voter(voter_id, directory_id or bytes([voter_id]) * 16, (Endpoint("CONTROLLER", f"node{voter_id}", 9093),))


class Play:
    """One member, and the time."""

    def __init__(
        self,
        local: int = 1,
        voters: tuple[int, ...] = (1, 2, 3),
        *,
        election: Election | None = None,
        log: LogShape | None = None,
        dynamic: bool = True,
        settings: QuorumSettings | None = None,
    ) -> None:
        self.now_ms = 10_000
        self.effects: list[Effect] = []
        named = VoterSet(voter(voter_id) if dynamic else voter(voter_id)._replace(directory_id=bytes(16)) for voter_id in voters)
        history = ControlHistory(VoterSet() if dynamic else named)
        if dynamic:
            history.replay(-1, KRaftVersionRecord(version=0, k_raft_version=1))
            history.replay(-1, named.to_record())
        bootstrap = [Peer(-2 - place, f"node{voter_id}", 9093) for place, voter_id in enumerate(voters)]
        self.quorum = Quorum(
            voter(local), history, election, log or LogShape(0), cluster_id=CLUSTER, bootstrap=bootstrap, settings=settings, random_below=lambda n: 0
        )
        self.happen(Start())

    def happen(self, event: Event) -> list[Effect]:
        self.effects = self.quorum.step(event, self.now_ms)
        return self.effects

    def wait(self, ms: int) -> list[Effect]:
        """All ticks of that time."""
        end_ms, seen = self.now_ms + ms, []
        while self.quorum.deadline_ms <= end_ms:
            self.now_ms = max(self.now_ms, self.quorum.deadline_ms)
            seen += self.happen(Tick())
        self.now_ms = end_ms
        self.effects = seen
        return seen

    def all(self, kind: type[Any]) -> list[Any]:
        return [effect for effect in self.effects if isinstance(effect, kind)]

    def sent(self, kind: type[Any]) -> list[Send]:
        return [send for send in self.all(Send) if isinstance(send.message, kind)]

    def ask(self, message: Any, version: int) -> Any:
        """The answer's partition, None while there is no answer, the whole answer if it has no partition."""
        self.happen(Request(7, message, version))
        replies = self.all(Reply)
        if not replies:
            return None
        answer = replies[-1].message
        answer.encode(version)
        rows = getattr(answer, "topics", None) or getattr(answer, "responses", None)
        return rows[0].partitions[0] if rows else answer

    # --- what peers ask

    def vote(self, candidate: int, epoch: int, last: tuple[int, int] = (0, 0), *, pre: bool = False, **options: Any) -> Any:
        version = options.pop("version", 2)
        data = VoteRequest.TopicData.PartitionData(
            partition_index=0,
            replica_epoch=epoch,
            replica_id=candidate,
            replica_directory_id=options.pop("directory", bytes([max(candidate, 0)]) * 16),
            voter_directory_id=options.pop("voter_directory", bytes(16)),
            last_offset_epoch=last[0],
            last_offset=last[1],
            pre_vote=pre,
        )
        topic = VoteRequest.TopicData(topic_name=options.pop("topic", TOPIC), partitions=[data])
        return self.ask(VoteRequest(cluster_id=options.pop("cluster", CLUSTER), voter_id=options.pop("voter", -1), topics=[topic]), version)

    def begin(self, leader: int, epoch: int, **options: Any) -> Any:
        data = BeginQuorumEpochRequest.TopicData.PartitionData(
            partition_index=0, leader_id=leader, leader_epoch=epoch, voter_directory_id=options.pop("voter_directory", bytes(16))
        )
        topic = BeginQuorumEpochRequest.TopicData(topic_name=TOPIC, partitions=[data])
        return self.ask(BeginQuorumEpochRequest(cluster_id=CLUSTER, voter_id=options.pop("voter", -1), topics=[topic]), 1)

    def end(self, leader: int, epoch: int, successors: tuple[int, ...]) -> Any:
        row = EndQuorumEpochRequest.TopicData.PartitionData
        candidates = [row.ReplicaInfo(candidate_id=i, candidate_directory_id=bytes([i]) * 16) for i in successors]
        data = row(partition_index=0, leader_id=leader, leader_epoch=epoch, preferred_candidates=candidates)
        return self.ask(EndQuorumEpochRequest(cluster_id=CLUSTER, topics=[EndQuorumEpochRequest.TopicData(topic_name=TOPIC, partitions=[data])]), 1)

    def fetch(self, replica: int, offset: int, last_epoch: int, *, epoch: int | None = None, wait_ms: int = 0, known: int = -1) -> Any:
        partition = FetchRequest.Topic.Partition(
            partition=0,
            current_leader_epoch=self.quorum.epoch if epoch is None else epoch,
            fetch_offset=offset,
            last_fetched_epoch=last_epoch,
            partition_max_bytes=0,
            replica_directory_id=bytes([max(replica, 0)]) * 16,
            high_watermark=known,
        )
        topic = FetchRequest.Topic(topic_id=TOPIC_ID, partitions=[partition])
        state = FetchRequest.ReplicaState(replica_id=replica, replica_epoch=-1)
        return self.ask(FetchRequest(cluster_id=CLUSTER, replica_state=state, max_wait_ms=wait_ms, min_bytes=0, topics=[topic]), 18)

    # --- what peers answer

    def answer(self, send: Send, message: Any) -> list[Effect]:
        return self.happen(Response(send.peer.id, send.correlation_id, message))

    def answer_vote(self, send: Send, granted: bool, *, epoch: int | None = None, leader: int = -1, error: int = 0) -> list[Effect]:
        row = VoteResponse.TopicData.PartitionData(
            partition_index=0,
            error_code=error,
            leader_id=leader,
            leader_epoch=self.quorum.epoch if epoch is None else epoch,
            vote_granted=granted,
        )
        return self.answer(send, VoteResponse(error_code=0, topics=[VoteResponse.TopicData(topic_name=TOPIC, partitions=[row])]))

    def answer_fetch(self, send: Send, leader: int, *, error: int = 0, **row: Any) -> list[Effect]:
        data = FetchResponse.FetchableTopicResponse.PartitionData
        current = data.LeaderIdAndEpoch(leader_id=leader, leader_epoch=row.pop("epoch", self.quorum.epoch))
        row = {"high_watermark": -1, "records": b"", **row}
        made = data(partition_index=0, error_code=error, current_leader=current, **row)
        return self.answer(send, FetchResponse(responses=[FetchResponse.FetchableTopicResponse(topic_id=TOPIC_ID, partitions=[made])]))

    # --- shortcuts

    def follow(self, leader: int, epoch: int) -> Play:
        """Be a follower that has fetched."""
        self.begin(leader, epoch)
        self.answer_fetch(self.sent(FetchRequest)[-1], leader)
        return self

    def elect(self) -> Play:
        """Be the leader."""
        self.wait(1_000)
        for wanted in ("Candidate", "Leader"):
            for send in self.sent(VoteRequest):
                if self.quorum.state != wanted:
                    self.answer_vote(send, True)
        assert self.quorum.is_leader
        return self

    def grow(self, count: int = 1) -> Play:
        """The leader's own records, durable at once."""
        end_offset = self.quorum.log.end_offset
        self.happen(Appended(((end_offset, end_offset + count, self.quorum.epoch),)))
        return self.sync()

    def sync(self) -> Play:
        self.happen(Flushed(self.quorum.log.end_offset))
        return self
