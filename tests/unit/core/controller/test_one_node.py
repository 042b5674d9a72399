"""The life of a combined node as its controller sees it: bootstrap, registration, topics, stops and returns. The records are those of Apache Kafka."""

from __future__ import annotations

import pytest

from barnabas.core.controller.result import ApiError
from barnabas.core.controller.topic_changes import create_topics
from barnabas.core.metadata.image import BROKER
from barnabas.core.metadata.partition import NO_LEADER, RECOVERED, RECOVERING
from barnabas.wire.errors import Error
from tests.unit.core.controller.cluster import Cluster, create_request


def names(cluster: Cluster, start: int = 0) -> list[str]:
    return [f"{type(record).__name__.removesuffix('Record')} {version}" for record, version in cluster.log[start:]]


def test_the_first_activation_bootstraps_in_a_transaction_c5() -> None:
    cluster = Cluster()
    assert names(cluster) == ["BeginTransaction 0", *["FeatureLevel 0"] * 6, "Config 0", "EndTransaction 0"]
    assert cluster.image.config(BROKER, "") == {"min.insync.replicas": "1"}
    assert cluster.image.features.finalized == {
        "metadata.version": 30,
        "eligible.leader.replicas.version": 1,
        "group.version": 1,
        "share.version": 1,
        "streams.version": 1,
        "transaction.version": 2,
    }
    assert cluster.controller.activate(20, [], cluster.now_ms).records == []


def test_a_broker_registers_fenced_and_is_unfenced_by_its_heartbeat_c16_c17_c21() -> None:
    cluster = Cluster()
    before = len(cluster.log)
    epoch = cluster.register(1)
    assert epoch == before + 1, "the offset of its record"
    assert cluster.image.cluster.brokers[1].fenced and cluster.image.cluster.brokers[1].cordoned_directories is None
    reply, _ = cluster.beat(1, current_metadata_offset=epoch - 1, cordoned_log_dirs=None)
    assert (reply.is_caught_up, reply.is_fenced) == (False, True)
    reply, _ = cluster.beat(1)
    assert (reply.is_caught_up, reply.is_fenced, reply.should_shut_down) == (True, False, False)
    assert names(cluster, before) == ["RegisterBroker 4", "BrokerRegistrationChange 0", "BrokerRegistrationChange 3"]
    assert not cluster.image.cluster.brokers[1].fenced and cluster.image.cluster.brokers[1].cordoned_directories == ()


def test_creating_a_topic_c38() -> None:
    cluster = Cluster()
    cluster.start_broker(1)
    before = len(cluster.log)
    response = cluster.create("numbers", 2, min_insync_replicas="1", retention_ms="1000")
    assert names(cluster, before) == ["Topic 0", "Config 0", "Config 0", "ClearElr 0", "Partition 2", "Partition 2"]
    (answer,) = response.topics
    assert (answer.error_code, answer.error_message, answer.num_partitions, answer.replication_factor) == (0, None, 2, 1)
    configs = {config.name: config for config in answer.configs or []}
    assert (configs["retention.ms"].value, configs["retention.ms"].config_source) == ("1000", 1)
    assert (configs["cleanup.policy"].value, configs["cleanup.policy"].config_source) == ("delete", 5)
    topic = cluster.image.topics.by_name["numbers"]
    assert topic.id == answer.topic_id and set(topic.partitions) == {0, 1}
    partition = topic.partitions[0]
    assert (partition.leader, partition.isr, partition.replicas, partition.leader_epoch, partition.partition_epoch) == (1, (1,), (1,), 0, 0)
    assert cluster.create("numbers").topics[0].error_code == Error.TOPIC_ALREADY_EXISTS


def test_a_hundred_requests_for_one_name_before_any_commit_t10() -> None:
    cluster = Cluster()
    cluster.start_broker(1)
    errors = []
    for _ in range(100):
        result = create_topics(cluster.controller, create_request("wanted"), 7)
        cluster.append(result)
        errors.append(result.response.topics[0].error_code)
    assert errors == [Error.NONE] + [Error.TOPIC_ALREADY_EXISTS] * 99
    cluster.commit()
    assert set(cluster.image.topics.by_name) == {"wanted"}


def test_clean_stop_of_the_only_replica_and_its_return_c49() -> None:
    cluster = Cluster()
    epoch = cluster.start_broker(1)
    cluster.create("t")
    reply, records = cluster.beat(1, want_shut_down=True)
    assert [type(record).__name__ for record in records] == ["BrokerRegistrationChangeRecord", "PartitionChangeRecord"]
    assert not reply.should_shut_down
    partition = cluster.image.topics.by_name["t"].partitions[0]
    assert (partition.isr, partition.leader, partition.elr, partition.last_known_elr) == ((), NO_LEADER, (1,), (1,))
    reply, records = cluster.beat(1, want_shut_down=True)
    assert reply.should_shut_down and cluster.image.cluster.brokers[1].fenced
    again = cluster.start_broker(1, incarnation=2, previous_epoch=epoch)
    assert again > epoch
    partition = cluster.image.topics.by_name["t"].partitions[0]
    assert (partition.isr, partition.leader, partition.elr, partition.leader_recovery_state) == ((1,), 1, (), RECOVERED)
    assert (partition.leader_epoch, partition.partition_epoch) == (2, 2)


def test_return_after_a_crash_is_elected_as_last_known_leader_c14_c49() -> None:
    cluster = Cluster()
    cluster.start_broker(1)
    cluster.create("t")
    cluster.now_ms += 10_000
    cluster.register(1, incarnation=2)
    partition = cluster.image.topics.by_name["t"].partitions[0]
    assert (partition.isr, partition.leader, partition.elr, partition.last_known_elr) == ((), NO_LEADER, (), (1,))
    cluster.beat(1)
    partition = cluster.image.topics.by_name["t"].partitions[0]
    assert (partition.isr, partition.leader, partition.last_known_elr, partition.leader_recovery_state) == ((1,), 1, (), RECOVERING)


def test_another_process_waits_for_the_end_of_the_session_c13() -> None:
    cluster = Cluster()
    cluster.start_broker(1)
    cluster.now_ms += 8_000
    with pytest.raises(ApiError) as refused:
        cluster.register(1, incarnation=2)
    assert refused.value.error == Error.DUPLICATE_BROKER_REGISTRATION
    cluster.now_ms += 1_001
    cluster.register(1, incarnation=2)


@pytest.mark.parametrize("ends_early", [True, False])
def test_a_granted_shutdown_ends_the_session_o3_c15(ends_early: bool) -> None:
    cluster = Cluster(end_session_on_shutdown=ends_early)
    epoch = cluster.start_broker(1)
    reply, _ = cluster.beat(1, want_shut_down=True)
    assert reply.should_shut_down, "it leads nothing"
    if ends_early:
        cluster.register(1, incarnation=2, previous_epoch=epoch)
    else:
        with pytest.raises(ApiError):
            cluster.register(1, incarnation=2, previous_epoch=epoch)


def test_producer_ids_come_in_blocks_c61() -> None:
    cluster = Cluster()
    epoch = cluster.start_broker(1)
    for first in (0, 1000, 2000):
        result = cluster.controller.allocate_producer_ids(1, epoch)
        assert result.response == (first, 1000)
        cluster.run(result)
    assert cluster.image.next_producer_id == 3000
    with pytest.raises(ApiError) as refused:
        cluster.controller.allocate_producer_ids(1, epoch - 1)
    assert refused.value.error == Error.STALE_BROKER_EPOCH
