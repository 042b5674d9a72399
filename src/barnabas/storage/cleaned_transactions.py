"""Which transactions a cleaner is in the midst of, as it goes over a log's batches in their order: what was aborted goes, a marker stays as long as anything of its
transaction does (D121). Source: Apache's CleanedTransactionMetadata.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

from .replica_state import ABORT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .transaction_index import Aborted

_COMMIT = 1


class CleanedTransactions:
    """`kept` are the aborted transactions of which something is left: entries for the new segment's index, in the order of their markers."""

    __slots__ = ("_aborted", "_ahead", "_committed", "_seen", "kept")

    def __init__(self) -> None:
        self._ahead: list[tuple[int, Aborted]] = []  # a heap, by first offset
        self._aborted: dict[int, Aborted] = {}  # by producer
        self._seen: set[int] = set()  # producers of which a batch of the transaction was met that they are in
        self._committed: set[int] = set()  # of which a batch was met that wasn't aborted
        self.kept: list[Aborted] = []

    def expect(self, aborted: Iterable[Aborted]) -> None:
        """What the log's indexes say of the segment that comes now. Transactions may be named again and again."""
        for entry in aborted:
            heappush(self._ahead, (entry.first_offset, entry))

    def is_aborted(self, last_offset: int, producer_id: int, *, transactional: bool) -> bool:
        """Whether a batch of data belongs to a transaction that was aborted."""
        self._advance(last_offset)
        if not transactional:
            return False
        if producer_id in self._aborted:
            self._seen.add(producer_id)
            return True
        self._committed.add(producer_id)
        return False

    def is_over(self, last_offset: int, producer_id: int, kind: int | None) -> bool:
        """Whether nothing of a marker's transaction was met. `kind` is its control type, None when the marker is gone from its batch."""
        self._advance(last_offset)
        if kind is None:
            return True
        if kind == ABORT:
            aborted = self._aborted.pop(producer_id, None)
            if aborted is None or producer_id not in self._seen:
                return True
            self._seen.discard(producer_id)
            self.kept.append(aborted)
            return False
        if kind == _COMMIT:
            was_met = producer_id in self._committed
            self._committed.discard(producer_id)
            return not was_met
        return False

    def _advance(self, offset: int) -> None:
        while self._ahead and self._ahead[0][0] <= offset:
            aborted = heappop(self._ahead)[1]
            self._aborted.setdefault(aborted.producer_id, aborted)
