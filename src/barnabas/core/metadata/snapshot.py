"""The records that a metadata image is made of: the contents of a snapshot (D43).

Order as Apache's `MetadataImage.write`: features with metadata.version first, registrations, topics each with its partitions, configs, quotas,
producer ids, ACLs, SCRAM credentials, delegation tokens. Header, footer and batches are the snapshot writer's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.metadata.features import (
    ELIGIBLE_LEADER_REPLICAS_VERSION,
    METADATA_VERSION,
    MV_3_7_IV0_CONTROLLER_REGISTRATION,
    MV_3_7_IV2_DIRECTORY_ASSIGNMENT,
)
from barnabas.core.metadata.partition import to_record
from barnabas.core.metadata.registration import broker_to_record, controller_to_record
from barnabas.wire.logs.cluster_metadata import ClientQuotaRecord, ConfigRecord, FeatureLevelRecord, ProducerIdsRecord, TopicRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

    from barnabas.core.metadata.image import MetadataImage
    from barnabas.wire.schema import Message


def image_records(image: MetadataImage) -> Iterator[Message]:
    """Replaying them from nothing gives an image with the same contents. They are written in the versions of the image's metadata.version."""
    level = image.features.metadata_version
    if level is None:
        return
    yield FeatureLevelRecord(name=METADATA_VERSION, feature_level=level)
    for name, value in image.features.levels.items():
        yield FeatureLevelRecord(name=name, feature_level=value)
    for broker in image.cluster.brokers.values():
        yield broker_to_record(broker)
    if level >= MV_3_7_IV0_CONTROLLER_REGISTRATION:
        for controller in image.cluster.controllers.values():
            yield controller_to_record(controller)
    yield from _topics(image, level)
    for (resource_type, resource_name), configs in image.configs.items():
        for name, text in configs.items():
            yield ConfigRecord(resource_type=resource_type, resource_name=resource_name, name=name, value=text)
    yield from _client_quotas(image)
    if image.next_producer_id >= 0:
        yield ProducerIdsRecord(broker_id=-1, broker_epoch=-1, next_producer_id=image.next_producer_id)
    yield from image.acls.values()
    yield from image.scram.values()
    yield from image.delegation_tokens.values()


def _topics(image: MetadataImage, level: int) -> Iterator[Message]:
    with_directories = level >= MV_3_7_IV2_DIRECTORY_ASSIGNMENT
    with_elr = image.features.level(ELIGIBLE_LEADER_REPLICAS_VERSION) > 0
    for topic in image.topics.by_id.values():
        yield TopicRecord(name=topic.name, topic_id=topic.id)
        for index, partition in topic.partitions.items():
            yield to_record(partition, topic.id, index, with_directories=with_directories, with_elr=with_elr)


def _client_quotas(image: MetadataImage) -> Iterator[Message]:
    for entity, values in image.client_quotas.items():
        for key, value in values.items():
            parts = [ClientQuotaRecord.EntityData(entity_type=kind, entity_name=name) for kind, name in sorted(entity, key=lambda part: part[0])]
            yield ClientQuotaRecord(entity=parts, key=key, value=value, remove=False)
