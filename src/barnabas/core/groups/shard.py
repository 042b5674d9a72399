"""One partition of __consumer_offsets: every call that its groups answer, as a state machine (G1-G21).

A call takes the request, the host's token for the answer, and the time; answers come out of `take_replies`, in order, for this call or
for others that waited. Records go to the log that the shard was given, when `flush` says that no more work is at hand. The host calls
`tick` when `next_deadline_ms` has come, `committed` when the high watermark has risen, and loads the log before the first call.
Nothing here knows of threads, sockets or clocks.

Source: KIP-62, 345, 394, 447, 559, 709, 800, 814; the behaviour of Apache's GroupMetadataManager and CoordinatorRuntime.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.groups import administering, committing, expiring, fetching, joining, leaving, loading, rebalancing, syncing
from barnabas.core.groups.classic_group import ClassicGroup
from barnabas.core.groups.context import Context
from barnabas.core.groups.member_memory import MemberMemory
from barnabas.core.groups.writes import Waiter
from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from barnabas.core.groups.context import Caller
    from barnabas.core.groups.settings import GroupSettings
    from barnabas.core.groups.writes import CoordinatorLog
    from barnabas.wire.messages.describe_groups import DescribeGroupsResponse
    from barnabas.wire.messages.heartbeat import HeartbeatRequest
    from barnabas.wire.messages.join_group import JoinGroupRequest
    from barnabas.wire.messages.leave_group import LeaveGroupRequest
    from barnabas.wire.messages.list_groups import ListGroupsResponse
    from barnabas.wire.messages.offset_commit import OffsetCommitRequest
    from barnabas.wire.messages.offset_delete import OffsetDeleteRequest
    from barnabas.wire.messages.offset_fetch import OffsetFetchRequest
    from barnabas.wire.messages.sync_group import SyncGroupRequest
    from barnabas.wire.schema import Struct


class GroupShard:
    """The groups of one partition. `new_id` makes a random UUID as text; `member_memory` is shared with the other shards."""

    __slots__ = ("context",)

    def __init__(self, settings: GroupSettings, log: CoordinatorLog, new_id: Callable[[], str], member_memory: MemberMemory | None = None) -> None:
        self.context = Context(settings, log, new_id, loading.replay, member_memory or MemberMemory())

    # Life

    def load_batch(self, batch: bytes | bytearray | memoryview, now_ms: int) -> list[str]:
        """Replay one batch of the log; warnings about skipped records. DecodeError: the partition can't be served (G6)."""
        self.context.now_ms = now_ms
        return loading.load_batch(self.context, batch)

    def load_uncommitted(self, offset: int) -> None:
        """The batches from `offset` on aren't committed. At most once, between two calls of `load_batch`."""
        self.context.writes.load_uncommitted(offset)

    def loaded(self, end_offset: int, committed: int, now_ms: int) -> None:
        """The log has been replayed up to `end_offset`; from now on calls are taken."""
        self.context.now_ms = now_ms
        self.context.writes.start(end_offset, committed)
        loading.finish_loading(self.context)
        expiring.arm_expiry(self.context)

    def unload(self) -> None:
        """The partition is led elsewhere, or can't be written: every waiting call is answered NOT_COORDINATOR."""
        context = self.context
        context.deadlines.clear()
        for group in context.groups.current.values():
            if isinstance(group, ClassicGroup):
                rebalancing.abandon(context, group, Error.NOT_COORDINATOR)
        context.writes.fail(Error.NOT_COORDINATOR)

    def next_deadline_ms(self) -> int | None:
        """When `tick` has something to do, at the earliest; None if never."""
        first, second = self.context.deadlines.next_ms(), self.context.writes.next_deadline_ms()
        if first is None or second is None:
            return second if first is None else first
        return min(first, second)

    def tick(self, now_ms: int) -> None:
        """Act on the deadlines that have come."""
        self.context.now_ms = now_ms
        self.context.deadlines.run(now_ms)
        self.context.writes.expire(now_ms)

    def clock_set(self, by_ms: int) -> None:
        """The host's clock has jumped: sessions and timeouts don't."""
        self.context.deadlines.shift(by_ms)
        self.context.writes.shift(by_ms)

    def flush(self) -> None:
        """Append what has been written. Its answers come with `committed`, or here if that was at once."""
        self.context.writes.flush()

    def committed(self, offset: int, now_ms: int) -> None:
        """The high watermark is `offset` now."""
        self.context.now_ms = now_ms
        self.context.writes.advance(offset)

    @property
    def has_unwritten(self) -> bool:
        return self.context.writes.has_batch

    @property
    def out_of_step(self) -> bool:
        """Somebody else has written to the partition: unload, and load anew."""
        return self.context.writes.out_of_step

    def take_replies(self) -> list[tuple[object, Struct]]:
        """(token, answer) of each call that has been answered since the last time."""
        replies, self.context.replies = self.context.replies, []
        return replies

    # Members

    def join_group(self, request: JoinGroupRequest, caller: Caller, token: object, now_ms: int) -> None:
        self.context.now_ms = now_ms
        joining.join_group(self.context, request, caller, Waiter(token))

    def sync_group(self, request: SyncGroupRequest, token: object, now_ms: int) -> None:
        self.context.now_ms = now_ms
        syncing.sync_group(self.context, request, Waiter(token))

    def heartbeat(self, request: HeartbeatRequest, token: object, now_ms: int) -> None:
        self.context.now_ms = now_ms
        syncing.heartbeat(self.context, request, Waiter(token))

    def leave_group(self, request: LeaveGroupRequest, token: object, now_ms: int) -> None:
        self.context.now_ms = now_ms
        leaving.leave_group(self.context, request, Waiter(token))

    # Offsets

    def commit_offsets(self, request: OffsetCommitRequest, version: int, token: object, now_ms: int) -> None:
        self.context.now_ms = now_ms
        committing.commit_offsets(self.context, request, version, Waiter(token))

    def fetch_offsets(self, request: OffsetFetchRequest.Group, require_stable: bool, version: int, token: object, now_ms: int) -> None:
        self.context.now_ms = now_ms
        fetching.fetch_offsets(self.context, request, require_stable, version, Waiter(token))

    def delete_offsets(self, request: OffsetDeleteRequest, token: object, now_ms: int) -> None:
        self.context.now_ms = now_ms
        committing.delete_offsets(self.context, request, Waiter(token))

    def forget_topic(self, topic: str, topic_id: bytes, now_ms: int) -> None:
        """The topic has been deleted."""
        self.context.now_ms = now_ms
        expiring.forget_topic(self.context, topic, topic_id)

    # Administration

    def describe_groups(self, group_ids: Sequence[str], version: int) -> list[DescribeGroupsResponse.DescribedGroup]:
        return administering.describe_groups(self.context, group_ids, version)

    def list_groups(self, states: Sequence[str], types: Sequence[str]) -> list[ListGroupsResponse.ListedGroup]:
        return administering.list_groups(self.context, states, types)

    def delete_groups(self, group_ids: Sequence[str], token: object, now_ms: int) -> None:
        """The answer is a DeleteGroupsResponse for these groups."""
        self.context.now_ms = now_ms
        administering.delete_groups(self.context, group_ids, Waiter(token))
