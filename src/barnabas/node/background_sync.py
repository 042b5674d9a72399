"""Syncing the metadata log on a thread of its own: appends that come while the disk is busy share the next sync (O8, O9).

Owns that thread, and which end of the log it has made durable. The log is `metadata_files`'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.node.loop import Loop

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.node.metadata_files import MetadataFiles


class BackgroundSync:
    """`on_synced(end offset)`: all below is durable. It and `on_failure(error)` are called on `loop`, where everything here but the syncing itself happens."""

    __slots__ = ("_files", "_is_stopped", "_is_syncing", "_loop", "_on_failure", "_on_synced", "_thread")

    def __init__(self, files: MetadataFiles, loop: Loop, on_synced: Callable[[int], object], on_failure: Callable[[BaseException], object]) -> None:
        self._files = files
        self._loop = loop
        self._on_synced = on_synced
        self._on_failure = on_failure
        self._thread = Loop("metadata-sync", lambda error: loop.call(on_failure, error))
        self._is_syncing = self._is_stopped = False
        self._thread.start()
        self._thread.call(files.sync_epochs)
        self.want()

    def want(self) -> None:
        """Have what is appended synced. While a sync is running nothing is done: the next one takes it all."""
        if not self._is_syncing:
            self._is_syncing = True
            self._thread.call(self._sync, self._files.end_offset, self._files.truncations)

    def _sync(self, end_offset: int, truncations: int) -> None:
        try:
            self._files.sync()
        except Exception as error:
            self._loop.call(self._on_failure, error)
        else:
            self._loop.call(self._synced, end_offset, truncations)

    def _synced(self, end_offset: int, truncations: int) -> None:
        self._is_syncing = False
        if self._is_stopped:
            return
        if truncations != self._files.truncations:  # what stands there now may be something else
            self.want()
            return
        if self._files.end_offset > end_offset:
            self.want()
        self._on_synced(end_offset)

    def stop(self) -> None:
        """Let a running sync end, and begin none."""
        self._is_stopped = True
        self._thread.stop()
        self._thread.join(30)
