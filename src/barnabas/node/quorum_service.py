"""What other nodes ask the metadata quorum: Vote, BeginQuorumEpoch, EndQuorumEpoch, Fetch, FetchSnapshot, changes of voters.

Owns whose answer is whose, and reads into the answers what `core.quorum` leaves to its host: records, and pieces of snapshots. What is answered, and
when, is decided there. Everything here runs on the control thread.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from barnabas.core.quorum.peer_events import Read, ReadSnapshot, Reply, Request
from barnabas.storage.metadata_snapshot import SnapshotId
from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.core.quorum.events import Effect
    from barnabas.node.call import Call
    from barnabas.node.metadata_log import MetadataLog
    from barnabas.wire.schema import Message


def handle(request: Message, call: Call) -> None:
    """Serve one of these requests; what they need and mean stands with their messages, and in `core.quorum.requests`."""
    call.node.controller.ask_quorum(request, call.version, call.reply)


class QuorumService:
    """One a node."""

    __slots__ = ("_last_key", "_log", "_waiting")

    def __init__(self, log: MetadataLog) -> None:
        self._log = log
        self._last_key = 0
        self._waiting: dict[int, Callable[[Message], object]] = {}
        log.on_reply = self._reply

    def ask(self, request: Message, version: int, reply: Callable[[Message], object]) -> None:
        """`reply` is called once, now or when there is something to tell."""
        self._last_key += 1
        self._waiting[self._last_key] = reply
        self._log.happen(Request(self._last_key, request, version))

    def _reply(self, answer: Effect) -> None:
        assert isinstance(answer, Reply)
        response: Any = answer.message
        if isinstance(answer.read, Read):
            response.responses[0].partitions[0].records = self._log.read(*answer.read)
        elif answer.read is not None:
            self._read_snapshot(response.topics[0].partitions[0], answer.read)
        self._waiting.pop(answer.key)(answer.message)

    def _read_snapshot(self, row: Any, read: ReadSnapshot) -> None:
        with open(self._log.snapshots.path(SnapshotId(*read.snapshot)), "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            if read.position >= size:
                row.error_code, row.position = Error.POSITION_OUT_OF_RANGE, 0
            else:
                row.size, row.unaligned_records = size, os.pread(file.fileno(), read.max_bytes, read.position)
