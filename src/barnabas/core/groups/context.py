"""What the parts of a shard share: the durable tables, the timers, the writes and the answers on their way out. Owns no rules of the protocol."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from barnabas.core.groups.classic_group import EMPTY, ClassicGroup
from barnabas.core.groups.deadlines import Deadlines
from barnabas.core.groups.modern_group import ModernGroup
from barnabas.core.groups.offsets import Offsets
from barnabas.core.groups.writes import Waiter, Write, Writes
from barnabas.core.timeline import SnapshotRegistry, TimelineDict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from barnabas.core.groups.member_memory import MemberMemory
    from barnabas.core.groups.records import GroupLogRecord
    from barnabas.core.groups.settings import GroupSettings
    from barnabas.core.groups.writes import CoordinatorLog
    from barnabas.wire.errors import Error
    from barnabas.wire.schema import Struct

Group = ClassicGroup | ModernGroup


class Caller(NamedTuple):
    """Who sends a request. `client_host` as group records have it: a slash, then the address."""

    client_id: str
    client_host: str
    version: int


class Refused(Exception):
    """A request that can't be served; the error code goes into its answer."""

    def __init__(self, error: Error, message: str | None = None) -> None:
        super().__init__(message or error.name)
        self.error = error
        self.message = message


class Context:
    """The inside of one shard. `now_ms` is the time of the step that is being taken."""

    __slots__ = ("deadlines", "groups", "member_memory", "new_id", "now_ms", "offsets", "replies", "settings", "snapshots", "writes")

    def __init__(
        self,
        settings: GroupSettings,
        log: CoordinatorLog,
        new_id: Callable[[], str],
        replay: Callable[[Context, GroupLogRecord, int], None],
        member_memory: MemberMemory,
    ) -> None:
        self.settings = settings
        self.member_memory = member_memory
        self.new_id = new_id  # a random UUID as text
        self.now_ms = 0
        self.snapshots = SnapshotRegistry()
        self.groups: TimelineDict[str, Group] = TimelineDict(self.snapshots)
        self.offsets = Offsets(self.snapshots)
        self.deadlines = Deadlines()
        self.replies: list[tuple[object, Struct]] = []
        limits = {"max_bytes": settings.max_batch_bytes, "timeout_ms": settings.offsets_commit_timeout_ms}
        self.writes = Writes(log, self.snapshots, partial(replay, self), self.reply, **limits)

    def reply(self, waiter: Waiter, response: Struct) -> None:
        """Answer a request, unless it has been answered."""
        if not waiter.answered:
            waiter.answered = True
            self.replies.append((waiter.token, response))

    def write(self, write: Write) -> None:
        self.writes.submit(write, self.now_ms)

    def write_soft(self, records: Sequence[GroupLogRecord]) -> None:
        """Write the record of a group whose state has changed already, with nobody waiting for it."""
        if records:
            self.write(Write(records, replay=False))

    def classic_group(self, group_id: str) -> ClassicGroup | None:
        group = self.groups.current.get(group_id)
        return group if isinstance(group, ClassicGroup) else None

    def make_classic_group(self, group_id: str) -> ClassicGroup:
        group = ClassicGroup(group_id, EMPTY, self.now_ms)
        self.groups[group_id] = group
        return group
