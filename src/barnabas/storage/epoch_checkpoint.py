"""`leader-epoch-checkpoint`, kept in step with the epochs that a replica knows (D73, D74). The format is `checkpoint_file`'s, the rules are `core`'s."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .checkpoint_file import LEADER_EPOCH, CheckpointError, create_checkpoint, read_leader_epochs, write_leader_epochs
from .errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .replica_state import Epochs
    from .segment import Appended


class EpochCheckpoint:
    """The file of one partition directory. `latest` is the epoch of the last append: the hot path compares with it.

    `stale`: loading the log has cut entries that the file still has; it would cut them again, so the file may wait for the next change.
    """

    __slots__ = ("_epochs", "directory", "latest", "stale")

    def __init__(self, directory: str, epochs: Epochs, stale: bool) -> None:
        self.directory = directory
        self._epochs = epochs
        self.latest = epochs.latest
        self.stale = stale

    def write(self, *, sync: bool = True) -> None:
        """Rewrite the file. Not synced after a truncation: an entry too many is cut when the log is loaded again. Raises StorageError."""
        path = f"{self.directory}/{LEADER_EPOCH}"
        try:
            write_leader_epochs(path, self._epochs.entries, sync=sync)
        except OSError as error:
            raise StorageError.of(path, "could not write the leader epochs", error) from error
        self.latest = self._epochs.latest
        self.stale = False

    def note(self, batches: Sequence[Appended]) -> None:
        """Followers learn epochs from what they append; leaders have announced theirs. Raises StorageError."""
        changed = False
        for batch in batches:
            if batch[5] >= 0 and batch[5] != self._epochs.latest:
                changed = self._epochs.assign(batch[5], batch[1]) or changed
        if changed:
            self.write()
        self.latest = self._epochs.latest

    def truncate_start(self, offset: int) -> None:
        """A full disk only puts the writing off, or nothing could be deleted to make room: loading cuts the same entries again. Raises StorageError."""
        if self._epochs.truncate_start(offset):
            try:
                self.write(sync=False)
            except StorageError as error:
                if error.offline:
                    raise
                self.stale = True

    def truncate_end(self, offset: int) -> None:
        """Raises StorageError."""
        if self._epochs.truncate_end(offset):
            self.write(sync=False)

    def clear(self) -> None:
        """Raises StorageError."""
        if self._epochs.clear():
            self.write(sync=False)


def load_epochs(directory: str, epochs: Epochs) -> bool:
    """Read the file, which is made if it is missing. Whether it said something: junk counts as nothing (O13, where Apache fails the directory: D76).

    Raises OSError.
    """
    path = f"{directory}/{LEADER_EPOCH}"
    create_checkpoint(path)
    try:
        entries = read_leader_epochs(path)
    except CheckpointError:
        entries = []
    if any(epoch < 0 or start < 0 for epoch, start in entries):
        entries = []
    epochs.load(entries)
    return bool(entries)
