"""Several brokers: fail-over, controlled shutdown, ISR changes, moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from barnabas.core.controller.broker_life import assign_replicas_to_dirs, fence_broker, fence_stale_broker
from barnabas.core.controller.elections import elect_preferred
from barnabas.core.controller.isr_changes import alter_partition
from barnabas.core.controller.reassignments import alter_partition_reassignments, list_partition_reassignments
from barnabas.core.controller.registrations import unregister_broker
from barnabas.core.controller.result import ApiError
from barnabas.core.controller.topic_changes import create_topics
from barnabas.core.metadata.partition import NO_LEADER, Partition
from barnabas.wire.errors import Error
from barnabas.wire.messages.alter_partition import AlterPartitionRequest, AlterPartitionResponse
from barnabas.wire.messages.alter_partition_reassignments import AlterPartitionReassignmentsRequest
from barnabas.wire.messages.assign_replicas_to_dirs import AssignReplicasToDirsRequest
from barnabas.wire.messages.create_topics import CreateTopicsRequest
from barnabas.wire.messages.list_partition_reassignments import ListPartitionReassignmentsRequest
from tests.unit.core.controller.cluster import BOOTSTRAP, Cluster, create_request, directory_id

if TYPE_CHECKING:
    from barnabas.wire.schema import Message

Asked = AlterPartitionRequest.TopicData.PartitionData


def three(bootstrap: list[Message] = BOOTSTRAP, replicas: tuple[int, ...] = (1, 2, 3), min_isr: str = "2") -> Cluster:
    """Three brokers and the topic t with one partition on `replicas`."""
    cluster = Cluster(bootstrap)
    for broker in (1, 2, 3):
        cluster.start_broker(broker)
    request = create_request("t", -1, -1, min_insync_replicas=min_isr)
    request.topics[0].assignments = [CreateTopicsRequest.CreatableTopic.CreatableReplicaAssignment(partition_index=0, broker_ids=list(replicas))]
    result = create_topics(cluster.controller, request, 7)
    assert result.response.topics[0].error_code == 0, result.response
    cluster.run(result)
    return cluster


def t(cluster: Cluster) -> Partition:
    return cluster.image.topics.by_name["t"].partitions[0]


def ask(cluster: Cluster, isr: list[int], broker: int | None = None, **fields: Any) -> AlterPartitionResponse.TopicData.PartitionData:
    """AlterPartition by the leader, or by `broker`."""
    partition = t(cluster)
    broker = partition.leader if broker is None else broker
    members = [Asked.BrokerState(broker_id=member, broker_epoch=cluster.controller.brokers.registrations[member].epoch) for member in isr]
    asked = Asked(
        partition_index=0,
        leader_epoch=partition.leader_epoch,
        new_isr_with_epochs=members,
        leader_recovery_state=partition.leader_recovery_state,
        partition_epoch=partition.partition_epoch,
    ).replace(**fields)
    topic = AlterPartitionRequest.TopicData(topic_id=cluster.image.topics.by_name["t"].id, partitions=[asked])
    request = AlterPartitionRequest(broker_id=broker, broker_epoch=cluster.controller.brokers.registrations[broker].epoch, topics=[topic])
    result = alter_partition(cluster.controller, request, 3)
    cluster.run(result)
    response: AlterPartitionResponse = result.response
    return response.topics[0].partitions[0]


def reassign(cluster: Cluster, replicas: list[int] | None, **fields: Any) -> Error:
    of = AlterPartitionReassignmentsRequest.ReassignableTopic
    topic = of(name="t", partitions=[of.ReassignablePartition(partition_index=0, replicas=replicas)])
    result = alter_partition_reassignments(cluster.controller, AlterPartitionReassignmentsRequest(topics=[topic]).replace(**fields))
    cluster.run(result)
    return Error(result.response.responses[0].partitions[0].error_code)


def test_a_dead_leader_is_fenced_and_replaced_c23() -> None:
    cluster = three()
    cluster.now_ms += 5_000
    cluster.beat(2), cluster.beat(3)
    cluster.now_ms += 4_001
    result = fence_stale_broker(cluster.controller, cluster.now_ms)
    assert result.response is True
    cluster.run(result)
    assert cluster.image.cluster.brokers[1].fenced
    assert (t(cluster).leader, t(cluster).isr, t(cluster).elr, t(cluster).leader_epoch) == (2, (2, 3), (), 1)
    assert fence_stale_broker(cluster.controller, cluster.now_ms).response is False
    cluster.beat(1)
    assert t(cluster).leader == 2, "it comes back, out of the ISR"
    assert not cluster.image.cluster.brokers[1].fenced


def test_members_below_the_minimum_stay_eligible_c49_c50() -> None:
    cluster = three()
    cluster.run(fence_broker(cluster.controller, 1, cluster.controller.brokers.registrations[1].epoch))
    cluster.run(fence_broker(cluster.controller, 2, cluster.controller.brokers.registrations[2].epoch))
    assert (t(cluster).leader, t(cluster).isr, t(cluster).elr) == (3, (3,), (2,))
    cluster.run(fence_broker(cluster.controller, 3, cluster.controller.brokers.registrations[3].epoch))
    assert (t(cluster).leader, t(cluster).isr, t(cluster).elr, t(cluster).last_known_elr) == (NO_LEADER, (), (2, 3), (3,))
    cluster.beat(1)
    assert t(cluster).leader == NO_LEADER, "1 left before, it may lack what was committed since"
    cluster.beat(2)
    assert (t(cluster).leader, t(cluster).isr, t(cluster).elr, t(cluster).last_known_elr) == (2, (2,), (3,), ())


def test_without_elr_the_last_member_stays_in_the_isr_c52() -> None:
    cluster = three(BOOTSTRAP[:1])
    for broker in (1, 2, 3):
        cluster.run(fence_broker(cluster.controller, broker, cluster.controller.brokers.registrations[broker].epoch))
    assert (t(cluster).leader, t(cluster).isr, t(cluster).elr) == (NO_LEADER, (3,), ())
    cluster.beat(1), cluster.beat(2)
    assert t(cluster).leader == NO_LEADER
    cluster.beat(3)
    assert t(cluster).leader == 3


def test_unclean_election_where_the_topic_allows_it_c47() -> None:
    cluster = Cluster(BOOTSTRAP[:1])
    cluster.start_broker(1), cluster.start_broker(2)
    request = create_request("t", 1, 2, unclean_leader_election_enable="true")
    cluster.run(create_topics(cluster.controller, request, 7))
    leader = t(cluster).leader
    other = 3 - leader
    ask(cluster, [leader])
    cluster.run(fence_broker(cluster.controller, leader, cluster.controller.brokers.registrations[leader].epoch))
    assert (t(cluster).leader, t(cluster).isr, t(cluster).leader_recovery_state) == (other, (other,), 1)
    assert ask(cluster, [other], leader_recovery_state=0).leader_recovery_state == 0


def test_shutdown_is_granted_when_the_others_have_heard_of_it_c27_c28() -> None:
    cluster = three()
    reply, records = cluster.beat(1, want_shut_down=True)
    assert not reply.should_shut_down and len(records) == 2
    assert (t(cluster).leader, t(cluster).isr) == (2, (2, 3))
    moved_at = len(cluster.log)
    cluster.beat(2, current_metadata_offset=moved_at)
    cluster.beat(3, current_metadata_offset=moved_at - 1)
    assert not cluster.beat(1, want_shut_down=True)[0].should_shut_down
    cluster.beat(3, current_metadata_offset=moved_at)
    assert cluster.beat(1, want_shut_down=True)[0].should_shut_down
    assert cluster.image.cluster.brokers[1].fenced
    assert cluster.create("new", 1, 3).topics[0].error_code == 0, "fenced brokers get replicas (C40)"


def test_brokers_that_shut_down_get_no_replicas_c31() -> None:
    cluster = three()
    cluster.beat(1, want_shut_down=True)
    assert cluster.create("new", 1, 3).topics[0].error_code == Error.INVALID_REPLICATION_FACTOR
    cluster.beat(2, cordoned_log_dirs=[directory_id(2)])
    assert cluster.create("new", 1, 2).topics[0].error_code == Error.INVALID_REPLICATION_FACTOR


def test_preferred_leaders_come_back_c47() -> None:
    cluster = three()
    cluster.run(fence_broker(cluster.controller, 1, cluster.controller.brokers.registrations[1].epoch))
    assert elect_preferred(cluster.controller).records == []
    cluster.beat(1)
    ask(cluster, [1, 2, 3])
    result = elect_preferred(cluster.controller)
    assert result.response is False
    cluster.run(result)
    assert (t(cluster).leader, t(cluster).leader_epoch) == (1, 2)


def test_alter_partition_shrinks_and_grows_without_a_new_leader_epoch_c48_c55() -> None:
    cluster = three()
    answer = ask(cluster, [1, 2])
    assert (answer.error_code, answer.isr, answer.leader_epoch, answer.partition_epoch) == (0, [1, 2], 0, 1)
    assert ask(cluster, [1, 2, 3]).isr == [1, 2, 3]
    assert t(cluster).leader_epoch == 0


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"leader_epoch": 1}, Error.NOT_CONTROLLER),
        ({"partition_epoch": 9}, Error.NOT_CONTROLLER),
        ({"leader_epoch": -1}, Error.FENCED_LEADER_EPOCH),
        ({"broker": 2}, Error.INVALID_REQUEST),
        ({"partition_epoch": -1}, Error.INVALID_UPDATE_VERSION),
        ({"isr": [2, 3]}, Error.INVALID_REQUEST),
        ({"leader_recovery_state": 1}, Error.INVALID_REQUEST),
        ({"partition_index": 1}, Error.UNKNOWN_TOPIC_OR_PARTITION),
        ({"new_isr_with_epochs": [Asked.BrokerState(broker_id=1, broker_epoch=99)]}, Error.INELIGIBLE_REPLICA),
        ({"new_isr_with_epochs": [Asked.BrokerState(broker_id=1), Asked.BrokerState(broker_id=7)]}, Error.INVALID_REQUEST),
        ({"new_isr_with_epochs": [Asked.BrokerState(broker_id=1, broker_epoch=-1)]}, Error.NONE),
    ],
)
def test_what_alter_partition_refuses_c54(fields: dict[str, Any], error: Error) -> None:
    assert ask(three(), fields.pop("isr", [1, 2]), **fields).error_code == error


def test_fenced_and_leaving_brokers_cant_join_an_isr_c54() -> None:
    cluster = three()
    cluster.beat(3, want_shut_down=True)
    assert ask(cluster, [1, 2, 3]).error_code == Error.INELIGIBLE_REPLICA


def test_a_move_ends_when_the_new_replica_is_in_sync_c56() -> None:
    cluster = three(replicas=(1, 2))
    assert reassign(cluster, [2, 3]) == Error.NONE
    assert (t(cluster).replicas, t(cluster).adding_replicas, t(cluster).removing_replicas) == ((2, 3, 1), (3,), (1,))
    listed = list_partition_reassignments(cluster.controller, ListPartitionReassignmentsRequest(topics=None))
    assert [(each.name, each.partitions[0].adding_replicas) for each in listed.topics] == [("t", [3])]
    assert ask(cluster, [1, 2, 3]).error_code == Error.NEW_LEADER_ELECTED, "1, the leader, is gone with it"
    assert (t(cluster).replicas, t(cluster).isr, t(cluster).leader, t(cluster).is_reassigning) == ((2, 3), (2, 3), 2, False)
    assert list_partition_reassignments(cluster.controller, ListPartitionReassignmentsRequest(topics=None)).topics == []


def test_a_move_can_be_taken_back() -> None:
    cluster = three(replicas=(1, 2))
    assert reassign(cluster, None) == Error.NO_REASSIGNMENT_IN_PROGRESS
    reassign(cluster, [3])
    assert reassign(cluster, None) == Error.NONE
    assert (t(cluster).replicas, t(cluster).isr, t(cluster).is_reassigning) == ((1, 2), (1, 2), False)


@pytest.mark.parametrize("target", [(2,), (1, 2), (2, 3)], ids=str)
def test_a_move_takes_another_ones_place_and_ends(target: tuple[int, ...]) -> None:
    """Apache Kafka keeps what the first move adds or removes, where the second one adds or removes nothing: it may wait for ever, or end elsewhere."""
    cluster = three(replicas=(1, 2))
    reassign(cluster, [3, 1])
    assert reassign(cluster, list(target)) == Error.NONE
    if t(cluster).is_reassigning:
        assert not set(t(cluster).adding_replicas) & set(t(cluster).removing_replicas)
        ask(cluster, list(t(cluster).replicas))
    assert (t(cluster).replicas, t(cluster).isr, t(cluster).is_reassigning) == (target, target, False)


def test_a_move_may_be_forbidden_to_change_the_number_of_replicas_c57() -> None:
    cluster = three(replicas=(1, 2))
    assert reassign(cluster, [3], allow_replication_factor_change=False) == Error.INVALID_REPLICATION_FACTOR
    assert reassign(cluster, [3, 1], allow_replication_factor_change=False) == Error.NONE


def test_a_failed_directory_moves_what_it_held_c24() -> None:
    cluster = Cluster()
    cluster.start_broker(1, directories=2)
    cluster.start_broker(2)
    cluster.create("t", 1, 2)
    topic_id = cluster.image.topics.by_name["t"].id
    epoch = cluster.controller.brokers.registrations[1].epoch
    of = AssignReplicasToDirsRequest.DirectoryData
    data = of.TopicData(topic_id=topic_id, partitions=[of.TopicData.PartitionData(partition_index=0)])
    request = AssignReplicasToDirsRequest(broker_id=1, broker_epoch=epoch, directories=[of(id=directory_id(1, 1), topics=[data])])
    result = assign_replicas_to_dirs(cluster.controller, request)
    assert result.response.directories[0].topics[0].partitions[0].error_code == 0
    cluster.run(result)
    assert t(cluster).directory_of(1) == directory_id(1, 1) and t(cluster).directory_of(2) == directory_id(2)
    cluster.beat(1, offline_log_dirs=[directory_id(1, 1)])
    assert (t(cluster).leader, t(cluster).isr) == (2, (2,))
    assert cluster.image.cluster.brokers[1].directories == (directory_id(1, 0),)
    assert not cluster.image.cluster.brokers[1].fenced


def test_unregistering_c25() -> None:
    cluster = three()
    cluster.run(unregister_broker(cluster.controller, 3))
    assert 3 not in cluster.image.cluster.brokers
    assert (t(cluster).replicas, t(cluster).isr) == ((1, 2, 3), (1, 2))
    with pytest.raises(ApiError) as refused:
        unregister_broker(cluster.controller, 3)
    assert refused.value.error == Error.BROKER_ID_NOT_REGISTERED


def test_two_brokers_cant_have_one_directory_c13() -> None:
    cluster = three()
    cluster.controller.brokers.directories[directory_id(4)] = 1
    with pytest.raises(ApiError) as refused:
        cluster.register(4)
    assert refused.value.error == Error.INVALID_REGISTRATION


def test_after_a_controller_fail_over_every_broker_has_a_full_session_c8() -> None:
    cluster = three()
    cluster.now_ms += 8_000
    cluster.controller.deactivate()
    cluster.run(cluster.controller.activate(len(cluster.log) + 1, BOOTSTRAP, cluster.now_ms))
    cluster.now_ms += 8_000
    assert fence_stale_broker(cluster.controller, cluster.now_ms).response is False
    cluster.now_ms += 1_001
    assert fence_stale_broker(cluster.controller, cluster.now_ms).response is True
