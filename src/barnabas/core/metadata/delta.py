"""MetadataDelta: a metadata image being changed by records, and what changed.

Starts from an image, replays records, then `apply` gives the next image. A dict of the image is copied (shallowly) when the first record changes it;
all else is shared. The changes are kept for publishers: which topics, partitions, configs, brokers. Metadata transactions are the loader's (C6).
Source: Apache's `MetadataDelta` and its parts; C70-C82.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from barnabas.core.metadata import partition, registration
from barnabas.core.metadata.features import KRAFT_VERSION, METADATA_VERSION, SUPPORTED
from barnabas.core.metadata.image import EMPTY, TOPIC, ClusterImage, FeaturesImage, MetadataImage, Topic, TopicsImage
from barnabas.wire.logs import cluster_metadata as records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from barnabas.core.metadata.image import ConfigResource
    from barnabas.core.metadata.partition import Partition
    from barnabas.core.metadata.registration import Broker
    from barnabas.wire.schema import Message


class UnreplayableRecord(Exception):
    """A record that doesn't fit the image before it, or that this release doesn't know. No node may step over it (C3, C82)."""


class PartitionChange(NamedTuple):
    topic: Topic
    """The topic as it is after the change."""
    partition_id: int
    previous: Partition | None
    """None for a new partition."""
    current: Partition


class LocalChanges(NamedTuple):
    """What a delta means for the replicas of one broker (C63)."""

    deleted: list[tuple[Topic, int]]
    """Replicas that go: the topic as it was, the partition."""
    leaders: list[PartitionChange]
    """Led by the broker after the change."""
    followers: list[PartitionChange]


class MetadataDelta:
    """Replay records, then `apply` once. With `from_snapshot` the records are a whole snapshot: what they leave out is gone."""

    def __init__(self, image: MetadataImage, *, from_snapshot: bool = False, is_supported_config: Callable[[int, str], bool] | None = None) -> None:
        """`is_supported_config(resource type, name)`: a config for which it is false is skipped, as Apache does with removed ones."""
        start = EMPTY if from_snapshot else image
        self.image = image
        self._is_supported_config = is_supported_config
        self._metadata_version = start.features.metadata_version
        self._levels = start.features.levels
        self._brokers = start.cluster.brokers
        self._controllers = start.cluster.controllers
        self._by_name = start.topics.by_name
        self._by_id = start.topics.by_id
        self._configs = start.configs
        self._client_quotas = start.client_quotas
        self._next_producer_id = start.next_producer_id
        self._acls = start.acls
        self._scram = start.scram
        self._delegation_tokens = start.delegation_tokens
        self._owned: set[str] = set()
        self._touched_configs: set[ConfigResource] = set()
        self._touched: dict[bytes, set[int]] = {}
        """Topic id -> partitions with records in this delta; the topic's `partitions` dict is ours."""
        self._deleted: list[Topic] = []
        self.from_snapshot = from_snapshot

    def replay(self, record: Message) -> None:
        """UnreplayableRecord if the record is unknown or impossible here; the delta is then of no use any more."""
        replay = _REPLAY.get(type(record))
        if replay is None:
            raise UnreplayableRecord(f"{type(record).__name__} can't be replayed into an image")
        replay(self, record)

    def apply(self, offset: int, epoch: int, timestamp_ms: int) -> MetadataImage:
        """The image after the records, whose last one stands at `offset` in a batch of `epoch` and `timestamp_ms`."""
        old = self.image
        features = FeaturesImage(self._metadata_version, self._levels)
        cluster = ClusterImage(self._brokers, self._controllers)
        topics = TopicsImage(self._by_name, self._by_id)
        return MetadataImage(
            features=old.features if features == old.features else features,
            cluster=cluster if self._owned & {"_brokers", "_controllers"} or self.from_snapshot else old.cluster,
            topics=topics if "_by_id" in self._owned or self.from_snapshot else old.topics,
            configs=self._configs,
            client_quotas=self._client_quotas,
            next_producer_id=self._next_producer_id,
            acls=self._acls,
            scram=self._scram,
            delegation_tokens=self._delegation_tokens,
            offset=offset,
            epoch=epoch,
            timestamp_ms=timestamp_ms,
        )

    # What changed, for publishers.

    @property
    def brokers_changed(self) -> set[int]:
        return _changed_keys(self.image.cluster.brokers, self._brokers)

    @property
    def controllers_changed(self) -> set[int]:
        return _changed_keys(self.image.cluster.controllers, self._controllers)

    @property
    def configs_changed(self) -> set[ConfigResource]:
        """Also resources whose records changed nothing: a broker reloads then (what Apache writes such records for)."""
        if self.from_snapshot:
            return _changed_keys(self.image.configs, self._configs)
        return self._touched_configs

    @property
    def topics_changed(self) -> bool:
        return self._by_id is not self.image.topics.by_id

    @property
    def topics_deleted(self) -> list[Topic]:
        """Topics of the old image, as they were, whose ids are gone. The name may live on under a new id."""
        if self.from_snapshot:
            return [topic for topic_id, topic in self.image.topics.by_id.items() if topic_id not in self._by_id]
        return self._deleted

    @property
    def topics_created(self) -> list[Topic]:
        return [self._by_id[topic_id] for topic_id in self._touched if topic_id not in self.image.topics.by_id]

    def partition_changes(self) -> Iterator[PartitionChange]:
        """Partitions that are new or differ, of topics that still exist."""
        for topic_id, indexes in self._touched.items():
            topic = self._by_id[topic_id]
            before = self.image.topics.by_id.get(topic_id)
            for index in sorted(indexes):
                previous = None if before is None else before.partitions.get(index)
                current = topic.partitions[index]
                if current != previous:
                    yield PartitionChange(topic, index, previous, current)

    def local_changes(self, broker_id: int) -> LocalChanges:
        """A partition whose partition epoch didn't grow is left out (C65)."""
        deleted = [(topic, index) for topic in self.topics_deleted for index, was in topic.partitions.items() if broker_id in was.replicas]
        leaders: list[PartitionChange] = []
        followers: list[PartitionChange] = []
        for change in self.partition_changes():
            previous = change.previous
            if broker_id not in change.current.replicas:
                if previous is not None and broker_id in previous.replicas:
                    deleted.append((self.image.topics.by_id[change.topic.id], change.partition_id))
            elif previous is None or previous.partition_epoch != change.current.partition_epoch:
                (leaders if change.current.leader == broker_id else followers).append(change)
        return LocalChanges(deleted, leaders, followers)

    # Copies on the first change.

    def _own(self, area: str) -> Any:
        """The dict of `area`, ours to change."""
        if area not in self._owned:
            setattr(self, area, dict(getattr(self, area)))
            self._owned.add(area)
        return getattr(self, area)

    def _own_topic(self, topic_id: bytes) -> Topic:
        if topic_id in self._touched:
            return self._by_id[topic_id]
        topic = self._by_id.get(topic_id)
        if topic is None:
            raise UnreplayableRecord(f"no topic with id {topic_id.hex()}")
        return self._put_topic(topic._replace(partitions=dict(topic.partitions)))

    def _put_topic(self, topic: Topic) -> Topic:
        self._own("_by_id")[topic.id] = topic
        self._own("_by_name")[topic.name] = topic
        self._touched[topic.id] = set()
        return topic

    # One method a record type.

    def _topic(self, record: records.TopicRecord) -> None:
        self._put_topic(Topic(record.name, record.topic_id, {}))

    def _remove_topic(self, record: records.RemoveTopicRecord) -> None:
        topic = self._own("_by_id").pop(record.topic_id, None)
        if topic is None:
            raise UnreplayableRecord(f"no topic with id {record.topic_id.hex()} to remove")
        if self._by_name[topic.name].id == topic.id:
            del self._own("_by_name")[topic.name]
        self._touched.pop(topic.id, None)
        if topic.id in self.image.topics.by_id:
            self._deleted.append(self.image.topics.by_id[topic.id])
        if (TOPIC, topic.name) in self._configs:
            del self._own("_configs")[(TOPIC, topic.name)]
            self._touched_configs.add((TOPIC, topic.name))

    def _partition(self, record: records.PartitionRecord) -> None:
        topic = self._own_topic(record.topic_id)
        topic.partitions[record.partition_id] = partition.from_record(record)
        self._touched[topic.id].add(record.partition_id)

    def _partition_change(self, record: records.PartitionChangeRecord) -> None:
        topic = self._own_topic(record.topic_id)
        previous = topic.partitions.get(record.partition_id)
        if previous is None:
            raise UnreplayableRecord(f"no partition {topic.name}-{record.partition_id} to change")
        topic.partitions[record.partition_id] = previous.changed_by(record)
        self._touched[topic.id].add(record.partition_id)

    def _clear_elr(self, record: records.ClearElrRecord) -> None:
        if not record.topic_name:
            for topic in list(self._by_id.values()):
                self._clear_elr_of(topic)
        elif record.topic_name in self._by_name:
            self._clear_elr_of(self._by_name[record.topic_name])
        else:
            raise UnreplayableRecord(f"no topic {record.topic_name} to clear the eligible leader replicas of")

    def _clear_elr_of(self, topic: Topic) -> None:
        for index, before in list(topic.partitions.items()):
            after = before.without_elr()
            if after is not before:
                self._own_topic(topic.id).partitions[index] = after
                self._touched[topic.id].add(index)

    def _register_broker(self, record: records.RegisterBrokerRecord) -> None:
        self._own("_brokers")[record.broker_id] = registration.broker_from_record(record)

    def _unregister_broker(self, record: records.UnregisterBrokerRecord) -> None:
        self._own("_brokers").pop(record.broker_id, None)

    def _broker(self, broker_id: int, epoch: int) -> Broker:
        broker = self._brokers.get(broker_id)
        if broker is None or broker.epoch != epoch:
            raise UnreplayableRecord(f"no registration of broker {broker_id} with epoch {epoch} to change")
        return broker

    def _broker_change(self, record: records.BrokerRegistrationChangeRecord) -> None:
        before = self._broker(record.broker_id, record.broker_epoch)
        self._own("_brokers")[record.broker_id] = before.changed_by(record)

    def _fence_broker(self, record: records.FenceBrokerRecord) -> None:
        before = self._broker(record.id, record.epoch)
        self._own("_brokers")[record.id] = before._replace(fenced=True)

    def _unfence_broker(self, record: records.UnfenceBrokerRecord) -> None:
        before = self._broker(record.id, record.epoch)
        self._own("_brokers")[record.id] = before._replace(fenced=False)

    def _register_controller(self, record: records.RegisterControllerRecord) -> None:
        self._own("_controllers")[record.controller_id] = registration.controller_from_record(record)

    def _config(self, record: records.ConfigRecord) -> None:
        if self._is_supported_config is not None and not self._is_supported_config(record.resource_type, record.name):
            return
        resource = (record.resource_type, record.resource_name)
        configs = self._own("_configs")
        values = dict(configs.get(resource, ()))
        if record.value is None:
            values.pop(record.name, None)
        else:
            values[record.name] = record.value
        if values:
            configs[resource] = values
        else:
            configs.pop(resource, None)
        self._touched_configs.add(resource)

    def _feature_level(self, record: records.FeatureLevelRecord) -> None:
        if record.name == KRAFT_VERSION:
            return  # belongs to the quorum; Apache once wrote it here by mistake
        least, greatest = SUPPORTED.get(record.name, (0, 0))
        if not least <= record.feature_level <= greatest:
            raise UnreplayableRecord(f"{record.name} level {record.feature_level} is finalized; this release supports {least} to {greatest}")
        if record.name == METADATA_VERSION:
            self._metadata_version = record.feature_level
        elif record.feature_level == 0:
            self._own("_levels").pop(record.name, None)
        else:
            self._own("_levels")[record.name] = record.feature_level

    def _client_quota(self, record: records.ClientQuotaRecord) -> None:
        entity = frozenset((part.entity_type, part.entity_name) for part in record.entity)
        quotas = self._own("_client_quotas")
        values = dict(quotas.get(entity, ()))
        if record.remove:
            values.pop(record.key, None)
        else:
            values[record.key] = record.value
        if values:
            quotas[entity] = values
        else:
            quotas.pop(entity, None)

    def _producer_ids(self, record: records.ProducerIdsRecord) -> None:
        self._next_producer_id = record.next_producer_id

    def _acl(self, record: records.AccessControlEntryRecord) -> None:
        self._own("_acls")[record.id] = record

    def _remove_acl(self, record: records.RemoveAccessControlEntryRecord) -> None:
        if self._own("_acls").pop(record.id, None) is None:
            raise UnreplayableRecord(f"no ACL with id {record.id.hex()} to remove")

    def _scram_credential(self, record: records.UserScramCredentialRecord) -> None:
        self._own("_scram")[(record.mechanism, record.name)] = record

    def _remove_scram_credential(self, record: records.RemoveUserScramCredentialRecord) -> None:
        self._own("_scram").pop((record.mechanism, record.name), None)

    def _delegation_token(self, record: records.DelegationTokenRecord) -> None:
        self._own("_delegation_tokens")[record.token_id] = record

    def _remove_delegation_token(self, record: records.RemoveDelegationTokenRecord) -> None:
        self._own("_delegation_tokens").pop(record.token_id, None)

    def _nothing(self, record: Message) -> None:
        """Only the offset advances (C81)."""


def _changed_keys(before: dict[Any, Any], after: dict[Any, Any]) -> set[Any]:
    if before is after:
        return set()
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


_REPLAY: dict[type[Message], Callable[[MetadataDelta, Any], None]] = {
    records.RegisterBrokerRecord: MetadataDelta._register_broker,
    records.UnregisterBrokerRecord: MetadataDelta._unregister_broker,
    records.TopicRecord: MetadataDelta._topic,
    records.PartitionRecord: MetadataDelta._partition,
    records.ConfigRecord: MetadataDelta._config,
    records.PartitionChangeRecord: MetadataDelta._partition_change,
    records.FenceBrokerRecord: MetadataDelta._fence_broker,
    records.UnfenceBrokerRecord: MetadataDelta._unfence_broker,
    records.RemoveTopicRecord: MetadataDelta._remove_topic,
    records.DelegationTokenRecord: MetadataDelta._delegation_token,
    records.UserScramCredentialRecord: MetadataDelta._scram_credential,
    records.FeatureLevelRecord: MetadataDelta._feature_level,
    records.ClientQuotaRecord: MetadataDelta._client_quota,
    records.ProducerIdsRecord: MetadataDelta._producer_ids,
    records.BrokerRegistrationChangeRecord: MetadataDelta._broker_change,
    records.AccessControlEntryRecord: MetadataDelta._acl,
    records.RemoveAccessControlEntryRecord: MetadataDelta._remove_acl,
    records.NoOpRecord: MetadataDelta._nothing,
    records.ZkMigrationStateRecord: MetadataDelta._nothing,
    records.RemoveUserScramCredentialRecord: MetadataDelta._remove_scram_credential,
    records.RemoveDelegationTokenRecord: MetadataDelta._remove_delegation_token,
    records.RegisterControllerRecord: MetadataDelta._register_controller,
    records.ClearElrRecord: MetadataDelta._clear_elr,
}
