"""ListOffsets (2), versions 1-11. Needs Describe on each topic. KIP-79, 207, 320, 734, 1005, 1023.

By time, or by name: -1 latest, -2 earliest, -3 greatest timestamp (from 7), -4 earliest local (8), -5 latest tiered (9), -6 earliest pending upload (11); a
name in an older version, or an unknown one, answers 35 for its partition; no match answers offset and timestamp -1 (W28). A new leader whose high watermark
hasn't come to the beginning of its epoch can't name the latest offset: 78 (R22), before version 5 LEADER_NOT_AVAILABLE.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.node.partition import READ_COMMITTED, Partition
from barnabas.storage.errors import StorageError
from barnabas.wire.errors import Error
from barnabas.wire.messages.list_offsets import ListOffsetsResponse
from barnabas.wire.types import DecodeError

if TYPE_CHECKING:
    from barnabas.node.call import Call
    from barnabas.wire.messages.list_offsets import ListOffsetsRequest

Row = ListOffsetsResponse.Topic.Partition

LATEST, EARLIEST, MAX_TIMESTAMP, EARLIEST_LOCAL, LATEST_TIERED, EARLIEST_PENDING_UPLOAD = -1, -2, -3, -4, -5, -6
_SINCE = {LATEST: 1, EARLIEST: 1, MAX_TIMESTAMP: 7, EARLIEST_LOCAL: 8, LATEST_TIERED: 9, EARLIEST_PENDING_UPLOAD: 11}
_DEBUGGING_REPLICA = -2
_FIRST_NOT_AVAILABLE = 5


def handle(request: ListOffsetsRequest, call: Call) -> ListOffsetsResponse:
    topics: dict[str, list[Row]] = {}  # one that names no partitions isn't answered
    seen: set[tuple[str, int]] = set()
    repeated = {
        (topic.name, p.partition_index)
        for topic in request.topics
        for p in topic.partitions
        if (topic.name, p.partition_index) in seen or seen.add((topic.name, p.partition_index))  # type: ignore[func-returns-value]
    }
    for topic in request.topics:
        for asked in topic.partitions:
            partition = call.node.partition_by_name(topic.name, asked.partition_index)
            if (topic.name, asked.partition_index) in repeated:
                row = Row(partition_index=asked.partition_index, error_code=Error.INVALID_REQUEST)
            elif asked.timestamp < 0 and call.version < _SINCE.get(asked.timestamp, 1 << 15):
                row = Row(partition_index=asked.partition_index, error_code=Error.UNSUPPORTED_VERSION)
            elif isinstance(partition, Error):
                row = Row(partition_index=asked.partition_index, error_code=partition)
            else:
                row = _find(call, partition, asked.partition_index, asked.current_leader_epoch, asked.timestamp, request)
                if call.version < 4:
                    row.leader_epoch = -1  # not said before version 4
            topics.setdefault(topic.name, []).append(row)
    return ListOffsetsResponse(topics=[ListOffsetsResponse.Topic(name=name, partitions=rows) for name, rows in topics.items()])


def _find(call: Call, partition: Partition, index: int, epoch: int, timestamp: int, request: ListOffsetsRequest) -> Row:
    error = partition.check_epoch(epoch)
    if error:
        return Row(partition_index=index, error_code=error)
    upper = partition.last_stable_offset if request.isolation_level == READ_COMMITTED else partition.high_watermark
    not_yet = Error.NONE
    if request.replica_id not in (-1, _DEBUGGING_REPLICA):
        upper = partition.log.end_offset
    elif partition.is_below_its_epoch():
        not_yet = Error.OFFSET_NOT_AVAILABLE if call.version >= _FIRST_NOT_AVAILABLE else Error.LEADER_NOT_AVAILABLE
    if timestamp == LATEST:
        if not_yet:
            return Row(partition_index=index, error_code=not_yet)
        return _row(partition, index, -1, upper, partition.leader_epoch)
    if timestamp in (EARLIEST, EARLIEST_LOCAL):
        start = partition.log.start_offset
        return _row(partition, index, -1, start, partition.epochs.epoch_of(start))
    if timestamp in (LATEST_TIERED, EARLIEST_PENDING_UPLOAD):
        return _row(partition, index, -1, -1, -1)
    log = partition.log
    try:
        found = log.max_timestamp_offset() if timestamp == MAX_TIMESTAMP else log.find_offset_by_timestamp(timestamp)
    except (StorageError, OSError, DecodeError) as failure:
        if partition.retired:  # its files went under the search
            return Row(partition_index=index, error_code=Error.NOT_LEADER_OR_FOLLOWER)
        if partition.log is not log:  # it lies in another directory now
            return _find(call, partition, index, epoch, timestamp, request)
        call.node.warn_seldom(partition.log.directory, f"{partition!r} can't be searched: {failure}")
        return Row(partition_index=index, error_code=Error.KAFKA_STORAGE_ERROR)
    if found is None or found.offset >= upper:
        return Row(partition_index=index, error_code=not_yet) if not_yet else _row(partition, index, -1, -1, -1)
    return _row(partition, index, found.timestamp, found.offset, found.leader_epoch)


def _row(partition: Partition, index: int, timestamp: int, offset: int, epoch: int) -> Row:
    return Row(partition_index=index, error_code=0, timestamp=timestamp, offset=offset, leader_epoch=epoch)
