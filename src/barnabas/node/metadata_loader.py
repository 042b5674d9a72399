"""From committed metadata batches to images: one delta a publication, metadata transactions held back until they end (C6, C63).

Owns where a transaction begins and ends. The records' meaning is `core.metadata.delta`'s; what an image is used for is the node's.
Source: Apache's `MetadataLoader` and `MetadataBatchLoader`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.metadata.delta import MetadataDelta, UnreplayableRecord
from barnabas.core.metadata.image import EMPTY
from barnabas.wire.logs.cluster_metadata import AbortTransactionRecord, BeginTransactionRecord, EndTransactionRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from barnabas.core.metadata.image import MetadataImage
    from barnabas.node.metadata_batches import MetadataBatch
    from barnabas.wire.schema import Message


class MetadataLoader:
    """`replay` batches, then `publish`; as often as one likes."""

    __slots__ = ("_delta", "_held", "_is_supported_config", "_place", "_whole", "image")

    def __init__(self, image: MetadataImage = EMPTY, is_supported_config: Callable[[int, str], bool] | None = None) -> None:
        self.image = image
        self._is_supported_config = is_supported_config
        self._delta: MetadataDelta | None = None
        self._held: list[Message] | None = None
        """Records of the transaction that is open; None outside of one."""
        self._place: tuple[int, int, int] | None = None
        """(offset, epoch, timestamp) of the last batch that is wholly in the delta."""
        self._whole = True
        """The delta holds nothing behind that batch."""

    @property
    def in_transaction(self) -> bool:
        """An image can't be a snapshot then: the transaction's records would be lost."""
        return self._held is not None

    def load_snapshot(self, records: Iterable[Message], offset: int, epoch: int, timestamp_ms: int) -> None:
        """Begin anew with a snapshot whose last record stood at `offset`. Raises UnreplayableRecord."""
        delta = MetadataDelta(self.image, from_snapshot=True, is_supported_config=self._is_supported_config)
        for record in records:
            delta.replay(record)
        self._delta, self._held, self._place, self._whole = delta, None, (offset, epoch, timestamp_ms), True

    def replay(self, batch: MetadataBatch) -> None:
        """The next committed batch. Raises UnreplayableRecord that names the offset: no node may step over a record (C3)."""
        delta = self._delta
        if delta is None:
            delta = self._delta = MetadataDelta(self.image, is_supported_config=self._is_supported_config)
        offset = batch.base_offset
        try:
            for record in batch.records:
                if self._held is None and not isinstance(record, BeginTransactionRecord | EndTransactionRecord | AbortTransactionRecord):
                    delta.replay(record)
                    self._whole = False
                else:
                    self._in_transaction(record, delta)
                offset += 1
        except UnreplayableRecord as error:
            raise UnreplayableRecord(f"offset {offset} of the metadata log: {error}") from None
        if self._held is None:
            self._place, self._whole = (batch.last_offset, batch.epoch, batch.timestamp_ms), True

    def _in_transaction(self, record: Message, delta: MetadataDelta) -> None:
        if isinstance(record, BeginTransactionRecord):
            if self._held is not None:
                raise UnreplayableRecord("a metadata transaction begins inside another")
            self._held = []
            return
        held = self._held
        if held is None:
            raise UnreplayableRecord("a metadata transaction ends that never began")
        if isinstance(record, EndTransactionRecord):
            for kept in held:
                delta.replay(kept)
            self._held, self._whole = None, False
        elif isinstance(record, AbortTransactionRecord):
            self._held = None
        else:
            held.append(record)

    def publish(self) -> tuple[MetadataDelta, MetadataImage] | None:
        """What the batches since the last publication changed, and the image after them; None when there is nothing to show yet."""
        if self._delta is None or self._place is None or not self._whole:
            return None
        delta = self._delta
        self.image = delta.apply(*self._place)
        self._delta = self._place = None
        return delta, self.image
