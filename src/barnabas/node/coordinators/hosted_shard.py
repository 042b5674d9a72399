"""One shard on the coordinators' loop: loading its log in small steps, its timer, its writes, its answers.

Owns the shard's state as a host sees it (loading, active, failed, closed), which decides between COORDINATOR_LOAD_IN_PROGRESS and
NOT_COORDINATOR (W34). Everything here runs on the loop's thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.groups.shard import GroupShard
from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.core.groups.member_memory import MemberMemory
    from barnabas.core.groups.settings import GroupSettings
    from barnabas.node.coordinators.partition_log import PartitionLog
    from barnabas.node.loop import Loop, Timer
    from barnabas.wire.schema import Struct

    Reply = Callable[[Struct], None]
    Host = tuple[Loop, Callable[[], int], Callable[[], str], Callable[[str], object]]  # loop, clock, new ids, warnings

LOADING, ACTIVE, FAILED, CLOSED = "loading", "active", "failed", "closed"
LONGEST_TIMER_MS = 60_000


class HostedShard:
    """A partition of __consumer_offsets that this node leads. `epoch` is the leader epoch that it was loaded in."""

    def __init__(self, index: int, epoch: int, log: PartitionLog, settings: GroupSettings, host: Host, member_memory: MemberMemory) -> None:
        self.index = index
        self.epoch = epoch
        self.log = log
        self.state = LOADING
        self.shard: GroupShard
        self._settings = settings
        self._member_memory = member_memory
        self._loop, self._now_ms, self._new_id, self._warn = host
        self._timer: Timer | None = None
        self._timer_ms = 0
        self._flush_due = False
        self._waits_for_commit = False
        self._deleted_topics: list[tuple[str, bytes]] = []
        self._position = 0
        self._is_uncommitted = False  # what is loaded now
        self._started_ms = 0

    # Loading

    def load(self) -> None:
        """Begin to load. The end, or the failure, shows in `state`."""
        self.state = LOADING
        self.shard = GroupShard(self._settings, self.log, self._new_id, self._member_memory)
        self._position = self.log.start_offset
        self._is_uncommitted = False
        self._started_ms = self._now_ms()
        self._load_step(self.shard)

    def _load_step(self, shard: GroupShard) -> None:
        if self.state != LOADING or self.shard is not shard:
            return  # the leadership has gone meanwhile, or another load has begun
        self._loop.wake_others()
        try:
            moved = False
            for after, batch in self.log.read(self._position):
                moved = True
                if not self._is_uncommitted and after > self.log.committed_offset():
                    self._is_uncommitted = True
                    shard.load_uncommitted(self._position)
                for warning in shard.load_batch(batch, self._started_ms):
                    self._warn(f"__consumer_offsets-{self.index} {warning}")
                self._position = after
        except Exception as error:  # whatever it is: this partition can't be served until it is led anew (G6), the others can
            self.state = FAILED
            self._warn(f"__consumer_offsets-{self.index} can't be loaded at offset {self._position}: {error}; its groups have no coordinator")
            return
        if moved and self._position < self.log.end_offset:
            self._loop.call(self._load_step, shard)
            return
        self.state = ACTIVE
        shard.loaded(self.log.end_offset, self.log.committed_offset(), self._now_ms())
        for topic, topic_id in self._deleted_topics:
            shard.forget_topic(topic, topic_id, self._now_ms())
        self._deleted_topics.clear()
        self.after_step()

    def close(self) -> None:
        """The partition is led elsewhere now: everybody who waits is told."""
        if self.state == ACTIVE:
            self.shard.unload()
        self.state = CLOSED
        self._cancel_timer()
        self._deliver()

    @property
    def error(self) -> Error:
        """Why no call can be served; NONE if one can."""
        if self.state == ACTIVE:
            return Error.NONE
        return Error.COORDINATOR_LOAD_IN_PROGRESS if self.state == LOADING else Error.NOT_COORDINATOR

    # Working

    def after_step(self) -> None:
        """After each call to the shard: answers go out, records are written when the loop has nothing else in hand, the timer is set."""
        if self._flush_due:
            return  # it comes next, and sees to all of this once for many calls
        if self.shard.has_unwritten:
            self._flush_due = True
            self._loop.call(self._flush)
            return
        self._deliver()
        self._watch_commit()
        self._set_timer()

    def forget_topic(self, topic: str, topic_id: bytes) -> None:
        if self.state == ACTIVE:
            self.shard.forget_topic(topic, topic_id, self._now_ms())
            self.after_step()
        elif self.state == LOADING:
            self._deleted_topics.append((topic, topic_id))

    def clock_set(self, by_ms: int) -> None:
        if self.state == ACTIVE:
            self.shard.clock_set(by_ms)
            self._cancel_timer()
            self._set_timer()  # now: nobody may ask for this shard's groups for long

    def _flush(self) -> None:
        self._flush_due = False
        if self.state != ACTIVE:
            return
        self.shard.flush()
        if self.shard.out_of_step:
            self._warn(f"somebody else has written to __consumer_offsets-{self.index}; loading it anew")
            self.shard.unload()
            self._deliver()
            self._cancel_timer()
            self.load()
            return
        self.after_step()

    def _watch_commit(self) -> None:
        """Have ourselves called when the high watermark moves, as long as anything waits for that."""
        writes = self.shard.context.writes
        if self._waits_for_commit or writes.committed >= writes.written:
            return
        self._waits_for_commit = True
        self.log.partition.add_waiter(self, lambda: self._loop.call(self._high_watermark_moved))
        if self.log.committed_offset() > writes.committed:
            self._loop.call(self._high_watermark_moved)

    def _high_watermark_moved(self) -> None:
        self._waits_for_commit = False
        if self.state == ACTIVE:
            self.shard.committed(self.log.committed_offset(), self._now_ms())
            self.after_step()

    def _deliver(self) -> None:
        for reply, response in self.shard.take_replies():
            reply(response)  # type: ignore[operator]

    def _set_timer(self) -> None:
        at_ms = self.shard.next_deadline_ms()
        if at_ms is None or (self._timer is not None and self._timer_ms <= at_ms):
            return  # a timer that comes too early is set anew then
        self._cancel_timer()
        self._timer_ms = at_ms
        self._timer = self._loop.call_later(min(max(at_ms - self._now_ms(), 0), LONGEST_TIMER_MS), self._tick)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = None
        if self.state != ACTIVE:
            return
        try:
            self.shard.tick(self._now_ms())
        except Exception as failure:  # a fault of ours in one group: the timers of the others go on, at the next tick
            self._warn(f"a timer of __consumer_offsets-{self.index} failed: {failure!r}")
        self.after_step()
