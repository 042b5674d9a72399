"""The quorum's requests and responses, as Apache Kafka fills them (Q1-Q4, Q27). One topic, one partition, always.

Each function imports the message that it builds: a lone voter needs none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from barnabas.core.quorum.log_shape import TOPIC, TOPIC_ID
from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from collections.abc import Iterable

    from barnabas.core.quorum.follower_position import Diverging, NeedsSnapshot
    from barnabas.core.quorum.member import Member
    from barnabas.core.quorum.peer_events import SnapshotId
    from barnabas.core.quorum.voters import Endpoint, Voter
    from barnabas.wire.messages.add_raft_voter import AddRaftVoterRequest
    from barnabas.wire.messages.begin_quorum_epoch import BeginQuorumEpochRequest
    from barnabas.wire.messages.end_quorum_epoch import EndQuorumEpochRequest
    from barnabas.wire.messages.fetch import FetchRequest, FetchResponse
    from barnabas.wire.messages.fetch_snapshot import FetchSnapshotRequest, FetchSnapshotResponse
    from barnabas.wire.messages.remove_raft_voter import RemoveRaftVoterRequest
    from barnabas.wire.messages.update_raft_voter import UpdateRaftVoterRequest, UpdateRaftVoterResponse
    from barnabas.wire.messages.vote import VoteRequest
    from barnabas.wire.schema import Message

FIRST_FETCH_WITH_ENDPOINTS = 17
FIRST_FETCH_WITH_TOPIC_ID = 13
FIRST_FETCH_WITH_REPLICA_STATE = 15


def only_partition(message: Any, *, topic_field: str) -> Any:
    """The message's one partition, None unless it has one topic with one partition, and that is the metadata log's (Q4)."""
    if len(message.topics) != 1 or len(message.topics[0].partitions) != 1:
        return None
    partition = message.topics[0].partitions[0]
    index = (
        partition.partition
        if hasattr(partition, "partition")
        else partition.partition_index
        if hasattr(partition, "partition_index")
        else partition.index
    )
    return partition if getattr(message.topics[0], topic_field) == TOPIC and index == 0 else None


# --- requests


def vote_request(member: Member, voter: Voter, *, is_pre_vote: bool) -> VoteRequest:
    from barnabas.wire.messages.vote import VoteRequest

    last_epoch, end_offset = member.log.position
    partition = VoteRequest.TopicData.PartitionData(
        partition_index=0,
        replica_epoch=member.epoch,
        replica_id=member.local.id,
        replica_directory_id=member.local.directory_id,
        voter_directory_id=voter.directory_id,
        last_offset_epoch=last_epoch,
        last_offset=end_offset,
        pre_vote=is_pre_vote,
    )
    topic = VoteRequest.TopicData(topic_name=TOPIC, partitions=[partition])
    return VoteRequest(cluster_id=member.cluster_id, voter_id=voter.id, topics=[topic])


def begin_request(member: Member, voter: Voter) -> BeginQuorumEpochRequest:
    from barnabas.wire.messages.begin_quorum_epoch import BeginQuorumEpochRequest as Request

    partition = Request.TopicData.PartitionData(
        partition_index=0, voter_directory_id=voter.directory_id, leader_id=member.local.id, leader_epoch=member.epoch
    )
    return Request(
        cluster_id=member.cluster_id,
        voter_id=voter.id,
        topics=[Request.TopicData(topic_name=TOPIC, partitions=[partition])],
        leader_endpoints=[Request.LeaderEndpoint(name=name, host=host, port=port) for name, host, port in member.local.endpoints],
    )


def end_request(member: Member, successors: Iterable[tuple[int, bytes]]) -> EndQuorumEpochRequest:
    from barnabas.wire.messages.end_quorum_epoch import EndQuorumEpochRequest as Request

    data = Request.TopicData.PartitionData
    successors = list(successors)
    partition = data(
        partition_index=0,
        leader_id=member.local.id,
        leader_epoch=member.epoch,
        preferred_successors=[replica_id for replica_id, _ in successors],
        preferred_candidates=[data.ReplicaInfo(candidate_id=replica_id, candidate_directory_id=directory) for replica_id, directory in successors],
    )
    return Request(
        cluster_id=member.cluster_id,
        topics=[Request.TopicData(topic_name=TOPIC, partitions=[partition])],
        leader_endpoints=[Request.LeaderEndpoint(name=name, host=host, port=port) for name, host, port in member.local.endpoints],
    )


def fetch_request(member: Member) -> FetchRequest:
    """What the log has below its end is durable here, unless this replica's disk counts for nobody (Q30, Q31)."""
    from barnabas.wire.messages.fetch import FetchRequest

    partition = FetchRequest.Topic.Partition(
        partition=0,
        current_leader_epoch=member.epoch,
        fetch_offset=member.log.end_offset,
        last_fetched_epoch=member.log.last_epoch,
        partition_max_bytes=0,
        replica_directory_id=member.local.directory_id,
        high_watermark=-1 if member.high_watermark is None else member.high_watermark,
    )
    return FetchRequest(
        cluster_id=member.cluster_id,
        replica_state=FetchRequest.ReplicaState(replica_id=member.local.id, replica_epoch=-1),
        max_wait_ms=member.settings.fetch_max_wait_ms,
        min_bytes=0,
        max_bytes=member.settings.fetch_max_bytes,
        topics=[FetchRequest.Topic(topic=TOPIC, topic_id=TOPIC_ID, partitions=[partition])],
    )


def fetch_snapshot_request(member: Member, snapshot: SnapshotId, position: int) -> FetchSnapshotRequest:
    from barnabas.wire.messages.fetch_snapshot import FetchSnapshotRequest

    piece = FetchSnapshotRequest.TopicSnapshot.PartitionSnapshot
    partition = piece(
        partition=0,
        current_leader_epoch=member.epoch,
        snapshot_id=piece.SnapshotId(end_offset=snapshot.end_offset, epoch=snapshot.epoch),
        position=position,
        replica_directory_id=member.local.directory_id,
    )
    return FetchSnapshotRequest(
        cluster_id=member.cluster_id,
        replica_id=member.local.id,
        max_bytes=member.settings.fetch_snapshot_max_bytes,
        topics=[FetchSnapshotRequest.TopicSnapshot(name=TOPIC, partitions=[partition])],
    )


def update_voter_request(member: Member) -> UpdateRaftVoterRequest:
    from barnabas.wire.messages.update_raft_voter import UpdateRaftVoterRequest as Request

    local = member.local
    return Request(
        cluster_id=member.cluster_id,
        current_leader_epoch=member.epoch,
        voter_id=local.id,
        voter_directory_id=local.directory_id,
        listeners=[Request.Listener(name=name, host=host, port=port) for name, host, port in local.endpoints],
        k_raft_version_feature=Request.KRaftVersionFeature(
            min_supported_version=local.min_kraft_version, max_supported_version=local.max_kraft_version
        ),
    )


def add_voter_request(member: Member) -> AddRaftVoterRequest:
    from barnabas.wire.messages.add_raft_voter import AddRaftVoterRequest as Request

    local = member.local
    return Request(
        cluster_id=member.cluster_id,
        timeout_ms=member.settings.request_timeout_ms,
        voter_id=local.id,
        voter_directory_id=local.directory_id,
        listeners=[Request.Listener(name=name, host=host, port=port) for name, host, port in local.endpoints],
        ack_when_committed=False,
    )


def remove_voter_request(member: Member, voter: Voter) -> RemoveRaftVoterRequest:
    from barnabas.wire.messages.remove_raft_voter import RemoveRaftVoterRequest

    return RemoveRaftVoterRequest(cluster_id=member.cluster_id, voter_id=voter.id, voter_directory_id=voter.directory_id)


# --- responses


def node_endpoints(member: Member, row_type: Any) -> list[Any]:
    """Where the leader is, for whoever was told its id (Q27)."""
    endpoint = member.default_endpoint(member.leader_endpoints)
    if member.election.leader_id < 0 or endpoint is None:
        return []
    return [row_type(node_id=member.election.leader_id, host=endpoint.host, port=endpoint.port)]


def epoch_response(response_type: Any, member: Member, version: int, error: Error, **fields: Any) -> Message:
    """An answer to Vote, BeginQuorumEpoch or EndQuorumEpoch: the epoch and its leader, as this member knows them."""
    partition = response_type.TopicData.PartitionData(
        partition_index=0, error_code=error, leader_id=member.election.leader_id, leader_epoch=member.epoch, **fields
    )
    response: Message = response_type(
        error_code=Error.NONE,
        topics=[response_type.TopicData(topic_name=TOPIC, partitions=[partition])],
        node_endpoints=node_endpoints(member, response_type.NodeEndpoint) if version >= 1 else [],
    )
    return response


def fetch_response(member: Member, version: int, error: Error, found: Diverging | NeedsSnapshot | None, high_watermark: int | None) -> FetchResponse:
    """Without the records: the host reads them."""
    from barnabas.core.quorum.follower_position import Diverging
    from barnabas.wire.messages.fetch import FetchResponse

    data = FetchResponse.FetchableTopicResponse.PartitionData
    row = data(
        partition_index=0,
        error_code=error,
        high_watermark=-1 if high_watermark is None or error else high_watermark,
        log_start_offset=member.log.start_offset,
        current_leader=data.LeaderIdAndEpoch(leader_id=member.election.leader_id, leader_epoch=member.epoch),
        records=b"",
    )
    if isinstance(found, Diverging):
        row.diverging_epoch = data.EpochEndOffset(epoch=found.epoch, end_offset=found.end_offset)
    elif found is not None:
        row.snapshot_id = data.SnapshotId(end_offset=found.end_offset, epoch=found.epoch)
    topic = FetchResponse.FetchableTopicResponse(topic=TOPIC, topic_id=TOPIC_ID, partitions=[row])
    endpoints = node_endpoints(member, FetchResponse.NodeEndpoint) if version >= FIRST_FETCH_WITH_ENDPOINTS else []
    return FetchResponse(responses=[topic], node_endpoints=endpoints)


def fetch_snapshot_response(
    member: Member, version: int, error: Error, name: str, partition: int, snapshot: SnapshotId, position: int
) -> FetchSnapshotResponse:
    """Without size and bytes: the host reads them."""
    from barnabas.wire.messages.fetch_snapshot import FetchSnapshotResponse

    piece = FetchSnapshotResponse.TopicSnapshot.PartitionSnapshot
    row = piece(
        index=partition,
        error_code=error,
        snapshot_id=piece.SnapshotId(end_offset=snapshot.end_offset, epoch=snapshot.epoch),
        current_leader=piece.LeaderIdAndEpoch(leader_id=member.election.leader_id, leader_epoch=member.epoch),
        size=0,
        position=0 if error else position,
        unaligned_records=b"",
    )
    return FetchSnapshotResponse(
        error_code=Error.NONE,
        topics=[FetchSnapshotResponse.TopicSnapshot(name=name, partitions=[row])],
        node_endpoints=node_endpoints(member, FetchSnapshotResponse.NodeEndpoint) if version >= 1 else [],
    )


def update_voter_response(member: Member, error: Error) -> UpdateRaftVoterResponse:
    from barnabas.wire.messages.update_raft_voter import UpdateRaftVoterResponse as Response

    endpoint = member.default_endpoint(member.leader_endpoints)
    host, port = ("", 0) if endpoint is None else (endpoint.host, endpoint.port)
    leader = Response.CurrentLeader(leader_id=member.election.leader_id, leader_epoch=member.epoch, host=host, port=port)
    return Response(throttle_time_ms=0, error_code=error, current_leader=leader)


def leader_endpoints_of(listener: str, leader_id: int, rows: Iterable[Any]) -> tuple[Endpoint, ...]:
    """What a response's node endpoints say of its leader."""
    from barnabas.core.quorum.voters import Endpoint

    return tuple(Endpoint(listener, row.host, row.port) for row in rows if row.node_id == leader_id)


def endpoints_of(rows: Iterable[Any]) -> tuple[Endpoint, ...]:
    """What a request says of its sender's listeners."""
    from barnabas.core.quorum.voters import Endpoint

    return tuple(Endpoint(row.name, row.host, row.port) for row in rows)
