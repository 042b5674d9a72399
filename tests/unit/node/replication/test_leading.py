"""A partition that this node leads for two followers: what is acknowledged when, who is in sync, and what becomes of those who wait. R4, R20-R33."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from barnabas.core.metadata.partition import Partition as Registration
from barnabas.core.metadata.registration import Broker
from barnabas.core.partition.leadership import Outcome
from barnabas.node.partition import InvalidBatch, Partition
from barnabas.node.replication.follower_fetch import FollowerWatch
from barnabas.storage.log_config import LogConfig
from barnabas.wire.errors import Error
from barnabas.wire.records.validation import AppendRules
from tests.logs import NOW_MS, Replica, batch

if TYPE_CHECKING:
    from pathlib import Path

    from barnabas.core.partition.leadership import Proposal

ME, TWO, THREE = 1, 2, 3
EPOCHS = {ME: 11, TWO: 12, THREE: 13}


class ThreeBrokers:
    """What the partition knows of the others, and what it asks the controller for."""

    broker_id = ME
    max_lag_ms = 30_000

    def __init__(self) -> None:
        self.brokers = {one: Broker(one, epoch, b"", {}, {}, None, False, False, (), None) for one, epoch in EPOCHS.items()}
        self.proposals: list[Proposal] = []

    def fence(self, broker: int) -> None:
        self.brokers[broker] = self.brokers[broker]._replace(fenced=True)

    def propose(self, partition: Partition, proposal: Proposal) -> None:
        self.proposals.append(proposal)


class Waiting:
    """A producer with acks=all."""

    def __init__(self) -> None:
        self.base_offset = -1
        self.error: Error | None = None

    @property
    def is_settled(self) -> bool:
        return self.error is not None

    def place(self, base_offset: int, append_time_ms: int) -> None:
        self.base_offset = base_offset

    def settle(self, error: Error) -> None:
        assert self.error is None
        self.error = error


class Stand:
    def __init__(self, directory: Path, isr: tuple[int, ...] = (ME, TWO, THREE), min_isr: int = 1) -> None:
        directory.mkdir()
        self.brokers = ThreeBrokers()
        replica = Replica(directory, LogConfig(segment_bytes=1 << 20))
        self.partition = Partition(
            "t", 0, bytes(16), replica.log, replica.producers, replica.epochs, AppendRules(), bytes(16), lambda partition, error: None
        )
        self.partition.min_isr = min_isr
        self.registration = Registration(ME, 5, isr, (ME, TWO, THREE), 1, (b"",) * 3)
        self.partition.lead_replicas(self.registration, self.brokers)

    def change(self, **changes: object) -> None:
        self.registration = self.registration._replace(partition_epoch=self.registration.partition_epoch + 1, **changes)  # type: ignore[arg-type]
        self.partition.lead_replicas(self.registration, self.brokers)

    def produce(self) -> Waiting:
        waiting = Waiting()
        _, _, group = self.partition.append(memoryview(bytearray(batch(0)[0])), NOW_MS, waiting)
        assert group is not None
        self.partition.write(group)
        return waiting

    def fetch(self, broker: int, offset: int | None = None, start_offset: int = 0) -> bool:
        offset = self.partition.log.end_offset if offset is None else offset
        return self.partition.fetched_by(broker, EPOCHS[broker], offset, start_offset)


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return Stand(tmp_path / "t-0")


def test_acknowledged_once_all_in_sync_have_it(stand: Stand) -> None:
    first, second = stand.produce(), stand.produce()
    end = stand.partition.log.end_offset
    assert (first.error, stand.partition.high_watermark) == (None, 0)
    stand.fetch(TWO)
    assert first.error is None
    stand.fetch(THREE, second.base_offset)
    assert (first.error, second.error) == (Error.NONE, None)
    stand.fetch(THREE)
    assert (second.error, stand.partition.high_watermark) == (Error.NONE, end)


def test_a_fetch_acknowledges_only_for_replicas(stand: Stand) -> None:
    waiting = stand.produce()
    assert not stand.partition.fetched_by(4, 14, 1, 0)
    assert not stand.partition.fetched_by(TWO, EPOCHS[TWO] - 1, 1, 0), "an older life of that broker (R8)"
    stand.fetch(THREE)
    assert waiting.error is None


def test_what_an_ended_session_asks_changes_nothing(stand: Stand) -> None:
    """A follower has hung up and asked anew, on another network thread, when its old request gets its turn."""
    old, new, key = FollowerWatch(), FollowerWatch(), ("t", 0)
    stand.produce()
    stand.fetch(THREE)
    end = stand.partition.log.end_offset
    old.is_closed = True
    assert stand.partition.fetched_by(TWO, EPOCHS[TWO], end, 0, new, key)
    assert stand.partition.fetched_by(TWO, EPOCHS[TWO], 0, 0, old, key)
    new.ready.clear()
    stand.produce()
    assert key in new.ready
    stand.fetch(THREE)
    assert stand.partition.fetched_by(TWO, EPOCHS[TWO], end + 1, 0, new, key)
    assert stand.partition.high_watermark == end + 1


def test_refused_while_too_few_are_in_sync(tmp_path: Path) -> None:
    stand = Stand(tmp_path / "t-0", isr=(ME,), min_isr=2)
    with pytest.raises(InvalidBatch) as refused:
        stand.produce()
    assert refused.value.error is Error.NOT_ENOUGH_REPLICAS
    assert stand.partition.log.end_offset == 0, "nothing is written"
    _, _, group = stand.partition.append(memoryview(bytearray(batch(0)[0])), NOW_MS)
    assert group is not None
    stand.partition.write(group)
    assert (stand.partition.log.end_offset > 0, stand.partition.high_watermark) == (True, 0), "acks=1 is written, but nobody sees it (R21)"


def test_the_set_shrinks_behind_a_write(tmp_path: Path) -> None:
    stand = Stand(tmp_path / "t-0", min_isr=2)
    waiting = stand.produce()
    stand.fetch(TWO)
    stand.change(isr=(ME, TWO))
    assert waiting.error is Error.NONE
    waiting = stand.produce()
    stand.change(isr=(ME,))
    assert waiting.error is None, "the high watermark rests"
    stand.change(isr=(ME, TWO))
    stand.fetch(TWO)
    assert waiting.error is Error.NONE


def test_who_qualifies_is_proposed_at_that_fetch(tmp_path: Path) -> None:
    stand = Stand(tmp_path / "t-0", isr=(ME,))
    stand.produce()
    stand.fetch(TWO, 0)
    assert stand.brokers.proposals == []
    stand.fetch(TWO)
    (proposal,) = stand.brokers.proposals
    assert proposal.isr == ((ME, 11), (TWO, 12))
    waiting = stand.produce()
    assert waiting.error is None, "who is about to join counts already (T13)"
    stand.partition.isr_answered(proposal, Outcome(Error.NONE, 5, (ME, TWO), 2))
    assert waiting.error is None
    stand.fetch(TWO)
    assert waiting.error is Error.NONE


def test_who_is_unfenced_joins_without_another_fetch(tmp_path: Path) -> None:
    stand = Stand(tmp_path / "t-0", isr=(ME,))
    unfenced = stand.brokers.brokers[TWO]
    stand.brokers.fence(TWO)
    stand.fetch(TWO)
    assert stand.brokers.proposals == []
    stand.brokers.brokers[TWO] = unfenced
    stand.partition.tend_replicas(brokers_changed=True)
    assert [proposal.joining for proposal in stand.brokers.proposals] == [TWO]


@pytest.mark.parametrize("is_overtaken", [False, True])
def test_who_had_to_wait_joins_without_another_fetch(tmp_path: Path, is_overtaken: bool) -> None:
    """One proposal at a time; and what the metadata overtakes is proposed again. A follower that has everything doesn't fetch because of that."""
    stand = Stand(tmp_path / "t-0", isr=(ME,))
    stand.fetch(TWO)
    stand.fetch(THREE)
    (proposal,) = stand.brokers.proposals
    assert proposal.joining == TWO
    if is_overtaken:
        stand.change(directories=(b"1" * 16,) * 3)
        assert [found.joining for found in stand.brokers.proposals[1:]] == [TWO]
        proposal = stand.brokers.proposals.pop()
    stand.partition.isr_answered(proposal, Outcome(Error.NONE, 5, (ME, TWO), 3))
    assert [found.joining for found in stand.brokers.proposals[1:]] == [THREE]


def test_who_was_removed_for_being_late_isnt_proposed_before_it_fetches(stand: Stand) -> None:
    stand.fetch(TWO)
    stand.fetch(THREE)
    waiting = stand.produce()
    stand.fetch(TWO)
    stand.brokers.max_lag_ms = -1
    stand.partition.tend_replicas()
    (proposal,) = stand.brokers.proposals
    assert (proposal.isr, waiting.error) == (((ME, 11), (TWO, 12)), None)
    stand.partition.isr_answered(proposal, Outcome(Error.NONE, 5, (ME, TWO), 2))
    assert (stand.brokers.proposals, waiting.error) == ([proposal], Error.NONE)
    stand.fetch(THREE)
    assert [found.joining for found in stand.brokers.proposals[1:]] == [THREE]


def test_another_leader_ends_all_waiting(stand: Stand) -> None:
    waiting = stand.produce()
    woken: list[str] = []
    stand.partition.add_waiter("consumer", lambda: woken.append("consumer"))
    stand.partition.add_end_waiter("follower", lambda: woken.append("follower"))
    assert stand.partition.follow(6)
    assert waiting.error is Error.NOT_LEADER_OR_FOLLOWER
    assert sorted(woken) == ["consumer", "follower"]
    with pytest.raises(InvalidBatch):
        stand.produce()
    assert not stand.fetch(TWO)


def test_what_has_its_offset_is_written_before_another_leads(stand: Stand) -> None:
    """Its bytes carry the epoch in which the offset was given."""
    _, _, group = stand.partition.append(memoryview(bytearray(batch(0)[0])), NOW_MS)
    assert group is not None
    assert not group.is_written
    stand.partition.follow(6)
    assert (group.is_written, group.error) == (True, None)
    assert stand.partition.log.end_offset == stand.partition.next_offset > 0


def test_a_new_epoch_of_the_same_leader(stand: Stand) -> None:
    waiting = stand.produce()
    end = stand.partition.log.end_offset
    stand.change(leader_epoch=6)
    assert stand.partition.epochs.entries == ((5, 0), (6, end))
    assert stand.partition.is_below_its_epoch()
    stand.fetch(TWO)
    stand.fetch(THREE)
    assert waiting.error is Error.NONE
    assert not stand.partition.is_below_its_epoch()


def test_records_are_deleted_when_all_who_live_have_deleted_them(stand: Stand) -> None:
    told: list[tuple[int, Error]] = []
    stand.produce()
    end = stand.partition.log.end_offset
    stand.fetch(TWO)
    stand.fetch(THREE)
    stand.partition.log.set_start_offset(end)
    stand.partition.await_low_watermark(end, lambda low, error: told.append((low, error)))
    stand.fetch(TWO, start_offset=end)
    assert told == []
    stand.brokers.fence(THREE)
    stand.partition.tend_replicas(brokers_changed=True)
    assert told == [(end, Error.NONE)]


def test_followers_are_woken_by_what_is_written(stand: Stand) -> None:
    woken: list[str] = []
    stand.partition.add_end_waiter("follower", lambda: woken.append("follower"))
    stand.partition.add_waiter("consumer", lambda: woken.append("consumer"))
    stand.produce()
    assert woken == ["follower"]
    stand.fetch(TWO)
    stand.fetch(THREE)
    assert woken == ["follower", "consumer"]
