"""What a log keeps up to date beside its bytes: producers and leader epochs. Their rules are in `core.partition`; here is what storage asks of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from .batch_scan import marker_of
from .transaction_index import Aborted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from barnabas.wire.records.batch import BatchHeader

    from .producer_snapshot import Entry

ABORT = 0
CONTROL = 1 << 5
TRANSACTIONAL = 1 << 4


class Producers(Protocol):
    """`core.partition.producers.ProducerStates`, as a log feeds it."""

    def clear(self) -> None: ...
    def load(self, entries: Iterable[Entry], now_ms: int) -> None: ...
    def entries(self, below: int | None = None) -> Iterable[Entry]: ...
    def update(
        self, producer_id: int, epoch: int, base_sequence: int, base_offset: int, last_offset: int, timestamp: int, transactional: bool
    ) -> None: ...
    def end_transaction(
        self, producer_id: int, epoch: int, coordinator_epoch: int, offset: int, timestamp: int
    ) -> tuple[int, int, int, int] | None: ...


class Epochs(Protocol):
    """`core.partition.epochs.LeaderEpochs`."""

    @property
    def entries(self) -> tuple[tuple[int, int], ...]: ...
    @property
    def latest(self) -> int: ...
    def load(self, entries: Iterable[tuple[int, int]]) -> None: ...
    def assign(self, epoch: int, start_offset: int) -> bool: ...
    def truncate_end(self, end_offset: int) -> bool: ...
    def truncate_start(self, start_offset: int) -> bool: ...
    def clear(self) -> bool: ...


def replay_batch(producers: Producers, header: BatchHeader | tuple[int, ...], batch: memoryview) -> Aborted | None:
    """Tell `producers` of a batch that is in the log. A transaction that it aborted, for the index. `batch` is read for markers only."""
    base_offset, _, _, _, _, attributes, delta, _, max_timestamp, producer_id, epoch, sequence, _ = header
    if producer_id < 0:
        return None
    if not attributes & CONTROL:
        producers.update(producer_id, epoch, sequence, base_offset, base_offset + delta, max_timestamp, bool(attributes & TRANSACTIONAL))
        return None
    marker = marker_of(batch)
    if marker is None:
        return None
    kind, coordinator_epoch = marker
    completed = producers.end_transaction(producer_id, epoch, coordinator_epoch, base_offset, max_timestamp)
    return Aborted(*completed) if completed is not None and kind == ABORT else None
