"""The local log as the quorum sees it: where it begins and ends, what of it is durable, its epochs and snapshots. No records.

Source: Apache's `RaftLog` and `KafkaRaftLog` (Q39-Q46).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.partition.epochs import LeaderEpochs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from barnabas.core.quorum.follower_position import LogView

TOPIC = "__cluster_metadata"
TOPIC_ID = bytes(15) + b"\x01"


class LogShape:
    """Changes when the quorum decides on a change, which is before the host has carried it out."""

    __slots__ = ("_epochs", "end_offset", "flushed_offset", "snapshots", "start_offset")

    def __init__(
        self, end_offset: int, epochs: Iterable[tuple[int, int]] = (), *, start_offset: int = 0, snapshots: Iterable[tuple[int, int]] = ()
    ) -> None:
        """All that was loaded is durable. `epochs`: (epoch, start offset); `snapshots`: (epoch, end offset), oldest first."""
        self.start_offset = start_offset
        self.end_offset = self.flushed_offset = end_offset
        self.snapshots = list(snapshots)
        self._epochs = LeaderEpochs()
        self._epochs.load(epochs)

    @property
    def last_epoch(self) -> int:
        """Of the last batch; of the snapshot that an empty log begins with; else 0 (Q46)."""
        latest = self._epochs.latest
        return max(latest, 0) if latest >= 0 or not self.snapshots else self.snapshots[-1][0]

    @property
    def position(self) -> tuple[int, int]:
        """What elections compare (Q22)."""
        return self.last_epoch, self.end_offset

    def begin_epoch(self, epoch: int) -> None:
        """The local replica leads `epoch` from here on."""
        self._epochs.assign(epoch, self.end_offset)

    def append(self, base_offset: int, end_offset: int, epoch: int) -> None:
        if base_offset < self.end_offset or end_offset <= base_offset:
            raise AssertionError(f"a batch of offsets {base_offset} to {end_offset} can't follow a log that ends at {self.end_offset}")
        self._epochs.assign(epoch, base_offset)
        self.end_offset = end_offset

    def truncate(self, end_offset: int) -> None:
        self.end_offset = end_offset
        self.flushed_offset = min(self.flushed_offset, end_offset)
        self._epochs.truncate_end(end_offset)

    def restart_at(self, epoch: int, end_offset: int) -> None:
        """A snapshot has taken the place of all that was there."""
        self.start_offset = self.end_offset = self.flushed_offset = end_offset
        self._epochs.clear()
        self.snapshots = [(epoch, end_offset)]

    def take_snapshot(self, epoch: int, end_offset: int) -> None:
        self.snapshots.append((epoch, end_offset))

    def move_start(self, start_offset: int) -> None:
        self.start_offset = start_offset
        self.flushed_offset = max(self.flushed_offset, start_offset)  # what went is in a snapshot, which is durable
        self._epochs.truncate_start(start_offset)
        self.snapshots = [snapshot for snapshot in self.snapshots if snapshot[1] >= start_offset]

    def view(self) -> LogView:
        """For `judge_position`, as the leader of whoever fetches."""
        from barnabas.core.quorum.follower_position import LogView

        return LogView(self.start_offset, self.end_offset, self.last_epoch, self.snapshots, self._end_of_epoch)

    def _end_of_epoch(self, epoch: int) -> tuple[int, int]:
        return self._epochs.end_offset_for(epoch, self.end_offset)

    def truncation_for(self, epoch: int, end_offset: int) -> int:
        """Where to cut when the leader's log has `epoch` end at `end_offset` (Q41)."""
        if epoch == 0:
            return min(end_offset, self.end_offset)
        known, local_end = self._end_of_epoch(epoch)
        if known < 0:
            known, local_end = self.last_epoch, self.end_offset
        elif self.snapshots and (known, local_end) == (epoch, self.snapshots[0][1]):
            known, local_end = self.snapshots[0]
        return min(local_end, end_offset) if known == epoch else local_end

    def has_snapshot(self, epoch: int, end_offset: int) -> bool:
        """Whether peers may have it: the bootstrap snapshot is nobody else's (Q40, D42)."""
        from barnabas.core.quorum.follower_position import BOOTSTRAP_SNAPSHOT

        return (epoch, end_offset) != BOOTSTRAP_SNAPSHOT and (epoch, end_offset) in self.snapshots
