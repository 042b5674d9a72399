"""OffsetDelete (47), version 0. Needs Delete on the group and Read on each topic. Unknown topics and partitions answer 3. As Apache Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.wire.errors import Error
from barnabas.wire.messages.offset_delete import OffsetDeleteRequest, OffsetDeleteResponse

if TYPE_CHECKING:
    from barnabas.core.metadata.image import MetadataImage
    from barnabas.node.call import Call

Answered = OffsetDeleteResponse.Topic


def handle(request: OffsetDeleteRequest, call: Call) -> OffsetDeleteResponse | None:
    refused: dict[str, OffsetDeleteResponse.Topic] = {}
    request.topics = [topic for topic in request.topics if _keep_known(topic, call.node.image, refused)]

    def answer(response: OffsetDeleteResponse) -> None:
        if not response.error_code and refused:
            for topic in response.topics:
                place = refused.setdefault(topic.name, topic)
                if place is not topic:
                    place.partitions = place.partitions + topic.partitions
            response.topics = list(refused.values())
        call.reply(response)

    call.node.groups.coordinator.delete_offsets(request, answer)
    return None


def _keep_known(topic: OffsetDeleteRequest.Topic, image: MetadataImage, refused: dict[str, OffsetDeleteResponse.Topic]) -> bool:
    """Leave only partitions that exist in `topic`; the others go to `refused`. Whether any is left."""
    found = image.topics.by_name.get(topic.name)
    known = () if found is None else found.partitions
    missing = [partition for partition in topic.partitions if partition.partition_index not in known]
    if missing or found is None:
        rows = [Answered.Partition(partition_index=each.partition_index, error_code=Error.UNKNOWN_TOPIC_OR_PARTITION) for each in missing]
        place = refused.setdefault(topic.name, Answered(name=topic.name, partitions=[]))
        place.partitions = place.partitions + rows
        topic.partitions = [partition for partition in topic.partitions if partition.partition_index in known]
    return bool(topic.partitions)
