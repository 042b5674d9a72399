"""MetadataImage: everything the cluster's metadata says at one offset. Immutable by convention: nobody changes what it reaches.

Readers take the current image without a lock and look things up in plain dicts. `delta` makes the next image and shares what didn't change;
`snapshot` turns an image into records. Source: Apache's `MetadataImage` and its parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from barnabas.core.metadata.partition import Partition
    from barnabas.core.metadata.registration import Broker, RegisteredController
    from barnabas.wire.logs.cluster_metadata import AccessControlEntryRecord, DelegationTokenRecord, UserScramCredentialRecord

TOPIC = 2
BROKER = 4
BROKER_LOGGER = 8
CLIENT_METRICS = 16
GROUP = 32
"""Types of a config resource (C58)."""

ConfigResource = tuple[int, str]
"""(type, name); the name "" of a broker means the cluster's default."""
QuotaEntity = frozenset[tuple[str, str | None]]
"""(entity type, entity name) pairs; the name None means the default."""


class Topic(NamedTuple):
    name: str
    id: bytes
    partitions: dict[int, Partition]


class TopicsImage(NamedTuple):
    by_name: dict[str, Topic]
    by_id: dict[bytes, Topic]

    def partition(self, name: str, index: int) -> Partition | None:
        topic = self.by_name.get(name)
        return None if topic is None else topic.partitions.get(index)


class ClusterImage(NamedTuple):
    brokers: dict[int, Broker]
    controllers: dict[int, RegisteredController]

    def broker_epoch(self, broker_id: int) -> int:
        """-1 for an unknown broker."""
        broker = self.brokers.get(broker_id)
        return -1 if broker is None else broker.epoch


class FeaturesImage(NamedTuple):
    metadata_version: int | None
    """None while the log holds none."""
    levels: dict[str, int]
    """The other finalized features; a missing one has level 0."""

    def level(self, feature: str) -> int:
        return self.levels.get(feature, 0)

    @property
    def finalized(self) -> dict[str, int]:
        """All finalized features, metadata.version among them, as ApiVersions shows them (without kraft.version, which the quorum knows)."""
        return self.levels if self.metadata_version is None else {"metadata.version": self.metadata_version, **self.levels}


class MetadataImage(NamedTuple):
    features: FeaturesImage
    cluster: ClusterImage
    topics: TopicsImage
    configs: dict[ConfigResource, dict[str, str]]
    client_quotas: dict[QuotaEntity, dict[str, float]]
    next_producer_id: int
    """The first id that no block holds yet; -1 before the first block."""
    acls: dict[bytes, AccessControlEntryRecord]
    scram: dict[tuple[int, str], UserScramCredentialRecord]
    """By (mechanism, user)."""
    delegation_tokens: dict[str, DelegationTokenRecord]
    offset: int = -1
    """Of the last record inside."""
    epoch: int = -1
    """Of that record's batch."""
    timestamp_ms: int = -1
    """Of that record's batch: goes to the header of a snapshot."""

    def config(self, resource_type: int, name: str) -> dict[str, str]:
        """The dynamic configuration of one resource; empty if it has none."""
        return self.configs.get((resource_type, name)) or {}

    def same_contents_as(self, other: MetadataImage) -> bool:
        """Equal but for where in the log they stand."""
        return self._replace(offset=-1, epoch=-1, timestamp_ms=-1) == other._replace(offset=-1, epoch=-1, timestamp_ms=-1)


EMPTY = MetadataImage(FeaturesImage(None, {}), ClusterImage({}, {}), TopicsImage({}, {}), {}, {}, -1, {}, {}, {})
