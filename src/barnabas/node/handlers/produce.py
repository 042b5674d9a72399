"""Produce (0), versions 3-13 (0-2 are listed for old librdkafka and refused, W2). Needs Write on each topic.

11 and 12 are of transactions (KIP-890), 13 names topics by id. As Apache Kafka: one batch a partition, validated record by record; one partition's
error doesn't touch the others; with acks=0 there is no answer, and an error ends the connection (W25). With acks=all the answer waits until all replicas
in sync have what was written (R27).

Most requests have one batch for one partition, and a producer's requests differ in little but the batch. `shortcut` remembers what such a request starts
with (a Route) and skips decoding and encoding when it meets the same bytes again; everything else goes the ordinary way through `handle`.
"""

from __future__ import annotations

from struct import Struct
from time import thread_time, time_ns
from typing import TYPE_CHECKING

from barnabas.node.connection import LARGE_REQUESTS
from barnabas.node.current_leaders import CurrentLeaders
from barnabas.node.partition import ALL, InvalidBatch, ProducerError
from barnabas.wire.errors import Error
from barnabas.wire.framing import encode_response
from barnabas.wire.messages.produce import ProduceResponse
from barnabas.wire.types import DecodeError, read_uvarint, write_uvarint

if TYPE_CHECKING:
    from barnabas.node.call import Call
    from barnabas.node.connection import Connection
    from barnabas.node.partition import Partition, WriteGroup
    from barnabas.node.replication.commits import RequestCommit, RouteCommit
    from barnabas.wire.messages.produce import ProduceRequest

Row = ProduceResponse.TopicProduce.PartitionProduce

_FLEXIBLE = 9
_TOPIC_IDS = 13
_ZSTD = 4
_FIRST_ZSTD = 7
_FIRST_LOG_START = 5
_FIRST_CURRENT_LEADER = 10
_MOST_ROUTES = 1024
_LONGEST_S = 1.0  # of its thread's time: a batch of a few kilobytes may inflate to 128 MiB, and a request have thousands
_BULK = 32 * 1024
_RESULT = Struct(">hqqq")  # error, base offset, log append time, log start offset
_INT32 = Struct(">i")
_SIZE_AND_CORRELATION = Struct(">ii")
_BEFORE_PREFIX = 12  # size, key, version, correlation id


class Route:
    """Where requests that start with the same bytes go: the partition, and the response around the four values that differ."""

    __slots__ = ("acks", "head", "pack", "partition", "size", "tail", "timeout_ms", "version")

    def __init__(self, partition: Partition, version: int, acks: int, timeout_ms: int, head: bytes, tail: bytes) -> None:
        self.partition = partition
        self.version = version
        self.acks = acks
        self.timeout_ms = timeout_ms
        self.head = head  # from behind the correlation id to the partition's index
        self.tail = tail
        self.size = 4 + len(head) + _RESULT.size + len(tail)
        self.pack = Struct(f">ii{len(head)}shqqq{len(tail)}s").pack

    def answer(self, correlation_id: int, base_offset: int, append_time_ms: int) -> bytes:
        return self.pack(self.size, correlation_id, self.head, 0, base_offset, append_time_ms, self.partition.log.start_offset, self.tail)

    def refusal(self, correlation_id: int, error: Error) -> bytes:
        return self.pack(self.size, correlation_id, self.head, error, -1, -1, -1, self.tail)


def shortcut(connection: Connection, start: int, size: int, version: int, correlation_id: int) -> bool:
    """Serve the request at `start` of the connection's buffer if its beginning is known; False leaves everything as it was."""
    view = connection.view
    prefix_end = start + _BEFORE_PREFIX + connection.route_size
    route = connection.routes.get(bytes(view[start + _BEFORE_PREFIX : prefix_end]))
    if route is None or route.version != version:
        return False
    frame_end = start + 4 + size
    if prefix_end + 8 > frame_end:
        return False
    if version >= _FLEXIBLE:
        try:
            length, position = read_uvarint(view, prefix_end)
        except DecodeError:
            return False
        records_end = position + length - 1
        if records_end + 3 != frame_end or view[records_end] or view[records_end + 1] or view[records_end + 2]:
            return False
    else:
        position = prefix_end + 4
        records_end = position + _INT32.unpack_from(view, prefix_end)[0]
        if records_end != frame_end:
            return False
    partition = route.partition
    commit = None if partition.leading is None or route.acks != ALL else _commit(connection, route, correlation_id)
    try:
        base_offset, append_time_ms, group = partition.append(view[position:records_end], time_ns() // 1_000_000, commit)
    except (InvalidBatch, ProducerError):
        if partition.retired:
            connection.routes.clear()
        return False
    if commit is not None and commit.is_placed:
        if group is not None:
            connection.network.groups[group] = None
        _await(connection, commit, route.timeout_ms)
        if size > _BULK:
            connection.network.write_groups()
        return True
    if group is not None:
        connection.network.groups[group] = None
        connection.produced.append((len(connection.out), route, correlation_id, group))
    connection.out.append(route.answer(correlation_id, base_offset, append_time_ms))
    if size > _BULK:  # nothing is gained by collecting large batches, and others wait meanwhile
        connection.network.write_groups()
        connection.kind = LARGE_REQUESTS
    return True


def _commit(connection: Connection, route: Route, correlation_id: int) -> RouteCommit:
    from barnabas.node.replication.commits import RouteCommit

    return RouteCommit(connection, route, correlation_id)


def _await(connection: Connection, commit: RouteCommit | RequestCommit, timeout_ms: int) -> None:
    from barnabas.node.replication.commits import await_reply

    await_reply(connection, commit, timeout_ms)


def handle(request: ProduceRequest, call: Call) -> ProduceResponse | None:
    if request.acks not in (-1, 0, 1):
        return _refuse_all(request, Error.INVALID_REQUIRED_ACKS)
    now_ms = call.now_ms
    until_s = thread_time() + _LONGEST_S
    response = ProduceResponse(responses=[])
    groups: list[tuple[Row, WriteGroup]] = []
    commit: RequestCommit | None = None
    for topic in request.topic_data:
        rows = []
        for data in topic.partition_data:
            row = Row(index=data.index, error_code=0, base_offset=-1)
            found = call.node.partition_for_produce(topic.topic_id if call.version >= _TOPIC_IDS else topic.name, data.index, call.client_id)
            if isinstance(found, Error):
                row.error_code = found
            elif thread_time() > until_s:
                row.error_code, row.error_message = Error.REQUEST_TIMED_OUT, "the batches before this one took too long"
            else:
                if request.acks == ALL and found.leading is not None and commit is None:
                    commit = _request_commit(call, response)
                group = _append(found, data.records, row, request, call.version, now_ms, commit)
                if group is not None:
                    groups.append((row, group))
            rows.append(row)
        if rows:
            response.responses.append(ProduceResponse.TopicProduce(name=topic.name, topic_id=topic.topic_id, partition_responses=rows))
    for row, group in groups:
        group.partition.write(group)
        if group.error is not None:
            row.error_code, row.base_offset, row.log_append_time_ms = group.error, -1, -1
    if request.acks == 0:
        _finish_unanswered(response, call)
        return None
    _remember(request, call)
    if commit is not None and commit.waits:
        _await(call.connection, commit, request.timeout_ms)
        commit.begin()
        call.connection.muted = False
        return None
    _name_leaders(response, call)
    return response


def _request_commit(call: Call, response: ProduceResponse) -> RequestCommit:
    from barnabas.node.replication.commits import RequestCommit

    def finish() -> bytes:
        _name_leaders(response, call)
        return encode_response(call.api, call.version, call.correlation_id, response)

    return RequestCommit(call.connection, finish)


def _name_leaders(response: ProduceResponse, call: Call) -> None:
    """Those who asked the wrong node are told whom to ask."""
    if call.version < _FIRST_CURRENT_LEADER:
        return
    leaders: CurrentLeaders | None = None
    for topic in response.responses:
        for row in topic.partition_responses:
            if row.error_code == Error.NOT_LEADER_OR_FOLLOWER:
                leaders = leaders or CurrentLeaders(call.node.image, call.listener)
                leader_id, leader_epoch = leaders.of(topic.topic_id if call.version >= _TOPIC_IDS else topic.name, row.index)
                row.current_leader = Row.LeaderIdAndEpoch(leader_id=leader_id, leader_epoch=leader_epoch)
    if leaders is not None:
        response.node_endpoints = [ProduceResponse.NodeEndpoint(**found._asdict()) for found in leaders.endpoints.values()]


def _append(
    partition: Partition,
    records: bytes | memoryview | bytearray | None,
    row: Row,
    request: ProduceRequest,
    version: int,
    now_ms: int,
    commit: RequestCommit | None,
) -> WriteGroup | None:
    """Append one partition's records; the outcome goes into `row`."""
    try:
        view = memoryview(records or b"")
        if version < _FIRST_ZSTD and len(view) > 22 and view[22] & 7 == _ZSTD:
            raise InvalidBatch(Error.UNSUPPORTED_COMPRESSION_TYPE, "zstd needs Produce version 7 or later", is_early=True)
        if request.transactional_id is not None:
            raise InvalidBatch(Error.INVALID_TXN_STATE, "transactions aren't served yet")
        if len(view) > 22 and view[22] & 0x10:
            raise InvalidBatch(Error.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "a transactional batch without transactional id", is_early=True)
        row.base_offset, row.log_append_time_ms, group = partition.append(view, now_ms, None if commit is None else commit.part(row))
        row.log_start_offset = partition.log.start_offset
        return group
    except InvalidBatch as refused:
        row.error_code = refused.error
        row.error_message, errors = refused.reply_texts(f"{partition.topic}-{partition.index}")
        row.record_errors = [Row.BatchIndexAndErrorMessage(batch_index=index, batch_index_error_message=text) for index, text in errors]
        row.log_start_offset = partition.log.start_offset if refused.tells_log_start else -1
    except ProducerError as refused:
        row.error_code = refused.error
        row.log_start_offset = partition.log.start_offset
    return None


def _refuse_all(request: ProduceRequest, error: Error) -> ProduceResponse:
    return ProduceResponse(
        responses=[
            ProduceResponse.TopicProduce(
                name=topic.name,
                topic_id=topic.topic_id,
                partition_responses=[Row(index=data.index, error_code=error, base_offset=-1) for data in topic.partition_data],
            )
            for topic in request.topic_data
        ]
    )


def _finish_unanswered(response: ProduceResponse, call: Call) -> None:
    """acks=0: no answer, and the connection ends if anything failed, which makes the client refresh its metadata (R28)."""
    if any(row.error_code for topic in response.responses for row in topic.partition_responses):
        call.connection.close()
    call.connection.muted = False


def _remember(request: ProduceRequest, call: Call) -> None:
    """Make a Route if the request has one batch for one partition and nothing unusual."""
    if len(request.topic_data) != 1 or len(request.topic_data[0].partition_data) != 1 or request.transactional_id is not None:
        return
    topic = request.topic_data[0]
    data = topic.partition_data[0]
    version = call.version
    partition = call.node.partition_for_produce(topic.topic_id if version >= _TOPIC_IDS else topic.name, data.index, call.client_id)
    if isinstance(partition, Error) or data.records is None or version < _FIRST_LOG_START:
        return
    connection = call.connection
    flexible = version >= _FLEXIBLE
    length = len(data.records)
    tail_size = 3 if flexible else 0
    prefix_end = connection.start - tail_size - length - (len(write_uvarint(length + 1)) if flexible else 4)
    frame_start = prefix_end - _prefix_size(request, call, flexible)
    if frame_start < _BEFORE_PREFIX or _INT32.unpack_from(connection.view, frame_start - _BEFORE_PREFIX)[0] != connection.start - frame_start + 8:
        return  # tagged fields in the header or the body
    prefix = bytes(connection.view[frame_start:prefix_end])
    head, tail = _response_around(request, version)
    if len(connection.routes) >= _MOST_ROUTES or connection.route_size != len(prefix):
        connection.routes.clear()
    connection.route_size = len(prefix)
    connection.routes[prefix] = Route(partition, version, request.acks, request.timeout_ms, head, tail)


def _prefix_size(request: ProduceRequest, call: Call, flexible: bool) -> int:
    """Bytes from the client id's length to the partition's index, both included, of a request without header tags."""
    topic = request.topic_data[0]
    client = 2 + len(call.client_id.encode())
    if not flexible:
        return client + 2 + 2 + 4 + 4 + 2 + len(topic.name.encode()) + 4 + 4
    name = 16 if call.version >= _TOPIC_IDS else len(write_uvarint(len(topic.name.encode()) + 1)) + len(topic.name.encode())
    return client + 1 + 1 + 2 + 4 + 1 + name + 1 + 4


def _response_around(request: ProduceRequest, version: int) -> tuple[bytes, bytes]:
    """The encoded response in front of and behind a partition's error, base offset, append time and log start."""
    topic = request.topic_data[0]
    marker = (0x7A7A, 0x7B7B7B7B7B7B7B7B, 0x7C7C7C7C7C7C7C7C, 0x7D7D7D7D7D7D7D7D)
    row = Row(
        index=topic.partition_data[0].index, error_code=marker[0], base_offset=marker[1], log_append_time_ms=marker[2], log_start_offset=marker[3]
    )
    topics = [ProduceResponse.TopicProduce(name=topic.name, topic_id=topic.topic_id, partition_responses=[row])]
    encoded = ProduceResponse(responses=topics).encode(version)
    head, _, tail = encoded.rpartition(_RESULT.pack(*marker))
    return (b"\0" if version >= _FLEXIBLE else b"") + head, tail
