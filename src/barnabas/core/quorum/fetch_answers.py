"""What the leader gives its replicas: the log, and snapshots; and who waits for more of it (Q3, Q4, Q7, Q31, Q39-Q43).

Source: KIP-595, KIP-630; Apache's `KafkaRaftClient`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas.core.quorum.follower_position import judge_position
from barnabas.core.quorum.leader import Leader
from barnabas.core.quorum.leading import committed
from barnabas.core.quorum.log_shape import TOPIC, TOPIC_ID
from barnabas.core.quorum.messages import (
    FIRST_FETCH_WITH_REPLICA_STATE,
    FIRST_FETCH_WITH_TOPIC_ID,
    fetch_response,
    fetch_snapshot_response,
)
from barnabas.core.quorum.peer_events import Read, ReadSnapshot, Reply, SnapshotId
from barnabas.core.quorum.peers import FOREVER
from barnabas.core.quorum.requests import leader_only_error
from barnabas.wire.errors import Error
from barnabas.wire.messages.fetch import FetchRequest, FetchResponse
from barnabas.wire.messages.fetch_snapshot import FetchSnapshotRequest, FetchSnapshotResponse

if TYPE_CHECKING:
    from barnabas.core.quorum.member import Member
    from barnabas.core.quorum.peer_events import Request

READ_MAX_BYTES = 8 * 1024 * 1024
UNKNOWN_HIGH_WATERMARK = (1 << 63) - 1
"""Of replicas that don't tell theirs: before Fetch 18."""


class Parked(NamedTuple):
    key: int
    message: FetchRequest
    version: int
    deadline_ms: int


def answer(member: Member, request: Request, now_ms: int) -> bool:
    """Whether it was such a request."""
    message = request.message
    if isinstance(message, FetchRequest):
        _answer_fetch(member, Parked(request.key, message, request.version, now_ms + message.max_wait_ms), now_ms)
    elif isinstance(message, FetchSnapshotRequest):
        _answer_fetch_snapshot(member, message, request, now_ms)
    else:
        return False
    return True


# --- Fetch


def _answer_fetch(member: Member, fetch: Parked, now_ms: int) -> None:
    message = fetch.message
    if message.cluster_id not in (None, member.cluster_id):
        reply: Reply | None = Reply(fetch.key, FetchResponse(error_code=Error.INCONSISTENT_CLUSTER_ID, responses=[]))
    elif not _is_for_metadata(message, fetch.version):
        reply = Reply(fetch.key, FetchResponse(error_code=Error.INVALID_REQUEST, responses=[]))
    else:
        reply = _try_fetch(member, fetch, now_ms)
    if reply is not None:
        member.effects.append(reply)
    else:
        assert isinstance(member.role, Leader)
        member.role.parked[fetch.key] = fetch


def _is_for_metadata(message: FetchRequest, version: int) -> bool:
    if len(message.topics) != 1 or len(message.topics[0].partitions) != 1 or message.topics[0].partitions[0].partition != 0:
        return False
    topic = message.topics[0]
    return topic.topic_id == TOPIC_ID if version >= FIRST_FETCH_WITH_TOPIC_ID else topic.topic == TOPIC


def _try_fetch(member: Member, fetch: Parked, now_ms: int) -> Reply | None:
    """The answer, or None while there is nothing to tell."""
    message, version = fetch.message, fetch.version
    wanted = message.topics[0].partitions[0]
    error = leader_only_error(member, wanted.current_leader_epoch)
    replica_id = message.replica_state.replica_id if version >= FIRST_FETCH_WITH_REPLICA_STATE else message.replica_id
    if message.max_wait_ms < 0 or wanted.fetch_offset < 0 or not 0 <= wanted.last_fetched_epoch <= wanted.current_leader_epoch:
        error = Error.INVALID_REQUEST
    elif not error and replica_id == member.local.id:
        error = Error.UNKNOWN_SERVER_ERROR  # two nodes have one id (Q7)
    leader = member.role
    if error or not isinstance(leader, Leader):
        return Reply(fetch.key, fetch_response(member, version, error, None, None))
    found = judge_position(wanted.fetch_offset, wanted.last_fetched_epoch, member.log.view())
    if found is not None:
        return Reply(fetch.key, fetch_response(member, version, Error.NONE, found, leader.high_watermark))
    note_position(member, leader, replica_id, wanted.replica_directory_id, wanted.fetch_offset, now_ms)
    has_records = wanted.fetch_offset < member.log.end_offset
    has_news = wanted.high_watermark != UNKNOWN_HIGH_WATERMARK and (leader.high_watermark or -1) > wanted.high_watermark
    if not has_records and not has_news and now_ms < fetch.deadline_ms:
        return None
    # The partition's own limit is 0 in these requests and means nothing (Q3, T17).
    read = Read(wanted.fetch_offset, min(max(message.max_bytes, 0), READ_MAX_BYTES)) if has_records else None
    return Reply(fetch.key, fetch_response(member, version, Error.NONE, None, leader.high_watermark), read)


def note_position(member: Member, leader: Leader, replica_id: int, directory_id: bytes, offset: int, now_ms: int) -> None:
    """A replica has everything before `offset` (Q31)."""
    if replica_id < 0:
        return
    advanced = leader.fetched(replica_id, directory_id, offset, member.log.end_offset, now_ms)
    leader.heard_from(replica_id, directory_id, now_ms, member.settings.check_quorum_timeout_ms)
    if advanced is not None:
        committed(member, leader, advanced, now_ms)


def wake(member: Member, leader: Leader, now_ms: int) -> None:
    """The log grew or committed: answer who waits for that."""
    for key, fetch in list(leader.parked.items()):
        wanted = fetch.message.topics[0].partitions[0]
        if wanted.fetch_offset >= member.log.end_offset and (leader.high_watermark or -1) <= wanted.high_watermark:
            continue
        reply = _try_fetch(member, fetch, now_ms)
        if reply is not None:
            leader.parked.pop(key, None)
            member.effects.append(reply)


def expire(member: Member, leader: Leader, now_ms: int) -> int:
    """Answer who waited long enough. When the next one has."""
    for key, fetch in list(leader.parked.items()):
        if fetch.deadline_ms <= now_ms:
            del leader.parked[key]
            reply = _try_fetch(member, fetch, now_ms)
            assert reply is not None
            member.effects.append(reply)
    return min((fetch.deadline_ms for fetch in leader.parked.values()), default=FOREVER)


def dismiss(member: Member, leader: Leader) -> None:
    """This node leads no longer: let its replicas look for another leader."""
    for key, fetch in leader.parked.items():
        member.effects.append(Reply(key, fetch_response(member, fetch.version, Error.NOT_LEADER_OR_FOLLOWER, None, None)))
    leader.parked.clear()


# --- FetchSnapshot


def _answer_fetch_snapshot(member: Member, message: FetchSnapshotRequest, request: Request, now_ms: int) -> None:
    if message.cluster_id not in (None, member.cluster_id):
        member.effects.append(Reply(request.key, FetchSnapshotResponse(error_code=Error.INCONSISTENT_CLUSTER_ID, topics=[])))
        return
    if len(message.topics) != 1 or len(message.topics[0].partitions) != 1:
        member.effects.append(Reply(request.key, FetchSnapshotResponse(error_code=Error.INVALID_REQUEST, topics=[])))
        return
    topic = message.topics[0]
    wanted = topic.partitions[0]
    snapshot = SnapshotId(wanted.snapshot_id.epoch, wanted.snapshot_id.end_offset)
    error = leader_only_error(member, wanted.current_leader_epoch)
    if topic.name != TOPIC or wanted.partition != 0:
        error = Error.UNKNOWN_TOPIC_OR_PARTITION
    elif not error and not member.log.has_snapshot(*snapshot):
        error = Error.SNAPSHOT_NOT_FOUND
    elif not error and wanted.position < 0:
        error = Error.POSITION_OUT_OF_RANGE
    response = fetch_snapshot_response(member, request.version, error, topic.name, wanted.partition, snapshot, wanted.position)
    read = None if error else ReadSnapshot(snapshot, wanted.position, min(max(message.max_bytes, 0), READ_MAX_BYTES))
    if read is not None and isinstance(member.role, Leader):
        member.role.heard_from(message.replica_id, wanted.replica_directory_id, now_ms, member.settings.check_quorum_timeout_ms)
    member.effects.append(Reply(request.key, response, read))
