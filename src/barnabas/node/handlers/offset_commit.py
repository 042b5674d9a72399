"""OffsetCommit (8), versions 2-10. Needs Read on the group and on each topic.

Up to 4 a retention time, 6 leader epochs, 7 static members, 9 member epochs (KIP-848), 10 topic ids. Unknown topics and partitions are refused here: 100 by
id, 3 by name. As Apache Kafka (G15, G17).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.wire.errors import Error
from barnabas.wire.messages.offset_commit import OffsetCommitRequest, OffsetCommitResponse
from barnabas.wire.types import ZERO_UUID

if TYPE_CHECKING:
    from barnabas.core.metadata.image import MetadataImage
    from barnabas.node.call import Call

_BY_ID = 10

Asked = OffsetCommitRequest.Topic
Answered = OffsetCommitResponse.Topic


def handle(request: OffsetCommitRequest, call: Call) -> OffsetCommitResponse | None:
    by_id = call.version >= _BY_ID
    refused: dict[str | bytes, OffsetCommitResponse.Topic] = {}
    request.topics = [known for topic in request.topics if (known := _known(topic, call.node.image, by_id, refused)) is not None]
    if not request.topics:
        return OffsetCommitResponse(topics=list(refused.values()))
    if not refused:
        call.node.groups.coordinator.commit_offsets(request, call.version, call.reply)
        return None

    def answer(response: OffsetCommitResponse) -> None:
        for topic in response.topics:
            _add(refused, topic.topic_id if by_id else topic.name, topic)
        call.reply(OffsetCommitResponse(topics=list(refused.values())))

    call.node.groups.coordinator.commit_offsets(request, call.version, answer)
    return None


def _known(
    topic: OffsetCommitRequest.Topic, image: MetadataImage, by_id: bool, refused: dict[str | bytes, OffsetCommitResponse.Topic]
) -> OffsetCommitRequest.Topic | None:
    """The topic with its name, id and those partitions that exist; the others go to `refused`. None if nothing is left."""
    found = image.topics.by_id.get(topic.topic_id) if by_id else image.topics.by_name.get(topic.name)
    if found is None:
        error = Error.UNKNOWN_TOPIC_ID if by_id else Error.UNKNOWN_TOPIC_OR_PARTITION
        _add(refused, topic.topic_id if by_id else topic.name, _refuse(topic.name, topic.topic_id if by_id else ZERO_UUID, topic.partitions, error))
        return None
    topic.name, topic.topic_id = found.name, found.id
    missing = [partition for partition in topic.partitions if partition.partition_index not in found.partitions]
    if missing:
        _add(refused, found.id if by_id else found.name, _refuse(found.name, found.id, missing, Error.UNKNOWN_TOPIC_OR_PARTITION))
        topic.partitions = [partition for partition in topic.partitions if partition.partition_index in found.partitions]
    return topic if topic.partitions else None


def _refuse(name: str, topic_id: bytes, partitions: list[OffsetCommitRequest.Topic.Partition], error: Error) -> OffsetCommitResponse.Topic:
    rows = [Answered.Partition(partition_index=partition.partition_index, error_code=error) for partition in partitions]
    return Answered(name=name, topic_id=topic_id, partitions=rows)


def _add(topics: dict[str | bytes, OffsetCommitResponse.Topic], key: str | bytes, topic: OffsetCommitResponse.Topic) -> None:
    """A topic that the request names twice is answered once."""
    place = topics.setdefault(key, topic)
    if place is not topic:
        place.partitions = place.partitions + topic.partitions
