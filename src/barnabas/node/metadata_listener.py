"""Who uses the metadata log: the controller and the images. What `metadata_log` tells them, and when.

Owns the contract only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from barnabas.node.metadata_batches import MetadataBatch
    from barnabas.wire.schema import Message


class MetadataListener(Protocol):
    """Called on the control thread; while the log is loaded, on the thread that loads it."""

    def load_snapshot(self, records: Iterator[Message], last_offset: int, epoch: int, timestamp_ms: int) -> None:
        """Begin anew with these records; the last one stood at `last_offset`. Later too: when this node was so far behind that it fetched a snapshot."""

    def loaded(self, batch: MetadataBatch) -> None:
        """The next batch of the log at start, in order. It won't come again in `committed`."""

    def appended(self, batch: MetadataBatch) -> None:
        """A batch that this leader has just written: replay it now, before it commits (C2). Control batches come too: they take offsets."""

    def committed(self, last_offset: int, batches: Sequence[MetadataBatch]) -> None:
        """Everything up to `last_offset`, the end of a batch, is durable and committed. `batches`: all since the last time, those
        that came by `appended` too."""

    def leading(self, epoch: int) -> None:
        """This node leads: `append` may be called, and the whole log has been replayed (Q37)."""

    def resigned(self, epoch: int) -> None:
        """This node leads no longer, or was elected and never got to `leading`; what wasn't committed may be lost."""

    def leader_changed(self, leader_id: int, epoch: int) -> None:
        """Another node leads `epoch`, or nobody that is known (-1)."""
