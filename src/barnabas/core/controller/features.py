"""Finalized features as the controller replays them. Deciding about changes is `feature_updates`. C32-C37."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.metadata.features import ELIGIBLE_LEADER_REPLICAS_VERSION, KRAFT_VERSION, METADATA_VERSION, SUPPORTED
from barnabas.core.timeline import TimelineDict, TimelineValue

if TYPE_CHECKING:
    from barnabas.core.timeline import SnapshotRegistry
    from barnabas.wire.logs.cluster_metadata import FeatureLevelRecord


class Features:
    __slots__ = ("_metadata_version", "kraft_version", "levels")

    def __init__(self, registry: SnapshotRegistry) -> None:
        self._metadata_version: TimelineValue[int | None] = TimelineValue(registry, None)
        self.levels: TimelineDict[str, int] = TimelineDict(registry)
        """All but metadata.version; a missing one has level 0."""
        self.kraft_version = 0
        """Not of the log's data records: who has the quorum sets it before it matters, to registrations and updates of features."""

    @property
    def metadata_version(self) -> int | None:
        """None while the log holds none."""
        return self._metadata_version.value

    def metadata_version_at(self, offset: int) -> int | None:
        """As of a snapshot."""
        return self._metadata_version.at(offset)

    @property
    def level(self) -> int:
        """metadata.version, or 0 while there is none: then nothing that came with a later version applies."""
        return self._metadata_version.value or 0

    @property
    def elr_enabled(self) -> bool:
        return (self.levels.get(ELIGIBLE_LEADER_REPLICAS_VERSION) or 0) >= 1

    def finalized(self) -> dict[str, int]:
        """Every finalized feature, kraft.version among them."""
        return {METADATA_VERSION: self.level, **self.levels.current, KRAFT_VERSION: self.kraft_version}

    def replay(self, record: FeatureLevelRecord) -> None:
        if record.name == KRAFT_VERSION:
            return
        least, greatest = SUPPORTED.get(record.name, (0, 0))
        if not least <= record.feature_level <= greatest:
            raise ValueError(f"{record.name} level {record.feature_level} is finalized; this release supports {least} to {greatest}")
        if record.name == METADATA_VERSION:
            self._metadata_version.value = record.feature_level
        elif record.feature_level == 0:
            self.levels.pop(record.name, None)
        else:
            self.levels[record.name] = record.feature_level
