"""OffsetFetch (9), versions 1-10. Needs Describe on each group and topic.

2 allowed all topics (null) and an error of the whole answer, 7 stable offsets only (KIP-447), 8 several groups (KIP-709), 9 member epochs (KIP-848), 10 topic
ids. As Apache Kafka: an unknown group has no offsets, and that is no error (W31).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.groups.answers import no_offset
from barnabas.wire.errors import Error
from barnabas.wire.messages.offset_fetch import OffsetFetchRequest, OffsetFetchResponse
from barnabas.wire.types import ZERO_UUID

if TYPE_CHECKING:
    from barnabas.core.metadata.image import MetadataImage
    from barnabas.node.call import Call

_SEVERAL_GROUPS = 8
_BY_ID = 10

Asked = OffsetFetchRequest.Group
Answered = OffsetFetchResponse.Group


def handle(request: OffsetFetchRequest, call: Call) -> OffsetFetchResponse | None:
    image = call.node.image
    groups = _each_once(request.groups) if call.version >= _SEVERAL_GROUPS else [_single(request)]
    everything = [group.topics is None for group in groups]
    unknown = [_name_topics(group, image) if call.version >= _BY_ID else [] for group in groups]

    def answer(answered: list[OffsetFetchResponse.Group]) -> None:
        for group, all_topics, missing in zip(answered, everything, unknown, strict=True):
            if not group.error_code and all_topics and call.version >= _BY_ID:
                group.topics = _with_ids(group.topics, image)
            elif not group.error_code and missing:
                group.topics = group.topics + missing
        call.reply(OffsetFetchResponse(groups=answered) if call.version >= _SEVERAL_GROUPS else _as_single(answered[0]))

    call.node.groups.coordinator.fetch_offsets(groups, request.require_stable, call.version, answer)
    return None


def _each_once(groups: list[OffsetFetchRequest.Group]) -> list[OffsetFetchRequest.Group]:
    """Without those that ask for everything of a group again: a small request would have an answer of any size."""
    seen: set[str] = set()
    kept = []
    for group in groups:
        if group.topics is None:
            if group.group_id in seen:
                continue
            seen.add(group.group_id)
        kept.append(group)
    return kept


def _single(request: OffsetFetchRequest) -> OffsetFetchRequest.Group:
    """The one group of an old request."""
    topics = None
    if request.topics is not None:
        topics = [Asked.Topics(name=topic.name, partition_indexes=topic.partition_indexes) for topic in request.topics]
    return Asked(group_id=request.group_id, topics=topics)


def _as_single(group: OffsetFetchResponse.Group) -> OffsetFetchResponse:
    make = OffsetFetchResponse.Topic
    return OffsetFetchResponse(
        error_code=group.error_code,
        topics=[
            make(
                name=topic.name,
                partitions=[
                    make.Partition(
                        partition_index=row.partition_index,
                        committed_offset=row.committed_offset,
                        committed_leader_epoch=row.committed_leader_epoch,
                        metadata=row.metadata,
                        error_code=row.error_code,
                    )
                    for row in topic.partitions
                ],
            )
            for topic in group.topics
        ],
    )


def _name_topics(group: OffsetFetchRequest.Group, image: MetadataImage) -> list[OffsetFetchResponse.Group.Topics]:
    """Give the topics of a request by id their names; answers for those that don't exist."""
    if group.topics is None:
        return []
    known, unknown = [], []
    for topic in group.topics:
        found = image.topics.by_id.get(topic.topic_id)
        if found is not None:
            topic.name = found.name
            known.append(topic)
        else:
            rows = [no_offset(index, Error.UNKNOWN_TOPIC_ID) for index in topic.partition_indexes]
            unknown.append(Answered.Topics(topic_id=topic.topic_id, partitions=rows))
    group.topics = known
    return unknown


def _with_ids(topics: list[OffsetFetchResponse.Group.Topics], image: MetadataImage) -> list[OffsetFetchResponse.Group.Topics]:
    """All of a group's topics with their ids; what exists no more has none, and can't be named in this version."""
    for topic in topics:
        found = image.topics.by_name.get(topic.name)
        topic.topic_id = ZERO_UUID if found is None else found.id
    return [topic for topic in topics if topic.topic_id != ZERO_UUID]
