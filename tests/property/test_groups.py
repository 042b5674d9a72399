"""Random lives of a classic group: members join, sync, beat, leave, vanish and restart, appends fail, the log is loaded anew.

What must hold all the time: no partition belongs to two members of one generation, generations grow, every call that waits is answered once,
and what was written makes the same durable state in a fresh shard (G10, G11, G18, G20).
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from barnabas.core.groups.classic_group import STABLE, ClassicGroup
from barnabas.core.groups.context import Caller
from barnabas.core.groups.settings import GroupSettings
from barnabas.core.groups.shard import GroupShard
from barnabas.wire.errors import Error
from barnabas.wire.messages.heartbeat import HeartbeatRequest
from barnabas.wire.messages.join_group import JoinGroupRequest
from barnabas.wire.messages.leave_group import LeaveGroupRequest
from barnabas.wire.messages.offset_commit import OffsetCommitRequest
from barnabas.wire.messages.offset_delete import OffsetDeleteRequest
from barnabas.wire.messages.offset_fetch import OffsetFetchRequest
from barnabas.wire.messages.sync_group import SyncGroupRequest
from tests.property.examples import examples
from tests.scenarios.groups.stage import MemoryLog, subscription, topic_id

GROUP = "g"
PARTITIONS = 4
CLIENTS = st.integers(0, 5)
REFUSALS = st.sampled_from([Error.NOT_ENOUGH_REPLICAS, Error.NOT_LEADER_OR_FOLLOWER, Error.MESSAGE_TOO_LARGE])


class Client:
    """A consumer as the shard sees it. `waiting` is the kind of request that it has out: one at a time, as on a connection."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.instance_id = f"i{number}" if number % 3 == 0 else None
        self.restart()

    def restart(self) -> None:
        self.member_id = ""
        self.generation_id = -1
        self.leads: list[str] = []
        self.joined = self.synced = False


class GroupLife(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.settings = GroupSettings(
            initial_rebalance_delay_ms=100, max_size=5, offsets_retention_ms=200_000, offsets_retention_check_interval_ms=50_000
        )
        self.now_ms = 1000
        self.log = MemoryLog()
        self.ids = 0
        self.clients = [Client(number) for number in range(6)]
        self.asked: dict[int, tuple[Client, str, Any]] = {}
        self.answered: set[int] = set()
        self.generation_id = 0
        self.owners: dict[tuple[int, int], str] = {}

    @initialize()
    def begin(self) -> None:
        self.shard = self.fresh()

    def fresh(self) -> GroupShard:
        shard = GroupShard(self.settings, self.log, self.new_id)
        for batch in self.log.batches:
            assert not shard.load_batch(batch, self.now_ms)
        shard.loaded(self.log.end_offset, self.log.high_watermark, self.now_ms)
        return shard

    def new_id(self) -> str:
        self.ids += 1
        return str(self.ids)

    def ask(self, client: Client, kind: str, about: Any = None) -> int:
        token = len(self.asked)
        self.asked[token] = (client, kind, about)
        return token

    def settle(self, flush: bool = True) -> None:
        if flush:
            self.shard.flush()
        for token, response in self.shard.take_replies():
            assert isinstance(token, int)
            assert token not in self.answered
            self.answered.add(token)
            client, kind, about = self.asked[token]
            getattr(self, f"on_{kind}")(client, about, response)

    # What clients do

    @rule(
        number=CLIENTS, version=st.sampled_from([3, 5, 9]), protocols=st.sampled_from(["range", "range sticky", "sticky range"]), flush=st.booleans()
    )
    def join(self, number: int, version: int, protocols: str, flush: bool) -> None:
        client = self.clients[number]
        request = JoinGroupRequest(
            group_id=GROUP,
            session_timeout_ms=6000 + 1000 * number,
            rebalance_timeout_ms=10_000,
            member_id=client.member_id,
            group_instance_id=client.instance_id,
            protocol_type="consumer",
            protocols=[JoinGroupRequest.Protocol(name=name, metadata=subscription("t")) for name in protocols.split()],
        )
        self.shard.join_group(request, Caller(f"c{number}", "/h", version), self.ask(client, "join"), self.now_ms)
        self.settle(flush)

    def on_join(self, client: Client, about: object, response: Any) -> None:
        client.joined = False
        if response.error_code == Error.NONE:
            assert response.generation_id >= max(1, self.generation_id)
            assert response.generation_id >= client.generation_id
            self.generation_id = max(self.generation_id, response.generation_id)
            client.member_id, client.generation_id, client.joined, client.synced = response.member_id, response.generation_id, True, False
            client.leads = [member.member_id for member in response.members]
            if response.skip_assignment:
                client.leads = []
        elif response.error_code == Error.MEMBER_ID_REQUIRED:
            client.member_id = response.member_id
        elif response.error_code in (Error.UNKNOWN_MEMBER_ID, Error.FENCED_INSTANCE_ID):
            client.restart()

    @rule(number=CLIENTS, flush=st.booleans())
    def sync(self, number: int, flush: bool) -> None:
        client = self.clients[number]
        if not client.joined:
            return
        shares: dict[str, bytearray] = {member_id: bytearray() for member_id in client.leads}
        for partition in range(PARTITIONS):
            if client.leads:
                shares[client.leads[partition % len(client.leads)]].append(partition)
        rows = [SyncGroupRequest.Assignment(member_id=member_id, assignment=bytes(share)) for member_id, share in shares.items()]
        where = {"group_id": GROUP, "generation_id": client.generation_id, "member_id": client.member_id, "group_instance_id": client.instance_id}
        self.shard.sync_group(SyncGroupRequest(**where, assignments=rows), self.ask(client, "sync", client.generation_id), self.now_ms)
        self.settle(flush)

    def on_sync(self, client: Client, generation_id: int, response: Any) -> None:
        client.synced = not response.error_code
        client.joined = client.synced
        for partition in response.assignment:
            owner = self.owners.setdefault((generation_id, partition), self.place(client))
            assert owner == self.place(client), f"partition {partition} has two owners in generation {generation_id}"

    def place(self, client: Client) -> str:
        """A static member's place is its instance's: a new incarnation takes the assignment over."""
        return client.instance_id or client.member_id

    @rule(numbers=st.sets(CLIENTS, min_size=1), version=st.sampled_from([3, 9]), rounds=st.integers(1, 4), ms=st.sampled_from([50, 3000]))
    def behave(self, numbers: set[int], version: int, rounds: int, ms: int) -> None:
        """Some clients do what real ones do next: join, fetch their assignment, send heartbeats, commit."""
        for _ in range(rounds):
            for number in sorted(numbers):
                client = self.clients[number]
                if any(token not in self.answered and asked[0] is client for token, asked in self.asked.items()):
                    continue
                if not client.joined:
                    self.join(number, version, "range sticky", flush=True)
                elif not client.synced:
                    self.sync(number, flush=number % 2 == 0)
                else:
                    self.beat(number)
                    self.commit(number, number % PARTITIONS, number, alone=False, flush=False)
            self.time(ms)

    @rule(number=CLIENTS)
    def beat(self, number: int) -> None:
        client = self.clients[number]
        request = HeartbeatRequest(
            group_id=GROUP, generation_id=client.generation_id, member_id=client.member_id, group_instance_id=client.instance_id
        )
        self.shard.heartbeat(request, self.ask(client, "beat"), self.now_ms)
        self.settle()

    def on_beat(self, client: Client, about: object, response: Any) -> None:
        if response.error_code in (Error.REBALANCE_IN_PROGRESS, Error.ILLEGAL_GENERATION):
            client.joined = False
        elif response.error_code in (Error.UNKNOWN_MEMBER_ID, Error.FENCED_INSTANCE_ID):
            client.restart()

    @rule(number=CLIENTS)
    def leave(self, number: int) -> None:
        client = self.clients[number]
        row = LeaveGroupRequest.MemberIdentity(member_id=client.member_id, group_instance_id=client.instance_id)
        self.shard.leave_group(LeaveGroupRequest(group_id=GROUP, members=[row]), self.ask(client, "leave"), self.now_ms)
        self.settle()
        client.restart()

    def on_leave(self, client: Client, about: object, response: Any) -> None:
        assert len(response.members) == 1 or response.error_code

    @rule(number=CLIENTS)
    def restart_client(self, number: int) -> None:
        self.clients[number].restart()

    @rule(number=CLIENTS, partition=st.integers(0, 3), offset=st.integers(0, 99), alone=st.booleans(), flush=st.booleans())
    def commit(self, number: int, partition: int, offset: int, alone: bool, flush: bool) -> None:
        client = self.clients[number]
        row = OffsetCommitRequest.Topic.Partition(partition_index=partition, committed_offset=offset, committed_metadata="")
        request = OffsetCommitRequest(
            group_id=GROUP,
            generation_id_or_member_epoch=-1 if alone else client.generation_id,
            member_id="" if alone else client.member_id,
            group_instance_id=None if alone else client.instance_id,
            topics=[OffsetCommitRequest.Topic(name="t", topic_id=topic_id("t"), partitions=[row])],
        )
        self.shard.commit_offsets(request, 9, self.ask(client, "commit", (partition, offset)), self.now_ms)
        self.settle(flush)

    def on_commit(self, client: Client, about: tuple[int, int], response: Any) -> None:
        if not response.topics[0].partitions[0].error_code and not self.log.holds:
            assert self.log.high_watermark == self.log.end_offset

    @rule(number=CLIENTS, stable=st.booleans())
    def fetch(self, number: int, stable: bool) -> None:
        request = OffsetFetchRequest.Group(group_id=GROUP, topics=None)
        self.shard.fetch_offsets(request, stable, 9, self.ask(self.clients[number], "fetch"), self.now_ms)
        self.settle()

    def on_fetch(self, client: Client, about: object, response: Any) -> None:
        assert response.error_code in (Error.NONE, Error.NOT_COORDINATOR, Error.UNKNOWN_SERVER_ERROR)

    @rule(partition=st.integers(0, 3))
    def delete_offset(self, partition: int) -> None:
        rows = [OffsetDeleteRequest.Topic.Partition(partition_index=partition)]
        request = OffsetDeleteRequest(group_id=GROUP, topics=[OffsetDeleteRequest.Topic(name="t", partitions=rows)])
        self.shard.delete_offsets(request, self.ask(self.clients[0], "delete"), self.now_ms)
        self.settle()

    @rule()
    def delete_group(self) -> None:
        self.shard.delete_groups([GROUP], self.ask(self.clients[0], "delete"), self.now_ms)
        self.settle()
        self.after_delete()

    def on_delete(self, client: Client, about: object, response: Any) -> None:
        pass

    # What the world does

    @rule(ms=st.sampled_from([0, 50, 100, 3000, 7000, 12_000, 60_000]))
    def time(self, ms: int) -> None:
        until = self.now_ms + ms
        while (at := self.shard.next_deadline_ms()) is not None and at <= until:
            self.now_ms = max(self.now_ms, at)
            self.shard.tick(self.now_ms)
            self.settle()
        self.now_ms = until
        self.after_delete()

    def after_delete(self) -> None:
        """A group that expired or was deleted may start again from generation 0."""
        if GROUP not in self.shard.context.groups.current:
            self.forget()

    @rule(error=REFUSALS)
    def log_refuses(self, error: Error) -> None:
        self.log.refusal = error
        self.shard.flush()
        self.log.refusal = None if not self.log.refusal else self.log.refusal
        self.settle()
        self.log.refusal = None
        self.after_delete()

    @precondition(lambda self: not self.log.holds)
    @rule()
    def log_holds(self) -> None:
        self.settle()
        self.log.holds = True

    @precondition(lambda self: self.log.holds)
    @rule()
    def log_commits(self) -> None:
        self.log.holds = False
        self.log.high_watermark = self.log.end_offset
        self.shard.committed(self.log.end_offset, self.now_ms)
        self.settle()

    @rule()
    def coordinator_moves(self) -> None:
        """Everybody who waits is told, and the next coordinator starts from the log."""
        self.shard.unload()
        self.settle(flush=False)
        assert self.answered == set(self.asked)
        self.log.holds = False
        self.log.high_watermark = self.log.end_offset
        self.shard = self.fresh()
        self.forget()
        for client in self.clients:
            client.restart()

    def forget(self) -> None:
        """Generations that weren't written may come again."""
        group = self.shard.context.groups.current.get(GROUP)
        self.generation_id = group.generation_id if isinstance(group, ClassicGroup) else 0
        self.owners = {key: owner for key, owner in self.owners.items() if key[0] <= self.generation_id} if group is not None else {}
        if group is None:
            for client in self.clients:
                client.restart()

    # What must hold

    @invariant()
    def the_group_is_sane(self) -> None:
        if not hasattr(self, "shard"):
            return
        group = self.shard.context.groups.current.get(GROUP)
        if not isinstance(group, ClassicGroup):
            return
        assert group.awaiting_join_count == sum(member.awaiting_join is not None for member in group.members.values())
        assert set(group.static_members.values()) == {member.member_id for member in group.members.values() if member.instance_id is not None}
        assert group.leader_id is None or group.leader_id in group.members
        assert group.pending_sync <= group.members.keys()
        assert all(count == sum(name in dict(m.protocols) for m in group.members.values()) for name, count in group.supported_protocols.items())

    @invariant()
    def who_waits_is_parked(self) -> None:
        """Nobody waits without the shard knowing."""
        if not hasattr(self, "shard"):
            return
        parked = set()
        for group in self.shard.context.groups.current.values():
            if isinstance(group, ClassicGroup):
                for member in group.members.values():
                    parked |= {waiter.token for waiter in (member.awaiting_join, member.awaiting_sync) if waiter is not None}
        writes = self.shard.context.writes
        queued = [write for _, each in writes._waiting for write in each] + writes._batch_writes
        parked |= {write.waiter.token for write in queued if write.waiter is not None and not write.finished}
        waiting = set(self.asked) - self.answered
        in_flight = any(write.done is not None for write in queued)  # a static member's join, or a leader's sync, that waits for its record
        assert waiting <= parked or in_flight

    @invariant()
    def the_log_makes_the_same_state(self) -> None:
        if not hasattr(self, "shard") or self.shard.has_unwritten:
            return
        again = GroupShard(self.settings, self.log, self.new_id)
        for batch in self.log.batches:
            again.load_batch(batch, self.now_ms)
        offsets = dict(self.offsets_of(self.shard).items())
        assert self.offsets_of(again) == offsets
        ours, theirs = self.shard.context.groups.current.get(GROUP), again.context.groups.current.get(GROUP)
        assert (ours is None) == (theirs is None)
        if isinstance(ours, ClassicGroup) and isinstance(theirs, ClassicGroup) and ours.state == STABLE and not self.log.holds:
            assert theirs.generation_id == ours.generation_id
            assert {m.member_id: m.assignment for m in theirs.members.values()} == {m.member_id: m.assignment for m in ours.members.values()}

    def offsets_of(self, shard: GroupShard) -> dict[tuple[str, int], int]:
        table = shard.context.offsets.by_group.current.get(GROUP)
        return {} if table is None else {place: offset.committed_offset for place, offset in table.current.items()}


TestGroupLife = GroupLife.TestCase
TestGroupLife.settings = settings(max_examples=examples(150), stateful_step_count=60, deadline=None)


def test_a_group_that_a_refused_commit_had_made() -> None:
    """Who joined it meanwhile is told, as the group isn't there any more."""
    life = GroupLife()
    life.begin()
    life.commit(0, 0, 0, alone=False, flush=False)
    life.join(0, 3, "range", flush=False)
    assert not life.answered
    life.log_refuses(Error.NOT_ENOUGH_REPLICAS)
    assert life.answered == set(life.asked)


def test_a_static_member_that_comes_again_while_the_log_holds() -> None:
    """What was written for its first return comes to nothing; its second is still answered."""
    life = GroupLife()
    life.begin()
    life.behave({0}, 3, rounds=2, ms=50)
    life.sync(0, flush=True)
    life.coordinator_moves()
    life.log_holds()
    life.behave({0, 1, 2}, 3, rounds=1, ms=50)
    life.behave({0}, 3, rounds=2, ms=3000)
    life.coordinator_moves()
    assert life.answered == set(life.asked)
