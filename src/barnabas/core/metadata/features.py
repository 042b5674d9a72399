"""Features and their levels: names, the ranges that this node supports, and what a metadata.version brings (C32-C36).

Owns facts only; the controller's `features` area decides about changes. Source: Apache's `MetadataVersion`, `Feature`, KIP-584.
"""

from __future__ import annotations

METADATA_VERSION = "metadata.version"
KRAFT_VERSION = "kraft.version"
TRANSACTION_VERSION = "transaction.version"
GROUP_VERSION = "group.version"
ELIGIBLE_LEADER_REPLICAS_VERSION = "eligible.leader.replicas.version"
SHARE_VERSION = "share.version"
STREAMS_VERSION = "streams.version"

SUPPORTED: dict[str, tuple[int, int]] = {
    GROUP_VERSION: (0, 1),
    KRAFT_VERSION: (0, 1),
    METADATA_VERSION: (7, 30),
    SHARE_VERSION: (0, 1),
    STREAMS_VERSION: (0, 1),
    TRANSACTION_VERSION: (0, 2),
    ELIGIBLE_LEADER_REPLICAS_VERSION: (0, 1),
}
"""Exactly what 4.3.1 advertises (C33), in its order: a wider range would let a level into the log that this node can't serve."""

BOOTSTRAP_LEVELS: tuple[tuple[str, int], ...] = (
    (METADATA_VERSION, 30),
    (ELIGIBLE_LEADER_REPLICAS_VERSION, 1),
    (GROUP_VERSION, 1),
    (SHARE_VERSION, 1),
    (STREAMS_VERSION, 1),
    (TRANSACTION_VERSION, 2),
)
"""What `storage format` writes for 4.3.1, in its order: metadata.version first, the others by name (D19)."""

MV_3_5_IV2_SCRAM = 11
MV_3_6_IV0_NO_EPOCH_BUMP_ON_SHRINK = 12
MV_3_6_IV1_TRANSACTIONS = 13
MV_3_7_IV0_CONTROLLER_REGISTRATION = 15
MV_3_7_IV2_DIRECTORY_ASSIGNMENT = 17
MV_4_0_IV1_ELR = 23
MV_4_3_IV0_CORDONED_DIRECTORIES = 30

METADATA_CHANGED_AT = frozenset({7, 8, 11, 13, 14, 15, 17, 23, 30})
"""A downgrade across one of these could lose metadata (C35)."""

_MINIMUM_METADATA_VERSION: dict[tuple[str, int], int] = {(ELIGIBLE_LEADER_REPLICAS_VERSION, 1): MV_4_0_IV1_ELR}
"""The metadata.version that a feature's level depends on; the other levels depend on none."""


def required_metadata_version(feature: str, level: int) -> int:
    """The least metadata.version with which `feature` may have `level`; 0 for any."""
    return _MINIMUM_METADATA_VERSION.get((feature, level), 0)
