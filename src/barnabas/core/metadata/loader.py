"""MetadataLoader: committed records in, images out. Keeps metadata transactions back until they end (C6).

Pure: the host hands it each committed batch, or a snapshot's records, and publishes what comes out. Source: Apache's `MetadataBatchLoader`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas.core.metadata.delta import MetadataDelta, UnreplayableRecord
from barnabas.wire.logs.cluster_metadata import AbortTransactionRecord, BeginTransactionRecord, EndTransactionRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from barnabas.core.metadata.image import MetadataImage
    from barnabas.wire.schema import Message


class Published(NamedTuple):
    """`delta.image` is the image before, `image` the one after."""

    delta: MetadataDelta
    image: MetadataImage


class MetadataLoader:
    """Call `load` with what committed, in order; once per batch or for several at once."""

    __slots__ = ("_delta", "_held", "_is_supported_config", "image", "next_offset")

    def __init__(self, image: MetadataImage, is_supported_config: Callable[[int, str], bool] | None = None) -> None:
        self.image = image
        """The last published one."""
        self.next_offset = image.offset + 1
        """Of the first record not yet loaded."""
        self._is_supported_config = is_supported_config
        self._held: list[Message] | None = None
        """The records of the open transaction."""
        self._delta = self._new_delta()

    def load(self, records: Sequence[Message], next_offset: int, epoch: int, timestamp_ms: int) -> Published | None:
        """`records` are the data records below `next_offset` that weren't loaded yet; control records, which leave gaps, count by their offsets only.
        Returns what to publish; None inside a transaction, when what came before it in the same call waits too."""
        for record in records:
            self._replay(record)
        self.next_offset = next_offset
        if self._held is not None:
            return None
        return self._publish(next_offset - 1, epoch, timestamp_ms)

    def load_snapshot(self, records: Iterable[Message], offset: int, epoch: int, timestamp_ms: int) -> Published:
        """A snapshot that contains everything up to `offset` replaces the image."""
        self._held = None
        self._delta = MetadataDelta(self.image, from_snapshot=True, is_supported_config=self._is_supported_config)
        for record in records:
            self._delta.replay(record)
        self.next_offset = offset + 1
        return self._publish(offset, epoch, timestamp_ms)

    def _replay(self, record: Message) -> None:
        if isinstance(record, BeginTransactionRecord):
            if self._held is not None:
                raise UnreplayableRecord("a metadata transaction begins inside another")
            self._held = []
        elif isinstance(record, EndTransactionRecord | AbortTransactionRecord):
            if self._held is None:
                raise UnreplayableRecord("a metadata transaction ends that never began")
            held, self._held = self._held, None
            if isinstance(record, EndTransactionRecord):
                for each in held:
                    self._delta.replay(each)
        elif self._held is not None:
            self._held.append(record)
        else:
            self._delta.replay(record)

    def _publish(self, offset: int, epoch: int, timestamp_ms: int) -> Published:
        published = Published(self._delta, self._delta.apply(offset, epoch, timestamp_ms))
        self.image = published.image
        self._delta = self._new_delta()
        return published

    def _new_delta(self) -> MetadataDelta:
        return MetadataDelta(self.image, is_supported_config=self._is_supported_config)
