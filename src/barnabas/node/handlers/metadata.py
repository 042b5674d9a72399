"""Metadata (3), versions 0-13. Needs Describe on each topic, Create for auto-creation.

1 made null mean all topics, 4 lets the client forbid auto-creation, 5 has offline replicas, 7 leader epochs, 8 authorised operations, 10 topic ids, 12 asks by
id, 13 a top-level error. As Apache Kafka: an unknown topic answers 3, also when its creation has just been started (W29).

A client whose leader has just died asks at once, and if it is told of that leader again it waits for long before it asks once more (librdkafka a second). So
an answer that would name a leader whose process seems gone waits a moment for the controller to find another one. And a client that is told of no broker at all
may forget the only one it knows (librdkafka does, for good): the last broker gives no such answer while it stops, its connections end instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.node.topic_views import CLUSTER_OPERATIONS, INTERNAL_TOPICS, TOPIC_OPERATIONS, alive_brokers, is_topic_name, metadata_topic
from barnabas.wire.errors import Error
from barnabas.wire.framing import EncodedResponse
from barnabas.wire.messages.metadata import MetadataResponse
from barnabas.wire.types import ZERO_UUID

if TYPE_CHECKING:
    from barnabas.core.metadata.image import MetadataImage
    from barnabas.node.call import Call
    from barnabas.wire.messages.metadata import MetadataRequest

_ASKS_BY_ID = 12
_LOOK_AGAIN_MS = 5


class AllTopics:
    """Answers for all topics of one image: whoever subscribes by pattern or watches a cluster asks for them again and again."""

    __slots__ = ("answers", "cluster", "topics")

    def __init__(self, image: MetadataImage) -> None:
        self.topics = image.topics
        self.cluster = image.cluster
        self.answers: dict[tuple[int, str, bool, bool], EncodedResponse] = {}


def handle(request: MetadataRequest, call: Call) -> MetadataResponse | EncodedResponse | None:
    if call.node.broker.is_leaving and not alive_brokers(call.node.image, call.listener):
        return None
    lost = call.node.fetchers.lost_leaders()
    if lost and _leads(lost, request, call.node.image):
        call.connection.network.call_later(_LOOK_AGAIN_MS, _answer_later, request, call)
        return None
    return _answer_now(request, call)


def _answer_later(request: MetadataRequest, call: Call) -> None:
    if not call.connection.closed:
        answer = handle(request, call)
        if answer is not None:
            call.reply(answer)


def _leads(lost: set[int], request: MetadataRequest, image: MetadataImage) -> bool:
    """Whether one of `lost` leads what is asked for."""
    if request.topics is None:
        found = list(image.topics.by_id.values())
    else:
        topics = (image.topics.by_id.get(topic.topic_id) or image.topics.by_name.get(topic.name or "") for topic in request.topics)
        found = [topic for topic in topics if topic is not None]
    return any(partition.leader in lost for topic in found for partition in topic.partitions.values())


def _answer_now(request: MetadataRequest, call: Call) -> MetadataResponse | EncodedResponse | None:
    image = call.node.image
    if request.topics is not None and (call.version or request.topics):
        return _answer(request, call, image)
    kept = call.node.all_topics
    if kept is None or kept.topics is not image.topics or kept.cluster is not image.cluster:
        kept = call.node.all_topics = AllTopics(image)
    asked = (call.version, call.listener, request.include_topic_authorized_operations, request.include_cluster_authorized_operations)
    answer = kept.answers.get(asked)
    if answer is None:
        answer = kept.answers[asked] = EncodedResponse(_answer(request, call, image), call.version)
    return answer


def _answer(request: MetadataRequest, call: Call, image: MetadataImage) -> MetadataResponse:
    response = MetadataResponse(
        brokers=alive_brokers(image, call.listener), cluster_id=call.node.cluster_id, controller_id=call.node.any_broker_id(image), topics=[]
    )
    if request.topics is None or (call.version == 0 and not request.topics):
        response.topics = [metadata_topic(image, topic, call.listener, call.version) for topic in image.topics.by_name.values()]
    else:
        if call.version < _ASKS_BY_ID and any(topic.name is None or topic.topic_id != ZERO_UUID for topic in request.topics):
            return _refuse(request, response)
        response.topics = _asked(request, call, image)
    if request.include_topic_authorized_operations:
        for topic in response.topics:
            if topic.error_code != Error.UNKNOWN_TOPIC_ID:
                topic.topic_authorized_operations = TOPIC_OPERATIONS
    if request.include_cluster_authorized_operations:
        response.cluster_authorized_operations = CLUSTER_OPERATIONS
    return response


def _refuse(request: MetadataRequest, response: MetadataResponse) -> MetadataResponse:
    """Topic ids can be asked for from version 12 on."""
    response.topics = [
        MetadataResponse.Topic(error_code=Error.INVALID_REQUEST, name=topic.name or "", topic_id=topic.topic_id, partitions=[])
        for topic in request.topics or ()
    ]
    response.brokers, response.cluster_id, response.controller_id = [], None, -1
    return response


def _asked(request: MetadataRequest, call: Call, image: MetadataImage) -> list[MetadataResponse.Topic]:
    asked = request.topics or []
    ids = dict.fromkeys(topic.topic_id for topic in asked if topic.topic_id != ZERO_UUID)
    if ids:
        return [
            metadata_topic(image, image.topics.by_id[topic_id], call.listener, call.version)
            if topic_id in image.topics.by_id
            else MetadataResponse.Topic(error_code=Error.UNKNOWN_TOPIC_ID, name=None, topic_id=topic_id, partitions=[])
            for topic_id in ids
        ]
    found, missing = [], []
    for name in dict.fromkeys(topic.name for topic in asked if topic.name is not None):
        topic = image.topics.by_name.get(name)
        if topic is not None:
            found.append(metadata_topic(image, topic, call.listener, call.version))
        else:
            missing.append(name)
    if missing and request.allow_auto_topic_creation and call.node.config.topics.auto_create_enable:
        call.node.auto_topics.request([name for name in missing if is_topic_name(name)])
    return found + [
        MetadataResponse.Topic(
            error_code=Error.UNKNOWN_TOPIC_OR_PARTITION if is_topic_name(name) else Error.INVALID_TOPIC_EXCEPTION,
            name=name,
            is_internal=name in INTERNAL_TOPICS,
            partitions=[],
        )
        for name in missing
    ]
