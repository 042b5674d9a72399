"""Images and deltas: what is shared, what is told to publishers, what can't be replayed."""

from __future__ import annotations

import pytest

from barnabas.core.metadata.delta import MetadataDelta, UnreplayableRecord
from barnabas.core.metadata.features import BOOTSTRAP_LEVELS
from barnabas.core.metadata.image import BROKER, EMPTY, GROUP, TOPIC, MetadataImage
from barnabas.core.metadata.snapshot import image_records
from barnabas.wire.logs import cluster_metadata as records
from barnabas.wire.schema import Message

A, B = b"a" * 16, b"b" * 16
DIRECTORIES = [bytes([1]) * 16, bytes([2]) * 16]


def partition(topic_id: bytes, number: int, leader: int = 1, epoch: int = 0) -> records.PartitionRecord:
    return records.PartitionRecord(
        partition_id=number,
        topic_id=topic_id,
        replicas=[1, 2],
        isr=[1, 2],
        removing_replicas=[],
        adding_replicas=[],
        leader=leader,
        leader_epoch=epoch,
        partition_epoch=epoch,
        directories=DIRECTORIES,
    )


def config(kind: int, name: str, key: str, value: str | None) -> records.ConfigRecord:
    return records.ConfigRecord(resource_type=kind, resource_name=name, name=key, value=value)


def broker(broker_id: int, epoch: int = 5) -> records.RegisterBrokerRecord:
    return records.RegisterBrokerRecord(
        broker_id=broker_id, incarnation_id=bytes(16), broker_epoch=epoch, end_points=[], features=[], rack="r", log_dirs=[DIRECTORIES[broker_id - 1]]
    )


def quota(value: float, *, remove: bool = False) -> records.ClientQuotaRecord:
    entity = [records.ClientQuotaRecord.EntityData(entity_type="user", entity_name=None)]
    return records.ClientQuotaRecord(entity=entity, key="producer_byte_rate", value=value, remove=remove)


def acl(acl_id: bytes) -> records.AccessControlEntryRecord:
    return records.AccessControlEntryRecord(
        id=acl_id, resource_type=2, resource_name="a", pattern_type=3, principal="User:u", host="*", operation=3, permission_type=3
    )


EVERYTHING: list[Message] = [
    *(records.FeatureLevelRecord(name=name, feature_level=level) for name, level in BOOTSTRAP_LEVELS),
    broker(1),
    broker(2),
    records.RegisterControllerRecord(controller_id=1, incarnation_id=bytes(16), zk_migration_ready=False, end_points=[], features=[]),
    records.TopicRecord(name="a", topic_id=A),
    partition(A, 0),
    partition(A, 1, leader=2),
    records.TopicRecord(name="b", topic_id=B),
    partition(B, 0),
    records.PartitionChangeRecord(partition_id=1, topic_id=A, isr=[2], eligible_leader_replicas=[1], last_known_elr=[]),
    config(TOPIC, "a", "retention.ms", "1"),
    config(BROKER, "", "min.insync.replicas", "1"),
    quota(1.5),
    records.ProducerIdsRecord(broker_id=1, broker_epoch=5, next_producer_id=1000),
    acl(b"1" * 16),
    records.UserScramCredentialRecord(name="u", mechanism=1, salt=b"s", stored_key=b"k", server_key=b"v", iterations=4096),
    records.DelegationTokenRecord(
        owner="User:u", requester="User:u", renewers=[], issue_timestamp=1, max_timestamp=2, expiration_timestamp=3, token_id="t"
    ),
]


def image_after(*changes: Message, start: MetadataImage = EMPTY) -> MetadataImage:
    return delta_of(*changes, start=start).apply(10, 2, 3)


def delta_of(*changes: Message, start: MetadataImage = EMPTY) -> MetadataDelta:
    delta = MetadataDelta(start)
    for record in changes:
        delta.replay(record)
    return delta


FULL = image_after(*EVERYTHING)


def test_a_snapshot_holds_everything_in_apaches_order_d43() -> None:
    written = list(image_records(FULL))
    assert isinstance(written[0], records.FeatureLevelRecord) and written[0].name == "metadata.version"
    kinds = list(dict.fromkeys(type(record) for record in written))
    assert kinds == [
        records.FeatureLevelRecord,
        records.RegisterBrokerRecord,
        records.RegisterControllerRecord,
        records.TopicRecord,
        records.PartitionRecord,
        records.ConfigRecord,
        records.ClientQuotaRecord,
        records.ProducerIdsRecord,
        records.AccessControlEntryRecord,
        records.UserScramCredentialRecord,
        records.DelegationTokenRecord,
    ]
    assert image_after(*written) == FULL


def test_what_does_not_change_is_shared() -> None:
    after = image_after(config(TOPIC, "a", "retention.ms", "2"), start=FULL)
    assert after.topics is FULL.topics and after.cluster is FULL.cluster and after.features is FULL.features and after.acls is FULL.acls
    after = image_after(records.PartitionChangeRecord(partition_id=0, topic_id=A, leader=2), start=FULL)
    assert after.topics.by_id[B] is FULL.topics.by_id[B] and after.configs is FULL.configs
    assert after.topics.by_id[A].partitions[1] is FULL.topics.by_id[A].partitions[1]
    assert after.topics.by_name["a"] is after.topics.by_id[A]
    assert FULL.topics.by_id[A].partitions[0].leader == 1, "an image never changes"


def test_epochs_are_implied_c45() -> None:
    after = image_after(
        records.PartitionChangeRecord(partition_id=0, topic_id=A, isr=[1]),
        records.PartitionChangeRecord(partition_id=0, topic_id=A, leader=1),
        start=FULL,
    )
    assert (after.topics.by_id[A].partitions[0].leader_epoch, after.topics.by_id[A].partitions[0].partition_epoch) == (1, 2)


def test_changes_for_the_brokers_c63() -> None:
    delta = delta_of(
        records.PartitionChangeRecord(partition_id=0, topic_id=A, leader=2),
        records.PartitionChangeRecord(partition_id=1, topic_id=A, replicas=[2], isr=[2], directories=[DIRECTORIES[1]]),
        records.RemoveTopicRecord(topic_id=B),
        records.TopicRecord(name="b", topic_id=b"c" * 16),
        partition(b"c" * 16, 0),
        start=FULL,
    )
    delta.apply(11, 2, 3)
    local = delta.local_changes(1)
    assert [(topic.id, number) for topic, number in local.deleted] == [(B, 0), (A, 1)]
    assert [(change.topic.name, change.partition_id, change.previous) for change in local.leaders] == [("b", 0, None)]
    assert [(change.topic.name, change.partition_id) for change in local.followers] == [("a", 0)]
    assert [change.current.leader for change in delta.local_changes(2).leaders] == [2, 2]
    assert [topic.id for topic in delta.topics_deleted] == [B] and [topic.name for topic in delta.topics_created] == ["b"]


def test_removing_a_topic_removes_its_configs_c72() -> None:
    delta = delta_of(records.RemoveTopicRecord(topic_id=A), start=FULL)
    assert delta.configs_changed == {(TOPIC, "a")}
    after = delta.apply(11, 2, 3)
    assert set(after.topics.by_name) == {"b"} and after.config(TOPIC, "a") == {}


def test_clear_elr_of_one_topic_and_of_all_c51() -> None:
    for name in ("a", ""):
        after = image_after(records.ClearElrRecord(topic_name=name), start=FULL)
        assert after.topics.by_id[A].partitions[1].elr == ()
        assert after.topics.by_id[A].partitions[1].partition_epoch == 2
        assert after.topics.by_id[B] is FULL.topics.by_id[B]


def test_removals() -> None:
    after = image_after(
        config(TOPIC, "a", "retention.ms", None),
        quota(0, remove=True),
        records.RemoveAccessControlEntryRecord(id=b"1" * 16),
        records.RemoveUserScramCredentialRecord(name="u", mechanism=1),
        records.RemoveDelegationTokenRecord(token_id="t"),
        records.FeatureLevelRecord(name="share.version", feature_level=0),
        records.UnregisterBrokerRecord(broker_id=2, broker_epoch=5),
        start=FULL,
    )
    assert (after.client_quotas, after.acls, after.scram, after.delegation_tokens) == ({}, {}, {}, {})
    assert after.config(TOPIC, "a") == {} and after.features.level("share.version") == 0 and set(after.cluster.brokers) == {1}


def test_a_snapshot_takes_away_what_it_leaves_out() -> None:
    delta = MetadataDelta(FULL, from_snapshot=True)
    for record in EVERYTHING[:8]:
        delta.replay(record)
    delta.replay(config(GROUP, "g", "x", "1"))
    assert [topic.name for topic in delta.topics_deleted] == ["a", "b"]
    assert delta.configs_changed == {(TOPIC, "a"), (BROKER, ""), (GROUP, "g")}
    assert delta.brokers_changed == set() and delta.controllers_changed == {1}
    after = delta.apply(50, 3, 4)
    assert after.topics.by_name == {} and after.acls == {} and set(after.cluster.brokers) == {1, 2}


@pytest.mark.parametrize(
    "record",
    [
        records.BeginTransactionRecord(),
        records.FeatureLevelRecord(name="metadata.version", feature_level=31),
        records.FeatureLevelRecord(name="no.such.version", feature_level=1),
        records.PartitionChangeRecord(partition_id=7, topic_id=A),
        records.PartitionChangeRecord(partition_id=0, topic_id=b"x" * 16),
        records.RemoveTopicRecord(topic_id=b"x" * 16),
        records.BrokerRegistrationChangeRecord(broker_id=1, broker_epoch=4),
        records.BrokerRegistrationChangeRecord(broker_id=3, broker_epoch=5),
        records.RemoveAccessControlEntryRecord(id=b"2" * 16),
        records.ClearElrRecord(topic_name="absent"),
    ],
    ids=lambda record: type(record).__name__,
)
def test_records_that_no_node_may_step_over_c3_c82(record: Message) -> None:
    with pytest.raises(UnreplayableRecord):
        MetadataDelta(FULL).replay(record)


def test_configs_that_this_release_dropped_are_skipped() -> None:
    delta = MetadataDelta(FULL, is_supported_config=lambda kind, name: name != "gone")
    delta.replay(config(TOPIC, "a", "gone", "1"))
    assert delta.apply(11, 2, 3).configs == FULL.configs
