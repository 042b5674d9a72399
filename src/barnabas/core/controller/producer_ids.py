"""Blocks of producer ids: each is handed out once, ever (C61, C62). Source: Apache's `ProducerIdControlManager`, KIP-730."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.controller.result import ApiError, Result
from barnabas.core.timeline import TimelineValue
from barnabas.wire.errors import Error
from barnabas.wire.logs.cluster_metadata import ProducerIdsRecord

if TYPE_CHECKING:
    from barnabas.core.timeline import SnapshotRegistry

BLOCK_SIZE = 1000
_GREATEST = 2**63 - 1


class ProducerIds:
    __slots__ = ("_next",)

    def __init__(self, registry: SnapshotRegistry) -> None:
        self._next: TimelineValue[int] = TimelineValue(registry, -1)
        """The first id that no block holds; -1 before the first block."""

    @property
    def next_id(self) -> int:
        return max(self._next.value, 0)

    def allocate(self, broker_id: int, broker_epoch: int) -> Result:
        """The response is the (first id, count) of a new block. The caller has checked the broker's epoch."""
        first = self.next_id
        if first > _GREATEST - BLOCK_SIZE:
            raise ApiError(Error.UNKNOWN_SERVER_ERROR, "All producer ids are used up.")
        record = ProducerIdsRecord(broker_id=broker_id, broker_epoch=broker_epoch, next_producer_id=first + BLOCK_SIZE)
        return Result([record], (first, BLOCK_SIZE))

    def replay(self, record: ProducerIdsRecord) -> None:
        if record.next_producer_id <= self._next.value:
            raise ValueError(f"next producer id {record.next_producer_id} would go back from {self._next.value}")
        self._next.value = record.next_producer_id
