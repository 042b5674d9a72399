"""Asking a leader where its log ends and begins, by a replica whose place isn't in it (R12): ListOffsets -1 and -2, as a follower."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.node.outbound import Failure
from barnabas.wire.errors import Error
from barnabas.wire.messages.list_offsets import ListOffsetsRequest, ListOffsetsResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.node.outbound import Outbound
    from barnabas.node.partition import Partition
    from barnabas.wire.schema import Message

LATEST, EARLIEST = -1, -2


def ask_offsets(
    connection: Outbound, replica_id: int, partition: Partition, leader_epoch: int, on_outcome: Callable[[tuple[int, int] | Error], object]
) -> None:
    """`on_outcome((latest, earliest))`, or why they aren't known. Where the log ends behind the leader's, nobody needs the earliest: it isn't asked for."""
    end_offset = partition.log.end_offset

    def earliest_answered(latest: int, answer: Message | Failure) -> None:
        earliest = _offset(answer)
        on_outcome(earliest if isinstance(earliest, Error) else (latest, earliest))

    def latest_answered(answer: Message | Failure) -> None:
        latest = _offset(answer)
        if isinstance(latest, Error):
            on_outcome(latest)
        elif latest < end_offset:
            on_outcome((latest, latest))
        else:
            connection.ask(_request(replica_id, partition, leader_epoch, EARLIEST), lambda answer: earliest_answered(latest, answer))

    connection.ask(_request(replica_id, partition, leader_epoch, LATEST), latest_answered)


def _request(replica_id: int, partition: Partition, leader_epoch: int, timestamp: int) -> ListOffsetsRequest:
    topic = ListOffsetsRequest.Topic
    wanted = topic.Partition(partition_index=partition.index, current_leader_epoch=leader_epoch, timestamp=timestamp)
    return ListOffsetsRequest(replica_id=replica_id, topics=[topic(name=partition.topic, partitions=[wanted])])


def _offset(answer: Message | Failure) -> int | Error:
    if not isinstance(answer, ListOffsetsResponse):
        return Error.NETWORK_EXCEPTION
    for topic in answer.topics:
        for row in topic.partitions:
            return Error(row.error_code) if row.error_code else row.offset
    return Error.UNKNOWN_SERVER_ERROR
