"""Leaders and followers of one partition against a plain model of the controller: whatever is lost, delayed, killed and elected, what was committed stays.

The replicas' state machines are the real ones (`core.partition`); their logs are lists in memory, and so are the messages between them. A history is what
`Random(seed)` chooses; a failure names its seed.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

import pytest

from barnabas.core.metadata.partition import Partition
from barnabas.core.metadata.registration import Broker
from barnabas.core.partition.epochs import LeaderEpochs
from barnabas.core.partition.following import Append, AskOffsets, Following, LogEnd, Position, StartAt, TruncateTo
from barnabas.core.partition.leadership import Leadership, Outcome, Proposal
from barnabas.wire.errors import Error

SEEDS, STEPS = 120, 700
IDS = (1, 2, 3)
LAG_MS, BACKOFF_MS = 1000, 100
Record = tuple[int, int]  # epoch, value


class Answer(NamedTuple):
    asked: Position
    error: Error
    diverging: tuple[int, int] | None = None
    records: tuple[Record, ...] = ()
    high_watermark: int = -1


class Replica:
    def __init__(self, broker_id: int) -> None:
        self.id = broker_id
        self.log: list[Record] = []
        self.epochs = LeaderEpochs()
        self.high_watermark = 0
        self.checkpoint = 0
        self.broker_epoch = broker_id
        self.leading: Leadership | None = None
        self.following: Following | None = None
        self.leader = -1
        self.partition_epoch = -1
        self.alive = True
        self.answers: list[Answer] = []  # on their way to it

    @property
    def end(self) -> LogEnd:
        return LogEnd(len(self.log), self.epochs)

    def cut(self, offset: int) -> None:
        del self.log[offset:]
        self.epochs.truncate_end(offset)
        self.high_watermark = min(self.high_watermark, offset)


class History:
    """One partition, its three replicas, the controller; each method below `step` is something that happens."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.min_isr = self.random.choice((1, 2))
        self.registration = Partition(1, 0, IDS, IDS, 0, (b"",) * len(IDS))
        self.registered = {broker_id: broker_id for broker_id in IDS}  # broker epochs
        self.next_epoch = 100
        self.fenced: set[int] = set()
        self.replicas = {broker_id: Replica(broker_id) for broker_id in IDS}
        self.now_ms, self.value, self.truncations = 0, 0, 0
        self.committed: list[Record] = []
        self.proposals: list[tuple[int, Proposal]] = []

    def step(self) -> None:
        replica = self.replicas[self.random.choice(IDS)]
        happens = (self.learn, self.fetch, self.receive, self.write, self.checkpoint, self.lose, self.crash, self.start, self.fence, self.unfence)
        what = self.random.choices((*happens, self.decide, self.wait), (7, 12, 12, 5, 1, 1, 0.5, 3, 1, 4, 5, 2))[0]
        what(replica)
        self.check()

    def check(self) -> None:
        for member in self.registration.isr:
            assert self.replicas[member].log[: len(self.committed)] == self.committed, f"{member} is in the ISR without everything"
        for replica in self.replicas.values():
            assert replica.log[: replica.high_watermark] == self.committed[: replica.high_watermark], f"{replica.id} tells something else"
            assert [epoch for epoch, _ in replica.log] == sorted(epoch for epoch, _ in replica.log)

    # The controller

    def change(self, leader: int, isr: tuple[int, ...]) -> None:
        old = self.registration
        epoch = old.leader_epoch + (leader != old.leader or len(isr) < len(old.isr))
        self.registration = old._replace(leader=leader, isr=isr, leader_epoch=epoch, partition_epoch=old.partition_epoch + 1)

    @property
    def brokers(self) -> dict[int, Broker]:
        return {one: Broker(one, epoch, b"", {}, {}, None, one in self.fenced, False, (), None) for one, epoch in self.registered.items()}

    def fence(self, replica: Replica) -> None:
        """Its session ends, rightly or not."""
        self.fenced.add(replica.id)
        isr = tuple(one for one in self.registration.isr if one != replica.id) or self.registration.isr
        if self.registration.leader == replica.id:
            self.change(next((one for one in isr if one not in self.fenced), -1), isr)
        elif isr != self.registration.isr:
            self.change(self.registration.leader, isr)

    def unfence(self, replica: Replica) -> None:
        if replica.alive and replica.id in self.fenced:
            self.fenced.discard(replica.id)
            if self.registration.leader == -1 and replica.id in self.registration.isr:
                self.change(replica.id, self.registration.isr)

    def decide(self, _: Replica) -> None:
        """A proposal comes to the controller, in any order; its answer may be lost, and it is sent again."""
        if not self.proposals:
            return
        sender, proposal = self.proposals.pop(self.random.randrange(len(self.proposals)))
        current = self.registration
        members = tuple(member for member, _ in proposal.isr)
        outcome = Outcome(Error.FENCED_LEADER_EPOCH)
        if (proposal.leader_epoch, sender) == (current.leader_epoch, current.leader):
            outcome = Outcome(Error.INVALID_UPDATE_VERSION)
            if proposal.partition_epoch == current.partition_epoch:
                outcome = Outcome(Error.INELIGIBLE_REPLICA)
                if all(one not in self.fenced and epoch in (-1, self.registered[one]) for one, epoch in proposal.isr):
                    self.registration = current._replace(isr=members, partition_epoch=current.partition_epoch + 1)
                    outcome = Outcome(Error.NONE, current.leader_epoch, members, current.partition_epoch + 1)
        leading = self.replicas[sender].leading
        if self.random.random() < 0.2:
            outcome = Outcome(Error.REQUEST_TIMED_OUT)
        if leading is not None and leading.answered(proposal, outcome):
            self.proposals.append((sender, proposal))

    # The brokers

    def learn(self, replica: Replica) -> None:
        """The metadata comes to a broker."""
        found = self.registration
        if not replica.alive or found.partition_epoch <= replica.partition_epoch:
            return
        replica.partition_epoch = found.partition_epoch
        if found.leader == replica.id:
            replica.following = None
            leading = replica.leading = replica.leading or Leadership(replica.id, self.min_isr, LAG_MS)
            if leading.lead(found, len(replica.log), self.now_ms):
                replica.epochs.assign(found.leader_epoch, len(replica.log))
            self.advance(replica)
            return
        replica.leading = None
        replica.leader = found.leader
        if replica.following is None or replica.following.leader_epoch != found.leader_epoch:
            following = replica.following = Following(found.leader_epoch, BACKOFF_MS)
            effect = following.begin(replica.end, replica.high_watermark)
            if effect is not None:
                replica.cut(effect.offset)
                following.truncated(replica.end)

    def crash(self, replica: Replica) -> None:
        """kill -9, or a loss of power that takes what wasn't synced, which the last in sync is spared. Its high watermark is the last checkpoint's."""
        if not replica.alive:
            return
        replica.alive, replica.leading, replica.following, replica.answers = False, None, None, []
        if self.random.random() < 0.5 and self.registration.isr != (replica.id,):
            replica.cut(min(len(replica.log), replica.checkpoint))
        replica.high_watermark = min(replica.checkpoint, len(replica.log))
        self.fence(replica)

    def start(self, replica: Replica) -> None:
        """A new life: a new broker epoch, and nothing known of the partition but what is on disk."""
        if not replica.alive:
            replica.alive, replica.partition_epoch = True, -1
            replica.broker_epoch = self.registered[replica.id] = self.next_epoch
            self.next_epoch += 1
            self.unfence(replica)

    def checkpoint(self, replica: Replica) -> None:
        """Synced, and the high watermark written down."""
        replica.checkpoint = replica.high_watermark

    def write(self, replica: Replica) -> None:
        if replica.leading is not None:
            for _ in range(self.random.randint(1, 3)):
                self.value += 1
                replica.log.append((replica.leading.leader_epoch, self.value))
            self.advance(replica)

    def fetch(self, replica: Replica) -> None:
        """A follower asks; the leader answers; the answer is on its way."""
        following = replica.following
        asked = following.position(self.now_ms) if following is not None and replica.leader > 0 else None
        if asked is not None:
            replica.answers.append(self.answer(self.replicas[replica.leader], replica, asked))

    def answer(self, leader: Replica, follower: Replica, asked: Position) -> Answer:
        leading = leader.leading
        if leading is None:
            return Answer(asked, Error.NOT_LEADER_OR_FOLLOWER)
        if asked.leader_epoch != leading.leader_epoch:
            return Answer(asked, Error.FENCED_LEADER_EPOCH if asked.leader_epoch < leading.leader_epoch else Error.UNKNOWN_LEADER_EPOCH)
        end = len(leader.log)
        if asked.last_fetched_epoch >= 0:
            try:
                diverging = leader.epochs.divergence(asked.offset, asked.last_fetched_epoch, end)
            except LookupError:
                return Answer(asked, Error.OFFSET_OUT_OF_RANGE)
            if diverging is not None:
                return Answer(asked, Error.NONE, diverging)
        if asked.offset > end:
            return Answer(asked, Error.OFFSET_OUT_OF_RANGE)
        if not leading.fetched(follower.id, asked.offset, 0, self.now_ms, end, follower.broker_epoch, self.brokers):
            return Answer(asked, Error.NOT_LEADER_OR_FOLLOWER)
        self.propose(leader, leading.proposal_to_add(follower.id, leader.high_watermark, leader.broker_epoch, self.brokers))
        self.advance(leader)
        records = tuple(leader.log[asked.offset : asked.offset + self.random.randint(0, 4)])
        return Answer(asked, Error.NONE, None, records, leader.high_watermark)

    def receive(self, replica: Replica) -> None:
        if not replica.answers:
            return
        answer, following = replica.answers.pop(0), replica.following
        if following is None:
            return
        effect = following.answered(answer.asked, answer.error, answer.diverging, replica.end, self.now_ms)
        if isinstance(effect, AskOffsets):
            leader = self.replicas[replica.leader]
            if leader.leading is None:
                following.not_learned(Error.NOT_LEADER_OR_FOLLOWER, self.now_ms)
                return
            effect = following.learned(len(leader.log), 0, replica.end)
        if isinstance(effect, Append):
            for epoch, value in answer.records:
                if epoch > replica.epochs.latest:
                    replica.epochs.assign(epoch, len(replica.log))
                replica.log.append((epoch, value))
            following.appended(replica.end)
            replica.high_watermark = max(replica.high_watermark, min(answer.high_watermark, len(replica.log)))
        elif isinstance(effect, TruncateTo | StartAt):
            assert isinstance(effect, TruncateTo)
            self.truncations += effect.offset < len(replica.log)
            replica.cut(effect.offset)
            following.truncated(replica.end)

    def lose(self, replica: Replica) -> None:
        """Answers that never come."""
        del replica.answers[: self.random.randint(1, 3)]

    def wait(self, _: Replica) -> None:
        self.now_ms += self.random.choice((1, BACKOFF_MS, BACKOFF_MS, LAG_MS // 2, LAG_MS + 1))
        for replica in self.replicas.values():
            if replica.leading is not None:
                self.propose(replica, replica.leading.proposal_to_remove(len(replica.log), self.now_ms, replica.broker_epoch))

    def propose(self, leader: Replica, proposal: Proposal | None) -> None:
        if proposal is not None:
            self.proposals.append((leader.id, proposal))

    def advance(self, leader: Replica) -> None:
        """A leader's high watermark, and what it tells its clients by it."""
        assert leader.leading is not None
        leader.high_watermark = leader.leading.committed_to(leader.high_watermark, len(leader.log), self.now_ms, self.brokers)
        told = leader.log[: leader.high_watermark]
        common = min(len(told), len(self.committed))
        assert told[:common] == self.committed[:common], "a consumer was told something else before"
        self.committed += told[common:]

    def settle(self) -> None:
        """No more faults: every replica catches up, and joins."""
        for replica in self.replicas.values():
            self.start(replica)
            self.unfence(replica)
            replica.answers.clear()
        for _ in range(60):
            for replica in self.replicas.values():
                for what in (self.learn, self.fetch, self.receive, self.decide):
                    what(replica)
            self.now_ms += BACKOFF_MS
            self.check()


def run(seed: int) -> History:
    history = History(seed)
    for step in range(STEPS):
        try:
            history.step()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, step {step}: {error}") from error
    return history


@pytest.mark.parametrize("seeds", [range(at, at + 20) for at in range(0, SEEDS, 20)], ids=str)
def test_what_is_committed_stays(seeds: range) -> None:
    elections, truncations = 0, 0
    for seed in seeds:
        history = run(seed)
        elections += history.registration.leader_epoch
        truncations += history.truncations
        history.settle()
        logs = [replica.log for replica in history.replicas.values()]
        assert logs[0] == logs[1] == logs[2] == history.committed, f"seed {seed}: faults are over, and they still differ"
        assert set(history.registration.isr) == set(IDS), f"seed {seed}: not all have joined"
    assert elections > 20 * 5, "too little happened"
    assert truncations > 2, "too little happened"
