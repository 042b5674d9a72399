"""The controllers' quorum: its leader, voters and observers; adding and removing voters. KIP-595, KIP-836, KIP-853."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas.client.errors import check
from barnabas.wire.errors import Error
from barnabas.wire.messages.add_raft_voter import AddRaftVoterRequest
from barnabas.wire.messages.describe_quorum import DescribeQuorumRequest
from barnabas.wire.messages.remove_raft_voter import RemoveRaftVoterRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from barnabas.client.cluster import Cluster
    from barnabas.wire.messages.describe_quorum import DescribeQuorumResponse

METADATA_TOPIC = "__cluster_metadata"


class Endpoint(NamedTuple):
    listener: str
    host: str
    port: int


class Replica(NamedTuple):
    """The times are None where they aren't known; `directory_id` is zeros where the quorum's voters are static."""

    replica_id: int
    directory_id: bytes
    end_offset: int
    last_fetch_ms: int | None
    last_caught_up_ms: int | None


class Quorum(NamedTuple):
    leader_id: int
    leader_epoch: int
    high_watermark: int
    voters: list[Replica]
    observers: list[Replica]
    endpoints: dict[int, list[Endpoint]]
    """Of voters, by their ids, where the cluster says."""


async def describe(cluster: Cluster) -> Quorum:
    """The quorum as its leader sees it. Raises its error."""
    Topic = DescribeQuorumRequest.TopicData
    request = DescribeQuorumRequest(topics=[Topic(topic_name=METADATA_TOPIC, partitions=[Topic.PartitionData(partition_index=0)])])
    reply: DescribeQuorumResponse = await cluster.call_controller(
        request, name="describeMetadataQuorum", retry_on=lambda r: r.error_code == Error.NOT_CONTROLLER
    )
    check(reply.error_code, reply.error_message)
    partition = reply.topics[0].partitions[0]
    check(partition.error_code, partition.error_message)
    endpoints = {node.node_id: [Endpoint(each.name, each.host, each.port) for each in node.listeners] for node in reply.nodes}
    voters, observers = ([_replica(state) for state in states] for states in (partition.current_voters, partition.observers))
    return Quorum(partition.leader_id, partition.leader_epoch, partition.high_watermark, voters, observers, endpoints)


def _replica(state: DescribeQuorumResponse.ReplicaState) -> Replica:
    fetched, caught_up = state.last_fetch_timestamp, state.last_caught_up_timestamp
    return Replica(
        state.replica_id,
        state.replica_directory_id,
        state.log_end_offset,
        None if fetched == -1 else fetched,
        None if caught_up == -1 else caught_up,
    )


async def add_voter(cluster: Cluster, voter_id: int, directory_id: bytes, endpoints: Iterable[Endpoint]) -> None:
    """Raises the call's error."""
    listeners = [AddRaftVoterRequest.Listener(name=each.listener, host=each.host, port=each.port) for each in endpoints]
    request = AddRaftVoterRequest(
        cluster_id=None,
        timeout_ms=cluster.settings.request_timeout_ms,
        voter_id=voter_id,
        voter_directory_id=directory_id,
        listeners=listeners,
    )
    reply = await cluster.call_controller(request, name="addRaftVoter", retry_on=lambda r: r.error_code == Error.NOT_CONTROLLER)
    check(reply.error_code, reply.error_message)


async def remove_voter(cluster: Cluster, voter_id: int, directory_id: bytes) -> None:
    """Raises the call's error."""
    request = RemoveRaftVoterRequest(cluster_id=None, voter_id=voter_id, voter_directory_id=directory_id)
    reply = await cluster.call_controller(request, name="removeRaftVoter", retry_on=lambda r: r.error_code == Error.NOT_CONTROLLER)
    check(reply.error_code, reply.error_message)
