"""Leaders and ISRs that follow from brokers coming, going and failing, and elections that somebody asked for.

Source: Apache's `ReplicationControlManager` (generateLeaderAndIsrUpdates, electLeaders and the periodic elections); C7, C23-C25, C46-C53.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.controller import partition_change
from barnabas.core.controller.partition_change import PREFERRED, UNCLEAN, PartitionChange
from barnabas.core.controller.result import ApiError, Result
from barnabas.core.metadata.partition import NO_LEADER
from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from barnabas.core.controller.controller import Controller
    from barnabas.core.controller.topics import PartitionKey, TopicState
    from barnabas.core.metadata.partition import Partition
    from barnabas.wire.messages.elect_leaders import ElectLeadersRequest, ElectLeadersResponse
    from barnabas.wire.schema import Message

MAX_ELECTIONS_PER_RUN = 1000
_PREFERRED_ELECTION = 0
_UNCLEAN_ELECTION = 1


def begin_change(controller: Controller, topic: TopicState, partition: Partition, may_lead: Callable[[int], bool] | None = None) -> PartitionChange:
    """A change of `partition` under the cluster's present rules. `may_lead` replaces "is active"; its directory must be online besides."""
    brokers = controller.brokers
    alive = may_lead or brokers.is_active

    def acceptable(broker_id: int) -> bool:
        if not alive(broker_id) or broker_id not in partition.replicas:
            return False
        return brokers.has_online_directory(broker_id, partition.directory_of(broker_id))

    return PartitionChange(
        partition,
        acceptable=acceptable,
        default_directory=brokers.default_directory,
        min_isr=min(controller.configs.min_insync_replicas(topic.name), len(topic.partitions[0].replicas)),
        elr_enabled=controller.features.elr_enabled,
        level=controller.features.level,
    )


def leader_and_isr_updates(
    controller: Controller,
    keys: Iterable[PartitionKey],
    *,
    remove: int = NO_LEADER,
    add: int = NO_LEADER,
    unclean_shutdown: int = NO_LEADER,
) -> list[Message]:
    """Changes for `keys` when a broker goes (`remove`), may lead from now on though still fenced (`add`), or came back without
    having stopped cleanly (`unclean_shutdown`)."""

    def may_lead(broker_id: int) -> bool:
        return broker_id not in (remove, unclean_shutdown) and (broker_id == add or controller.brokers.is_active(broker_id))

    records: list[Message] = []
    for topic_id, partition_id in keys:
        topic = controller.topics.by_id[topic_id]
        partition = topic.partitions[partition_id]
        change = begin_change(controller, topic, partition, may_lead)
        if controller.configs.unclean_election_enabled(topic.name):
            change.election = UNCLEAN
        if unclean_shutdown != NO_LEADER:
            change.unclean_shutdown = unclean_shutdown
        change.isr = [replica for replica in partition.isr if replica not in (remove, unclean_shutdown)]
        record = change.build(topic_id, partition_id)
        if record is not None:
            records.append(record)
    return records


def elect_leaders(controller: Controller, request: ElectLeadersRequest) -> Result:
    """ElectLeaders (43). All partitions if the request names none; those that need no election are left out then."""
    from barnabas.wire.messages.elect_leaders import ElectLeadersResponse

    if request.election_type not in (_PREFERRED_ELECTION, _UNCLEAN_ELECTION):
        raise ApiError(Error.INVALID_REQUEST, f"Unknown election type {request.election_type}")
    election = UNCLEAN if request.election_type == _UNCLEAN_ELECTION else PREFERRED
    records: list[Message] = []
    if request.topic_partitions is None:
        every = [(topic.name, sorted(topic.partitions)) for topic in controller.topics.by_id.current.values()]
        results = [_elect_in_topic(controller, name, ids, election, records, hide_unneeded=True) for name, ids in every]
    else:
        wanted = [(topic.topic, topic.partitions) for topic in request.topic_partitions]
        results = [_elect_in_topic(controller, name, ids, election, records, hide_unneeded=False) for name, ids in wanted]
    controller.check_record_count(records)
    return Result(records, ElectLeadersResponse(throttle_time_ms=0, replica_election_results=results), is_atomic=False)


def _elect_in_topic(
    controller: Controller, name: str, partition_ids: list[int], election: str, records: list[Message], *, hide_unneeded: bool
) -> ElectLeadersResponse.ReplicaElectionResult:
    from barnabas.wire.messages.elect_leaders import ElectLeadersResponse

    result = ElectLeadersResponse.ReplicaElectionResult(topic=name, partition_result=[])
    for partition_id in partition_ids:
        try:
            records.append(_elect(controller, name, partition_id, election))
            error, message = Error.NONE, None
        except ApiError as refused:
            error, message = refused.error, refused.message
        if not (hide_unneeded and error == Error.ELECTION_NOT_NEEDED):
            result.partition_result.append(
                ElectLeadersResponse.ReplicaElectionResult.PartitionResult(partition_id=partition_id, error_code=error, error_message=message)
            )
    return result


def _elect(controller: Controller, name: str, partition_id: int, election: str) -> Message:
    topic = controller.topics.find(name)
    if topic is None:
        raise ApiError(Error.UNKNOWN_TOPIC_OR_PARTITION, f"No such topic as {name}")
    partition = topic.partitions.get(partition_id)
    if partition is None:
        raise ApiError(Error.UNKNOWN_TOPIC_OR_PARTITION, f"No such partition as {name}-{partition_id}")
    if partition.leader == partition.preferred_leader if election == PREFERRED else partition.leader != NO_LEADER:
        raise _refused(Error.ELECTION_NOT_NEEDED)
    change = begin_change(controller, topic, partition)
    change.election = election
    record = change.build(topic.id, partition_id)
    if record is None:
        raise _refused(Error.PREFERRED_LEADER_NOT_AVAILABLE if election == PREFERRED else Error.ELIGIBLE_LEADERS_NOT_AVAILABLE)
    return record


def _refused(error: Error) -> ApiError:
    from barnabas.wire.error_messages import MESSAGES

    return ApiError(error, MESSAGES[error])


def elect_preferred(controller: Controller) -> Result:
    """Periodic: move up to 1,000 leaderships to their preferred replicas. The response says whether there may be more."""
    records: list[Message] = []
    for topic_id, partition_id in controller.topics.imbalanced:
        if len(records) >= MAX_ELECTIONS_PER_RUN:
            break
        topic = controller.topics.by_id[topic_id]
        change = begin_change(controller, topic, topic.partitions[partition_id])
        change.election = partition_change.PREFERRED
        record = change.build(topic_id, partition_id)
        if record is not None:
            records.append(record)
    return Result(records, len(records) >= MAX_ELECTIONS_PER_RUN, is_atomic=False)


def elect_unclean(controller: Controller) -> Result:
    """Periodic: give leaderless partitions of topics that allow it any living leader. The response says whether there may be more."""
    records: list[Message] = []
    for topic_id, partition_id in controller.topics.leaderless():
        if len(records) >= MAX_ELECTIONS_PER_RUN:
            break
        name = controller.topics.by_id[topic_id].name
        if controller.configs.unclean_election_enabled(name):
            try:
                records.append(_elect(controller, name, partition_id, UNCLEAN))
            except ApiError:
                continue  # nobody alive: tried again at the next run
    return Result(records, len(records) >= MAX_ELECTIONS_PER_RUN, is_atomic=False)
