"""What `storage format` knows about releases: metadata.version's levels by name, and the feature levels that go with each.

Facts of the pinned release 4.3.1. What a running node supports is `core.metadata.features`. Source: Apache's `MetadataVersion`, `Feature`.
"""

from __future__ import annotations

from typing import NamedTuple

METADATA_VERSION = "metadata.version"
KRAFT_VERSION = "kraft.version"

_RELEASES = (
    ("3.3", (3,)),
    ("3.4", (0,)),
    ("3.5", (0, 1, 2)),
    ("3.6", (0, 1, 2)),
    ("3.7", (0, 1, 2, 3, 4)),
    ("3.8", (0,)),
    ("3.9", (0,)),
    ("4.0", (0, 1, 2, 3)),
    ("4.1", (0, 1)),
    ("4.2", (0, 1)),
    ("4.3", (0,)),
    ("4.4", (0,)),
)
MINIMUM_LEVEL = 7
LATEST_STABLE_LEVEL = 30
METADATA_VERSION_NAMES: dict[int, str] = dict(enumerate((f"{release}-IV{step}" for release, steps in _RELEASES for step in steps), MINIMUM_LEVEL))
SCRAM_LEVEL = 11


class Feature(NamedTuple):
    name: str
    since: tuple[int, ...]
    """By level, from 0: the metadata.version from which it is the default."""
    requires: dict[int, int]
    """Level -> the metadata.version without which it can't be set."""

    def default_level(self, metadata_version: int) -> int:
        return max(level for level, since in enumerate(self.since) if since <= metadata_version)


FEATURES: tuple[Feature, ...] = (
    Feature(KRAFT_VERSION, (7, 21), {}),
    Feature("transaction.version", (7, 24, 24), {}),
    Feature("group.version", (7, 22), {}),
    Feature("eligible.leader.replicas.version", (7, 26), {1: 23}),
    Feature("share.version", (7, 28), {}),
    Feature("streams.version", (7, 29), {}),
)


def level_of_version(text: str, *, unstable: bool = False) -> int:
    """metadata.version's level of `4.3`, `4.3.1` or `4.3-IV0`. Raises ValueError that lists what is known."""
    key = ".".join(text.split(".")[:2])
    last = max(METADATA_VERSION_NAMES) if unstable else LATEST_STABLE_LEVEL
    for level in range(last, MINIMUM_LEVEL - 1, -1):
        name = METADATA_VERSION_NAMES[level]
        if key == name or (level <= LATEST_STABLE_LEVEL and key == name.partition("-")[0]):
            return level
    known = ", ".join(name for level, name in METADATA_VERSION_NAMES.items() if level <= last)
    raise ValueError(f"Unknown metadata.version '{text}'. Supported metadata.version are: {known}")
