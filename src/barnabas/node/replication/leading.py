"""What a Partition has more when this node leads it and other nodes have replicas of it: how far they are, and who waits for them.

Owns who waits for a commit (acks=all), for the replicas' log starts (DeleteRecords) and for the log's end (followers' fetches). The rules are
`core.partition.leadership`'s. Everything but what a waiter does happens under the partition's lock: methods return the waiters whose time has come, as calls
that the partition makes once it has let go of the lock. Source: Partition, DelayedProduce, DelayedDeleteRecords of 4.3.1; R20-R33.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from barnabas.core.partition.leadership import Leadership
from barnabas.node.call import steady_ms
from barnabas.wire.errors import Error
from barnabas.wire.records.validation import InvalidBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from barnabas.core.fetch_sessions import PartitionKey
    from barnabas.core.metadata.partition import Partition as Registration
    from barnabas.core.metadata.registration import Broker
    from barnabas.core.partition.leadership import Outcome, Proposal
    from barnabas.node.partition import Partition
    from barnabas.node.replication.follower_fetch import FollowerWatch

    Wake = Callable[[], object]


class Cluster(Protocol):
    """The other nodes, as far as a leader must know of them."""

    @property
    def broker_id(self) -> int: ...
    @property
    def brokers(self) -> Mapping[int, Broker]: ...
    @property
    def max_lag_ms(self) -> int: ...
    def propose(self, partition: Partition, proposal: Proposal) -> object:
        """Ask the controller for another in-sync set. From any thread."""


class Commit(Protocol):
    """Somebody who waits until records are on all replicas that are in sync."""

    @property
    def is_settled(self) -> bool:
        """It waits no longer."""

    def place(self, base_offset: int, append_time_ms: int) -> object:
        """Where its records are, or will be. Under the partition's lock."""

    def settle(self, error: Error) -> object:
        """NONE: they are. From any thread, without a lock; a second call does nothing."""


class Leading:
    __slots__ = ("_cluster", "_commits", "_end_offset", "_lows", "_partition", "end_waiters", "state", "watches")

    def __init__(self, partition: Partition, cluster: Cluster, min_isr: int) -> None:
        self._partition = partition
        self._cluster = cluster
        self.state = Leadership(cluster.broker_id, min_isr, cluster.max_lag_ms)
        self._commits: deque[tuple[int, Commit]] = deque()  # by where their records end
        self._lows: list[tuple[int, Callable[[int, Error], object]]] = []
        self.end_waiters: dict[object, Wake] = {}  # followers without a session
        self.watches: dict[int, tuple[FollowerWatch, PartitionKey]] = {}  # by follower: where to note that there is news for it
        self._end_offset = partition.log.end_offset  # before the latest write

    def lead(self, registration: Registration) -> tuple[bool, list[Wake]]:
        """The metadata says that this node leads, by `registration`. Whether a new leader epoch begins; then the waiters that it concerns."""
        self.state.max_lag_ms = self._cluster.max_lag_ms
        before = self.state.isr
        is_new = self.state.lead(registration, self._partition.log.end_offset, steady_ms())
        if is_new or before - self.state.isr:  # who was taken out is to come by again if it can
            self.note_records()
        woken = self.advance()
        self._propose_all()
        return is_new, woken

    def require_in_sync(self) -> None:
        """Raise InvalidBatch when a write with acks=all would find too few replicas (R27)."""
        state = self.state
        if state.is_under_min_isr:
            raise InvalidBatch(
                Error.NOT_ENOUGH_REPLICAS,
                f"{self._partition!r} has {len(state.isr)} replicas in sync; min.insync.replicas asks for {state.effective_min_isr}",
            )

    # What happens to the log

    def written(self) -> list[Wake]:
        """The log has grown. Whoever had all of it until now was caught up until now: it isn't asked for what it has again and again."""
        now_ms, before = steady_ms(), self._end_offset
        for follower in self.state.followers.values():
            if follower.end_offset >= before:
                follower.caught_up_ms = max(follower.caught_up_ms, now_ms)
        self._end_offset = self._partition.log.end_offset
        self.note_records()
        if not self.end_waiters:
            return self.advance()
        waiters, self.end_waiters = self.end_waiters, {}
        return [*waiters.values(), *self.advance()]

    def fetched(self, replica: int, broker_epoch: int, offset: int, start_offset: int) -> tuple[bool, list[Wake]]:
        """A follower asks for records from `offset` on. Whether it is one; then the waiters that it concerns."""
        partition, state, brokers = self._partition, self.state, self._cluster.brokers
        end_offset = partition.log.end_offset
        follower = state.followers.get(replica)
        before = -1 if follower is None else follower.end_offset
        if not state.fetched(replica, offset, start_offset, steady_ms(), end_offset, broker_epoch, brokers):
            return False, []
        woken = self._lows_reached() if self._lows else []
        if replica not in state.isr:
            self._propose(state.proposal_to_add(replica, partition.high_watermark, self._own_epoch, brokers))
        return True, woken + self.advance() if before != offset else woken

    def shrink(self) -> list[Wake]:
        """Have those leave the in-sync set who haven't been caught up for long. To be called each half of replica.lag.time.max.ms."""
        self.state.max_lag_ms = self._cluster.max_lag_ms
        self._propose(self.state.proposal_to_remove(self._partition.log.end_offset, steady_ms(), self._own_epoch))
        return self.advance()

    def brokers_changed(self) -> list[Wake]:
        """Brokers came, went, or were fenced: somebody who couldn't join may now, and those who are gone aren't waited for."""
        woken = [*(self._lows_reached() if self._lows else []), *self.advance()]
        self._propose_all()
        return woken

    def answered(self, proposal: Proposal, outcome: Outcome) -> tuple[bool, list[Wake]]:
        """The controller's answer. Whether to ask the same again; then the waiters that it concerns."""
        again = self.state.answered(proposal, outcome)
        woken = self.advance()  # first: who has just left is behind then
        if outcome.error is Error.NONE:
            self._propose_all()
        return again, woken

    def _propose_all(self) -> None:
        """Who may join, but couldn't be proposed so far: a follower that has everything doesn't come by again before there is something new. Whoever is
        late, and was just removed for that, joins by fetching.
        """
        partition, state = self._partition, self.state
        end_offset, now_ms = partition.log.end_offset, steady_ms()
        for replica, follower in state.followers.items():
            if replica not in state.isr and follower.is_caught_up(end_offset, now_ms, state.max_lag_ms):
                self._propose(state.proposal_to_add(replica, partition.high_watermark, self._own_epoch, self._cluster.brokers))

    def note_records(self) -> None:
        """There is something that followers are to learn of at once."""
        for replica, (watch, key) in list(self.watches.items()):
            if watch.is_closed:
                del self.watches[replica]
            else:
                watch.note_records(key)

    def advance(self) -> list[Wake]:
        """Move the high watermark as far as it goes; the waiters for that."""
        partition, state = self._partition, self.state
        before = partition.high_watermark
        after = state.committed_to(before, partition.log.end_offset, steady_ms(), self._cluster.brokers)
        if after == before:
            return []
        partition.high_watermark = after
        for watch, key in self.watches.values():
            watch.note_high_watermark(key)
        waiters, partition.waiters = partition.waiters, {}
        woken: list[Wake] = []
        commits = self._commits
        while commits and (error := state.outcome_of_write(commits[0][0], after)) is not None:
            woken.append(_settling(commits.popleft()[1], error))
        woken += waiters.values()
        return woken

    def _propose(self, proposal: Proposal | None) -> None:
        if proposal is not None:
            self._cluster.propose(self._partition, proposal)

    @property
    def _own_epoch(self) -> int:
        own = self._cluster.brokers.get(self._cluster.broker_id)
        return -1 if own is None else own.epoch

    # Who waits

    def await_commit(self, end_offset: int, commit: Commit) -> list[Wake]:
        """Settle `commit` once the high watermark is at `end_offset`. Offsets mostly come in order: one behind its time waits a little longer."""
        error = self.state.outcome_of_write(end_offset, self._partition.high_watermark)
        if error is not None:
            return [_settling(commit, error)]
        commits = self._commits
        if commits and commits[-1][0] > end_offset:
            self._commits = deque(sorted([*commits, (end_offset, commit)], key=_first))
        else:
            commits.append((end_offset, commit))
        return []

    def refuse_from(self, offset: int, error: Error) -> list[Wake]:
        """Records from `offset` on could not be written."""
        refused = [commit for end_offset, commit in self._commits if end_offset > offset]
        self._commits = deque(entry for entry in self._commits if entry[0] <= offset)
        return [_settling(commit, error) for commit in refused]

    def forget_settled(self) -> None:
        """Let go of those who gave up."""
        self._commits = deque(entry for entry in self._commits if not entry[1].is_settled)

    def await_low_watermark(self, offset: int, call: Callable[[int, Error], object]) -> list[Wake]:
        """Call `call(low watermark, NONE)` once every live replica's log starts at `offset` or behind."""
        self.note_records()
        self._lows.append((offset, call))
        return self._lows_reached()

    # Nearer replicas

    def nearest_replica(self, offset: int, rack: str) -> int | None:
        """In a consumer's rack, in sync and with what it wants to read: the one that is furthest (KIP-392). None when the leader is as near."""
        brokers = self._cluster.brokers
        own = brokers.get(self._cluster.broker_id)
        if own is not None and own.rack == rack:
            return None
        near = [
            (follower.end_offset, follower.caught_up_ms, follower.id)
            for follower in list(self.state.followers.values())
            if follower.id in self.state.isr
            and follower.start_offset <= offset <= follower.end_offset
            and (broker := brokers.get(follower.id)) is not None
            and broker.rack == rack
            and not broker.fenced
        ]
        return max(near)[2] if near else None

    def low_watermark(self) -> int:
        return self.state.low_watermark(self._partition.log.start_offset, self._cluster.brokers)

    def _lows_reached(self) -> list[Wake]:
        low = self.low_watermark()
        reached = [call for offset, call in self._lows if offset <= low]
        if reached:
            self._lows = [entry for entry in self._lows if entry[0] > low]
        return [_reaching(call, low, Error.NONE) for call in reached]

    def end(self) -> list[Wake]:
        """Somebody else leads now: whoever waits is told."""
        woken: list[Wake] = [_settling(commit, Error.NOT_LEADER_OR_FOLLOWER) for _, commit in self._commits]
        woken += [_reaching(call, -1, Error.NOT_LEADER_OR_FOLLOWER) for _, call in self._lows]
        woken += self.end_waiters.values()
        self.note_records()
        self.watches.clear()
        self._commits.clear()
        self._lows, self.end_waiters = [], {}
        return woken


def _first(entry: tuple[int, Commit]) -> int:
    return entry[0]


def _settling(commit: Commit, error: Error) -> Wake:
    return lambda: commit.settle(error)


def _reaching(call: Callable[[int, Error], object], low_watermark: int, error: Error) -> Wake:
    return lambda: call(low_watermark, error)
