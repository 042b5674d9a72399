"""Answers to replicas of the metadata log, on the controllers' listener: Fetch (1), FetchSnapshot (59), Vote (52).

Owns who waits for news. Everything here runs on the control thread. Observers (brokers) are served fully; a vote is never given, since this node is the
only voter. Source: INTERCHANGE Q3-Q7, Q24-Q27, Q31, Q39-Q46; Apache's `KafkaRaftClient`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from barnabas.core.quorum.follower_position import BOOTSTRAP_SNAPSHOT, Diverging, NeedsSnapshot
from barnabas.node.metadata_log import TOPIC_ID
from barnabas.storage.log_directory import METADATA_TOPIC
from barnabas.storage.metadata_snapshot import SnapshotId
from barnabas.wire.errors import Error
from barnabas.wire.messages.fetch import FetchResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.core.quorum.voters import Endpoint
    from barnabas.node.loop import Loop, Timer
    from barnabas.node.metadata_log import MetadataLog
    from barnabas.wire.messages.fetch import FetchRequest
    from barnabas.wire.messages.fetch_snapshot import FetchSnapshotRequest, FetchSnapshotResponse
    from barnabas.wire.messages.vote import VoteRequest, VoteResponse

FETCH_MAX_BYTES = 8 * 1024 * 1024
_FIRST_WITH_ENDPOINTS = 17
_UNKNOWN_HIGH_WATERMARK = (1 << 63) - 1
Row = FetchResponse.FetchableTopicResponse.PartitionData


class _Waiting(NamedTuple):
    request: FetchRequest
    version: int
    reply: Callable[[FetchResponse], object]
    timer: Timer


class QuorumService:
    """One a node. `changed` must be called whenever the metadata log grew or committed."""

    __slots__ = ("_cluster_id", "_endpoint", "_log", "_loop", "_waiting")

    def __init__(self, log: MetadataLog, cluster_id: str, endpoint: Endpoint, loop: Loop) -> None:
        """`endpoint`: of this node's first controller listener, as advertised (Q13)."""
        self._log = log
        self._cluster_id = cluster_id
        self._endpoint = endpoint
        self._loop = loop
        self._waiting: dict[int, _Waiting] = {}

    def _check_epoch(self, epoch: int) -> Error:
        """Whether a request meant for the leader of `epoch` came to the right place (Q26)."""
        quorum = self._log.quorum
        if epoch < quorum.epoch:
            return Error.FENCED_LEADER_EPOCH
        if epoch > quorum.epoch:
            return Error.UNKNOWN_LEADER_EPOCH
        return Error.NONE if quorum.leader_id >= 0 else Error.NOT_LEADER_OR_FOLLOWER

    def _is_other_cluster(self, cluster_id: str | None) -> bool:
        return cluster_id is not None and cluster_id != self._cluster_id

    # --- Fetch

    def fetch(self, request: FetchRequest, version: int, reply: Callable[[FetchResponse], object]) -> None:
        """Answer at once when there is news, else when there is, or after the request's max wait (Q31)."""
        if self._is_other_cluster(request.cluster_id):
            reply(FetchResponse(error_code=Error.INCONSISTENT_CLUSTER_ID, responses=[]))
            return
        partitions = [(topic, partition) for topic in request.topics for partition in topic.partitions]
        if len(partitions) != 1 or partitions[0][1].partition != 0 or not self._is_metadata_topic(partitions[0][0], version):
            reply(FetchResponse(error_code=Error.INVALID_REQUEST, responses=[]))
            return
        response = self._try_fetch(request, version)
        if response is None:
            timer = self._loop.call_later(request.max_wait_ms, self._give_up, id(request))
            self._waiting[id(request)] = _Waiting(request, version, reply, timer)
        else:
            reply(response)

    @staticmethod
    def _is_metadata_topic(topic: FetchRequest.Topic, version: int) -> bool:
        return topic.topic_id == TOPIC_ID if version >= 13 else topic.topic == METADATA_TOPIC

    def _try_fetch(self, request: FetchRequest, version: int, *, last_chance: bool = False) -> FetchResponse | None:
        """The answer, or None while there is nothing to tell."""
        wanted = request.topics[0].partitions[0]
        error = self._check_epoch(wanted.current_leader_epoch)
        if request.max_wait_ms < 0 or wanted.fetch_offset < 0 or not 0 <= wanted.last_fetched_epoch <= wanted.current_leader_epoch:
            error = Error.INVALID_REQUEST
        if error:
            return self._fetched(version, error, None, b"")
        found = self._log.judge(wanted.fetch_offset, wanted.last_fetched_epoch)
        if found is not None:
            return self._fetched(version, Error.NONE, found, b"")
        replica_id = request.replica_state.replica_id if version >= 15 else request.replica_id
        self._log.fetched(replica_id, wanted.replica_directory_id, wanted.fetch_offset)
        # The partition's own limit is 0 in these requests and means nothing (Q3).
        records = self._log.read(wanted.fetch_offset, min(max(request.max_bytes, 0), FETCH_MAX_BYTES))
        known = wanted.high_watermark
        has_news = known != _UNKNOWN_HIGH_WATERMARK and (self._log.quorum.high_watermark or -1) > known
        if not records and not has_news and request.max_wait_ms > 0 and not last_chance:
            return None
        return self._fetched(version, Error.NONE, None, records)

    def _fetched(self, version: int, error: Error, found: Diverging | NeedsSnapshot | None, records: bytes) -> FetchResponse:
        quorum = self._log.quorum
        high_watermark = quorum.high_watermark
        row = Row(
            partition_index=0,
            error_code=error,
            high_watermark=-1 if high_watermark is None or error else high_watermark,
            log_start_offset=self._log.start_offset,
            records=records,
        )
        row.current_leader = Row.LeaderIdAndEpoch(leader_id=quorum.leader_id, leader_epoch=quorum.epoch)
        if isinstance(found, Diverging):
            row.diverging_epoch = Row.EpochEndOffset(epoch=found.epoch, end_offset=found.end_offset)
        elif found is not None:
            row.snapshot_id = Row.SnapshotId(end_offset=found.end_offset, epoch=found.epoch)
        topic = FetchResponse.FetchableTopicResponse(topic=METADATA_TOPIC, topic_id=TOPIC_ID, partitions=[row])
        response = FetchResponse(responses=[topic])
        if version >= _FIRST_WITH_ENDPOINTS and quorum.leader_id >= 0:
            _, host, port = self._endpoint
            response.node_endpoints = [FetchResponse.NodeEndpoint(node_id=quorum.leader_id, host=host, port=port)]
        return response

    def changed(self) -> None:
        """The log grew or committed: answer who waits for that."""
        for key, waiting in list(self._waiting.items()):
            response = self._try_fetch(waiting.request, waiting.version)
            if response is not None:
                del self._waiting[key]
                waiting.timer.cancel()
                waiting.reply(response)

    def _give_up(self, key: int) -> None:
        waiting = self._waiting.pop(key)
        response = self._try_fetch(waiting.request, waiting.version, last_chance=True)
        assert response is not None
        waiting.reply(response)

    # --- FetchSnapshot

    def fetch_snapshot(self, request: FetchSnapshotRequest, version: int) -> FetchSnapshotResponse:
        """A piece of a snapshot's file (Q43)."""
        from barnabas.wire.messages.fetch_snapshot import FetchSnapshotResponse

        if self._is_other_cluster(request.cluster_id):
            return FetchSnapshotResponse(error_code=Error.INCONSISTENT_CLUSTER_ID, topics=[])
        if len(request.topics) != 1 or len(request.topics[0].partitions) != 1:
            return FetchSnapshotResponse(error_code=Error.INVALID_REQUEST, topics=[])
        topic = request.topics[0]
        wanted = topic.partitions[0]
        piece = FetchSnapshotResponse.TopicSnapshot.PartitionSnapshot
        wanted_id = (wanted.snapshot_id.epoch, wanted.snapshot_id.end_offset)
        size, data, error = 0, b"", self._check_epoch(wanted.current_leader_epoch)
        if topic.name != METADATA_TOPIC or wanted.partition != 0:
            error = Error.UNKNOWN_TOPIC_OR_PARTITION
        elif not error:
            size, data, error = self._read_snapshot(wanted_id, wanted.position, request.max_bytes)
        row = piece(
            index=wanted.partition,
            error_code=error,
            snapshot_id=piece.SnapshotId(end_offset=wanted_id[1], epoch=wanted_id[0]),
            size=size,
            position=0 if error else wanted.position,
            unaligned_records=data,
        )
        quorum = self._log.quorum
        row.current_leader = piece.LeaderIdAndEpoch(leader_id=quorum.leader_id, leader_epoch=quorum.epoch)
        response = FetchSnapshotResponse(error_code=0, topics=[FetchSnapshotResponse.TopicSnapshot(name=topic.name, partitions=[row])])
        if version >= 1 and quorum.leader_id >= 0:
            _, host, port = self._endpoint
            response.node_endpoints = [FetchSnapshotResponse.NodeEndpoint(node_id=quorum.leader_id, host=host, port=port)]
        return response

    def _read_snapshot(self, wanted: tuple[int, int], position: int, max_bytes: int) -> tuple[int, bytes, Error]:
        """(size of the file, bytes from `position` on, error). The bootstrap snapshot is nobody else's (D42)."""
        snapshots = self._log.snapshots
        if wanted == BOOTSTRAP_SNAPSHOT or wanted not in snapshots.ids:
            return 0, b"", Error.SNAPSHOT_NOT_FOUND
        with open(snapshots.path(SnapshotId(*wanted)), "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            if not 0 <= position < size:
                return 0, b"", Error.POSITION_OUT_OF_RANGE
            return size, os.pread(file.fileno(), min(max(max_bytes, 0), FETCH_MAX_BYTES), position), Error.NONE

    # --- Vote

    def vote(self, request: VoteRequest, version: int) -> VoteResponse:
        """No: the only voter is this node, and it leads. Said so that no peer dies of it (Q5, Q6): its own epoch and leader, never 42."""
        from barnabas.wire.messages.vote import VoteResponse

        if self._is_other_cluster(request.cluster_id):
            return VoteResponse(error_code=Error.INCONSISTENT_CLUSTER_ID, topics=[])
        if len(request.topics) != 1 or len(request.topics[0].partitions) != 1:
            return VoteResponse(error_code=Error.INVALID_REQUEST, topics=[])
        quorum = self._log.quorum
        asked = request.topics[0].partitions[0]
        row = VoteResponse.TopicData.PartitionData(
            partition_index=asked.partition_index,
            error_code=Error.FENCED_LEADER_EPOCH if asked.replica_epoch < quorum.epoch else Error.NONE,
            leader_id=quorum.leader_id,
            leader_epoch=quorum.epoch,
            vote_granted=False,
        )
        response = VoteResponse(error_code=0, topics=[VoteResponse.TopicData(topic_name=request.topics[0].topic_name, partitions=[row])])
        if version >= 1 and quorum.leader_id >= 0:
            _, host, port = self._endpoint
            response.node_endpoints = [VoteResponse.NodeEndpoint(node_id=quorum.leader_id, host=host, port=port)]
        return response
