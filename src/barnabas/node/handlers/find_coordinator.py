"""FindCoordinator (10), versions 0-6. Needs Describe on the group or transactional id.

1 brought key types and messages, 4 several keys, 6 share partitions. The topic of the coordinator is created when it is asked for first, and 15
answered meanwhile (C44, W30). Differs from Apache Kafka: only groups have coordinators here; the other types answer 15, as while they start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.groups.partitioning import partition_for
from barnabas.wire.error_messages import MESSAGES
from barnabas.wire.errors import Error
from barnabas.wire.messages.find_coordinator import FindCoordinatorResponse
from barnabas.wire.types import uuid_from_text

if TYPE_CHECKING:
    from barnabas.node.call import Call
    from barnabas.wire.messages.find_coordinator import FindCoordinatorRequest

GROUP, TRANSACTION, SHARE = 0, 1, 2
OFFSETS_TOPIC = "__consumer_offsets"
_SEVERAL_KEYS = 4
_SHARE_SINCE = 6

Coordinator = FindCoordinatorResponse.Coordinator


def handle(request: FindCoordinatorRequest, call: Call) -> FindCoordinatorResponse | None:
    keys = request.coordinator_keys if call.version >= _SEVERAL_KEYS else [request.key]
    found = [_find(key, request.key_type, call) for key in keys]
    if call.version >= _SEVERAL_KEYS:
        return FindCoordinatorResponse(coordinators=found)
    (only,) = found
    return FindCoordinatorResponse(
        error_code=only.error_code,
        error_message=MESSAGES[Error(only.error_code)] if only.error_code else Error.NONE.name,
        node_id=only.node_id,
        host=only.host,
        port=only.port,
    )


def _find(key: str, key_type: int, call: Call) -> FindCoordinatorResponse.Coordinator:
    if key_type == GROUP:
        return _group_coordinator(key, call)
    if key_type == TRANSACTION:
        return _none(key, Error.UNSUPPORTED_VERSION, "Transactions aren't served here yet.")  # what clients take for the last word
    if key_type == SHARE:
        served = call.version >= _SHARE_SINCE and _names_share_partition(key)
        return _none(key, Error.COORDINATOR_NOT_AVAILABLE if served else Error.INVALID_REQUEST)
    return _none(key, Error.INVALID_REQUEST, MESSAGES[Error.INVALID_REQUEST])


def _group_coordinator(group_id: str, call: Call) -> FindCoordinatorResponse.Coordinator:
    image = call.node.image
    topic = image.topics.by_name.get(OFFSETS_TOPIC)
    if topic is None:
        call.node.auto_topics.request_internal(OFFSETS_TOPIC)
        return _none(group_id, Error.COORDINATOR_NOT_AVAILABLE)
    partition = topic.partitions.get(partition_for(group_id, len(topic.partitions)))
    leader = None if partition is None else image.cluster.brokers.get(partition.leader)
    endpoint = None if leader is None or leader.fenced else leader.listeners.get(call.listener)
    if partition is None or endpoint is None:
        return _none(group_id, Error.COORDINATOR_NOT_AVAILABLE)
    return Coordinator(key=group_id, node_id=partition.leader, host=endpoint.host, port=endpoint.port, error_code=Error.NONE)


def _names_share_partition(key: str) -> bool:
    """Whether the key is a group's name, a topic's id and a partition's number, with colons between."""
    group_id, topic_id, partition = ["", "", *key.rsplit(":", 2)][-3:]
    try:
        uuid_from_text(topic_id)
    except ValueError:
        return False
    return bool(group_id.strip()) and partition.isdecimal()


def _none(key: str, error: Error, message: str = "") -> FindCoordinatorResponse.Coordinator:
    return Coordinator(key=key, node_id=-1, host="", port=-1, error_code=error, error_message=message)
