"""Consumer groups as their coordinators have them: members, what each holds, state. Groups of both protocols (KIP-848, KIP-1043)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas.client.errors import KafkaError, check, error_of
from barnabas.client.subscription import decode_assignment
from barnabas.wire.errors import Error
from barnabas.wire.messages.consumer_group_describe import ConsumerGroupDescribeRequest
from barnabas.wire.messages.describe_groups import DescribeGroupsRequest
from barnabas.wire.types import DecodeError

from .groups import by_node, coordinator, coordinators

if TYPE_CHECKING:
    from collections.abc import Sequence

    from barnabas.client.cluster import Broker, Cluster
    from barnabas.client.connection import Connection
    from barnabas.wire.messages.consumer_group_describe import ConsumerGroupDescribeResponse
    from barnabas.wire.messages.describe_groups import DescribeGroupsResponse

CONSUMER_PROTOCOL = "consumer"
STATES = ("Unknown", "PreparingRebalance", "CompletingRebalance", "Stable", "Dead", "Empty", "Assigning", "Reconciling", "NotReady")
_BY_LOWER_NAME = {state.lower(): state for state in STATES}
_CALL = "describeConsumerGroups"
_OTHER_PROTOCOL = (Error.GROUP_ID_NOT_FOUND, Error.UNSUPPORTED_VERSION)
_MOVED = (Error.COORDINATOR_LOAD_IN_PROGRESS, Error.COORDINATOR_NOT_AVAILABLE, Error.NOT_COORDINATOR)

Partitions = tuple[tuple[str, int], ...]


class Member(NamedTuple):
    """`target` and `epoch` are None in a classic group; `upgraded` is None where the cluster doesn't say which protocol the member speaks."""

    member_id: str
    client_id: str
    host: str
    instance_id: str | None
    assignment: Partitions
    target: Partitions | None = None
    epoch: int | None = None
    upgraded: bool | None = None


class Description(NamedTuple):
    """A group; the epochs are None in a classic one."""

    group_id: str
    state: str
    assignor: str
    coordinator: Broker
    members: list[Member]
    epoch: int | None = None
    assignment_epoch: int | None = None


class NotAConsumerGroup(ValueError):
    """A group of another kind, such as Kafka Connect's."""


Outcome = Description | KafkaError | NotAConsumerGroup


def state_of(name: str) -> str:
    """Kafka's spelling of a state, in whatever case it came; Unknown for one that this release doesn't have."""
    return _BY_LOWER_NAME.get(name.lower(), "Unknown")


async def describe(cluster: Cluster, group_ids: Sequence[str]) -> dict[str, Outcome]:
    """Each group, or why not."""
    found: dict[str, Outcome] = {}

    async def attempt() -> None:
        left = [group_id for group_id in group_ids if group_id not in found]
        again: KafkaError | None = None
        for node_id, listed in by_node(await coordinators(cluster, left, call=f"{_CALL}(api=FIND_COORDINATOR)")).items():
            connection = await cluster.connection(node_id)
            for group_id, outcome in (await _ask(connection, cluster.brokers[node_id], listed)).items():
                if isinstance(outcome, KafkaError) and outcome.error in _MOVED:
                    again = outcome
                else:
                    found[group_id] = outcome
        if again is not None:
            raise again

    try:
        if group_ids:
            await cluster.retrying(_CALL, attempt)
    except KafkaError as failure:
        for group_id in group_ids:
            found.setdefault(group_id, failure)
    return found


async def _ask(connection: Connection, node: Broker, group_ids: list[str]) -> dict[str, Outcome]:
    """By the new protocol's question first; groups that it doesn't know may be classic ones."""
    found: dict[str, Outcome] = {}
    reasons: dict[str, str | None] = {}
    if ConsumerGroupDescribeRequest.api_key in connection.versions:
        reply: ConsumerGroupDescribeResponse = await connection.call(
            ConsumerGroupDescribeRequest(group_ids=group_ids, include_authorized_operations=False)
        )
        for group in reply.groups:
            if group.error_code in _OTHER_PROTOCOL:
                reasons[group.group_id] = group.error_message
            else:
                found[group.group_id] = KafkaError(error_of(group.error_code), group.error_message) if group.error_code else _consumer(group, node)
    classic = [group_id for group_id in group_ids if group_id not in found]
    if classic:
        answer: DescribeGroupsResponse = await connection.call(DescribeGroupsRequest(groups=classic))
        for described in answer.groups:
            found[described.group_id] = _classic(described, node, reasons)
    return found


class ClassicMember(NamedTuple):
    """`metadata` and `assignment` are bytes of the group's own protocol."""

    member_id: str
    client_id: str
    host: str
    instance_id: str | None
    metadata: bytes
    assignment: bytes


class ClassicDescription(NamedTuple):
    """A group of the classic protocol, of consumers or of anything else, such as Kafka Connect's workers. `protocol` is the one its members agreed on."""

    group_id: str
    state: str
    protocol_type: str
    protocol: str
    coordinator: Broker
    members: list[ClassicMember]


async def describe_classic(cluster: Cluster, group_id: str) -> ClassicDescription:
    """Raises the group's error."""
    call = "describeClassicGroups"

    async def attempt() -> ClassicDescription:
        node_id = await coordinator(cluster, group_id, call=f"{call}(api=FIND_COORDINATOR)")
        reply: DescribeGroupsResponse = await (await cluster.connection(node_id)).call(DescribeGroupsRequest(groups=[group_id]))
        group = reply.groups[0]
        check(group.error_code, group.error_message)
        members = [
            ClassicMember(m.member_id, m.client_id, m.client_host, m.group_instance_id, bytes(m.member_metadata), bytes(m.member_assignment))
            for m in group.members
        ]
        return ClassicDescription(group_id, state_of(group.group_state), group.protocol_type, group.protocol_data, cluster.brokers[node_id], members)

    return await cluster.retrying(call, attempt)


def _consumer(group: ConsumerGroupDescribeResponse.DescribedGroup, node: Broker) -> Description:
    members = [
        Member(
            m.member_id,
            m.client_id,
            m.client_host,
            m.instance_id,
            _partitions(m.assignment),
            _partitions(m.target_assignment),
            m.member_epoch,
            None if m.member_type == -1 else m.member_type == 1,
        )
        for m in group.members
    ]
    return Description(group.group_id, state_of(group.group_state), group.assignor_name, node, members, group.group_epoch, group.assignment_epoch)


def _partitions(assignment: ConsumerGroupDescribeResponse.Assignment) -> Partitions:
    return tuple((topic.topic_name, index) for topic in assignment.topic_partitions for index in topic.partitions)


def _classic(group: DescribeGroupsResponse.DescribedGroup, node: Broker, reasons: dict[str, str | None]) -> Outcome:
    if group.error_code:
        # What the new protocol's question answered tells more.
        message = reasons.get(group.group_id, group.error_message) if group.error_code == Error.GROUP_ID_NOT_FOUND else group.error_message
        return KafkaError(error_of(group.error_code), message)
    if group.protocol_type not in ("", CONSUMER_PROTOCOL):
        return NotAConsumerGroup(f"GroupId {group.group_id} is not a consumer group ({group.protocol_type}).")
    members = []
    for m in group.members:
        try:
            assignment = tuple(decode_assignment(m.member_assignment))
        except DecodeError as error:
            reason = f"The assignment of member {m.member_id} of group {group.group_id} isn't one of Kafka's consumers: {error}."
            return KafkaError(Error.INCONSISTENT_GROUP_PROTOCOL, reason)
        members.append(Member(m.member_id, m.client_id, m.client_host, m.group_instance_id, assignment))
    return Description(group.group_id, state_of(group.group_state), group.protocol_data, node, members)
