"""The first records of a new active controller: the bootstrap of an empty log, the end of a transaction that its predecessor left open (C5, C6, D20).

Source: Apache's `ActivationRecordsGenerator`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.controller.configs import MIN_INSYNC_REPLICAS
from barnabas.core.metadata.features import ELIGIBLE_LEADER_REPLICAS_VERSION, METADATA_VERSION, MV_3_6_IV1_TRANSACTIONS
from barnabas.core.metadata.image import BROKER
from barnabas.wire.logs.cluster_metadata import (
    AbortTransactionRecord,
    BeginTransactionRecord,
    ConfigRecord,
    EndTransactionRecord,
    FeatureLevelRecord,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from barnabas.wire.schema import Message


def activation_records(
    metadata_version: int | None, bootstrap: Sequence[Message], *, in_transaction: bool, static_min_insync_replicas: int
) -> list[Message]:
    """`metadata_version`: what the log holds, None if nothing. `bootstrap`: the contents of bootstrap.checkpoint; ValueError if they lack
    metadata.version (D21)."""
    abort: list[Message] = [AbortTransactionRecord(reason="Controller failover")] if in_transaction else []
    if metadata_version is not None:
        return abort
    level = _bootstrap_level(bootstrap, METADATA_VERSION)
    if level is None:
        raise ValueError("the bootstrap records finalize no metadata.version; format the directory with this release")
    records: list[Message] = [*abort]
    if level >= MV_3_6_IV1_TRANSACTIONS:
        records.append(BeginTransactionRecord(name="Bootstrap records"))
    records += bootstrap
    if (_bootstrap_level(bootstrap, ELIGIBLE_LEADER_REPLICAS_VERSION) or 0) > 0:
        records.append(ConfigRecord(resource_type=BROKER, resource_name="", name=MIN_INSYNC_REPLICAS, value=str(static_min_insync_replicas)))
    if level >= MV_3_6_IV1_TRANSACTIONS:
        records.append(EndTransactionRecord())
    return records


def _bootstrap_level(bootstrap: Sequence[Message], feature: str) -> int | None:
    for record in bootstrap:
        if isinstance(record, FeatureLevelRecord) and record.name == feature:
            return record.feature_level
    return None
