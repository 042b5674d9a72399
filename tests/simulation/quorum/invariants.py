"""What must be so after every step, one checker each. A Violation names the seed's failure in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

from barnabas.core.quorum.events import AppendControl, BecameLeader, HighWatermark, Persist
from barnabas.core.quorum.peer_events import Contradiction, Reply, Send, Truncate
from barnabas.core.quorum.voters import VoterSet
from barnabas.wire.logs.raft import VotersRecord
from barnabas.wire.messages.vote import VoteRequest, VoteResponse
from tests.simulation.failures import Violation

from .disk import controls_of

if TYPE_CHECKING:
    from barnabas.core.quorum.events import Effect

    from .disk import Batch
    from .node import Node


class Invariants:
    """Sees everything at once, as no node can."""

    def __init__(self) -> None:
        self._leaders: dict[int, tuple[int, int]] = {}
        self._votes: dict[tuple[int, bytes, int], int] = {}
        self._batches: dict[tuple[int, int], tuple[int, int, int]] = {}
        self._committed: list[tuple[int, int, int, int]] = []
        self._by_end: dict[int, int] = {}
        self._seen_high_watermark: dict[tuple[int, int], int] = {}
        self._next_committed: dict[tuple[int, int], int] = {}

    @property
    def committed_end(self) -> int:
        return self._committed[-1][1] if self._committed else 0

    def check(self, node: Node, effect: Effect, nodes: dict[int, Node]) -> None:
        """`effect` has just been carried out by `node`."""
        if isinstance(effect, BecameLeader):
            self._one_leader_an_epoch(node, effect)
            self._a_leader_has_all_that_is_committed(node)
        elif isinstance(effect, Persist):
            self._one_vote_an_epoch(node, effect.election.epoch, effect.election.voted_id)
        elif isinstance(effect, HighWatermark):
            self._high_watermark_rises(node, effect.offset)
            self._committed_never_changes(node, effect.offset)
            self._committed_is_durable_on_a_majority(node, effect.offset, nodes)
        elif isinstance(effect, Truncate):
            self._voters_are_those_of_the_log(node)
        elif isinstance(effect, Send):
            self._what_is_told_is_durable(node, effect)
        elif isinstance(effect, AppendControl):
            self._one_change_of_voters_at_a_time(node, effect)
        elif isinstance(effect, Contradiction):
            raise Violation(f"node {node.id}: {effect.text}")

    def promised(self, node: Node, effect: Reply, epoch: int, candidate_id: int) -> None:
        """A vote is told to a candidate: it must be on disk, and be the only one."""
        message = effect.message
        if isinstance(message, VoteResponse) and message.topics and message.topics[0].partitions[0].vote_granted:
            self._one_vote_an_epoch(node, epoch, candidate_id)
            stored = node.disk.election
            if stored is None or (stored.epoch, stored.voted_id) != (epoch, candidate_id):
                raise Violation(f"node {node.id} tells {candidate_id} of a vote in epoch {epoch}, but has stored {stored}")

    def _what_is_told_is_durable(self, node: Node, effect: Send) -> None:
        message = effect.message
        if isinstance(message, VoteRequest) and not message.topics[0].partitions[0].pre_vote:
            stored = node.disk.election
            epoch = message.topics[0].partitions[0].replica_epoch
            if stored is None or (stored.epoch, stored.voted_id) != (epoch, node.id):
                raise Violation(f"node {node.id} stands for election in epoch {epoch}, but has stored {stored}")

    def _voters_are_those_of_the_log(self, node: Node) -> None:
        """Uncommitted ones too, and no others (Q51)."""
        records = [record for batch in node.disk.batches for _, record in controls_of(batch) if isinstance(record, VotersRecord)]
        voters = VoterSet.from_record(records[-1]) if records else node.disk.snapshots[-1].voters if node.disk.snapshots else node.static_voters
        if node.quorum.voters.ids != voters.ids:
            raise Violation(f"node {node.id} counts on the voters {node.quorum.voters.ids}, but its log names {voters.ids}")

    def _one_leader_an_epoch(self, node: Node, effect: BecameLeader) -> None:
        who = (node.id, node.incarnation)
        if self._leaders.setdefault(effect.epoch, who) != who:
            raise Violation(f"epoch {effect.epoch} has two leaders, {self._leaders[effect.epoch]} and {who}")

    def _a_leader_has_all_that_is_committed(self, node: Node) -> None:
        if not self._committed:
            return
        base, end, epoch, _ = self._committed[-1]
        holds = any(batch[:3] == (base, end, epoch) for batch in node.disk.batches) or node.disk.start_offset >= end
        if not holds:
            raise Violation(f"node {node.id} leads without the committed batch {base}-{end} of epoch {epoch}; its log ends at {node.disk.end_offset}")

    def _one_vote_an_epoch(self, node: Node, epoch: int, voted_id: int) -> None:
        key = (node.id, node.disk.directory_id, epoch)
        if voted_id >= 0 and self._votes.setdefault(key, voted_id) != voted_id:
            raise Violation(f"node {node.id} votes for {voted_id} in epoch {epoch}, and voted for {self._votes[key]}")

    def appended(self, node: Node, batch: Batch) -> None:
        """Logs that agree on one batch agree on everything before it."""
        before = max((other for other in node.disk.batches if other.end_offset <= batch.base_offset), default=None)
        previous = -1 if before is None else before.epoch
        found = (batch.end_offset, crc32(batch.data), previous)
        known = self._batches.setdefault((batch.base_offset, batch.epoch), found)
        if known[:2] != found[:2] or -1 != known[2] != previous != -1:
            raise Violation(f"node {node.id}: the batch at {batch.base_offset} of epoch {batch.epoch} is {found}, elsewhere it is {known}")

    def _high_watermark_rises(self, node: Node, offset: int) -> None:
        key = (node.id, node.incarnation)
        if offset <= self._seen_high_watermark.get(key, -1):
            raise Violation(f"node {node.id}: the high watermark goes from {self._seen_high_watermark[key]} to {offset}")
        if offset > node.disk.end_offset:
            raise Violation(f"node {node.id}: the high watermark {offset} is beyond the log's end {node.disk.end_offset}")
        self._seen_high_watermark[key] = offset

    def _committed_never_changes(self, node: Node, offset: int) -> None:
        key = (node.id, node.incarnation)
        checked = self._next_committed.get(key, 0)
        for batch in node.disk.batches:
            if batch.end_offset <= checked or batch.end_offset > offset:
                continue
            row = (batch.base_offset, batch.end_offset, batch.epoch, crc32(batch.data))
            place = self._by_end.get(batch.end_offset)
            if place is not None and self._committed[place] != row:
                raise Violation(f"node {node.id} commits {row}, but {self._committed[place]} is committed")
            if place is None:
                if batch.base_offset < self.committed_end:
                    raise Violation(f"node {node.id} commits {row} inside of what is committed up to {self.committed_end}")
                self._by_end[batch.end_offset] = len(self._committed)
                self._committed.append(row)
        self._next_committed[key] = offset

    def _committed_is_durable_on_a_majority(self, node: Node, offset: int, nodes: dict[int, Node]) -> None:
        """Of the voters in force at its leader: whatever happens now, it can't be lost."""
        if not node.quorum.is_leader:
            return
        epoch = next((batch.epoch for batch in node.disk.batches if batch.end_offset == offset), None)
        if epoch is None:
            return
        if epoch != node.quorum.epoch:
            raise Violation(f"node {node.id} leads epoch {node.quorum.epoch} and commits {offset} of epoch {epoch} by counting")
        voters = node.quorum.voters.by_id.values()
        holders = [
            voter.id
            for voter in voters
            if voter.id in nodes
            for disk in nodes[voter.id].disks
            if voter.directory_id in (bytes(16), disk.directory_id) and disk.is_durable(offset, epoch)
        ]
        if len(holders) <= len(voters) // 2:
            raise Violation(f"node {node.id} commits {offset} of epoch {epoch}, durable on {holders} of the voters {[v.id for v in voters]}")

    def _one_change_of_voters_at_a_time(self, node: Node, effect: AppendControl) -> None:
        """Two sets may be in force at once only if each majority of one meets each majority of the other (Q47)."""
        voters = [record for record in effect.records if isinstance(record, VotersRecord)]
        if not voters or node.voters_before is None:
            return
        offset, before = node.voters_before
        after = {voter.voter_id for voter in voters[-1].voters}
        if len(after ^ set(before)) > 1:
            raise Violation(f"node {node.id} goes from the voters {sorted(before)} to {sorted(after)} in one step")
        if after != set(before) and offset >= self.committed_end:
            raise Violation(f"node {node.id} changes the voters to {sorted(after)} before those at {offset} are committed")
