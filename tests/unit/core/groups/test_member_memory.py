"""What members of groups may take of the memory: refused beyond it, given back whichever way they go."""

from __future__ import annotations

from barnabas.core.groups.context import Caller
from barnabas.core.groups.member_memory import OVERHEAD_BYTES, MemberMemory
from barnabas.core.groups.settings import GroupSettings
from barnabas.core.groups.shard import GroupShard
from barnabas.wire.errors import Error
from barnabas.wire.messages.join_group import JoinGroupRequest, JoinGroupResponse
from barnabas.wire.messages.leave_group import LeaveGroupRequest
from tests.scenarios.groups.stage import MemoryLog

METADATA_BYTES = 10_000
ROOM_FOR = 10  # members of that size


class Node:
    """A shard whose members have so much memory, and a clock."""

    def __init__(self) -> None:
        self.memory = MemberMemory(ROOM_FOR * (METADATA_BYTES + 2 * OVERHEAD_BYTES))
        self.names = 0
        self.log = MemoryLog()
        self.shard = self.load()

    def load(self) -> GroupShard:
        shard = GroupShard(GroupSettings(initial_rebalance_delay_ms=0), self.log, self.new_id, self.memory)
        for batch in self.log.batches:
            shard.load_batch(batch, 0)
        shard.loaded(self.log.end_offset, self.log.high_watermark, 0)
        return shard

    def new_id(self) -> str:
        self.names += 1
        return str(self.names)

    def join(self, group: str, member_id: str = "", *, size: int = METADATA_BYTES, version: int = 3, instance: str | None = None) -> int | None:
        """The error; None while it waits for others."""
        protocols = [JoinGroupRequest.Protocol(name="range", metadata=bytes(size))]
        request = JoinGroupRequest(
            group_id=group,
            session_timeout_ms=10_000,
            rebalance_timeout_ms=10_000,
            member_id=member_id,
            group_instance_id=instance,
            protocol_type="consumer",
            protocols=protocols,
        )
        self.shard.join_group(request, Caller("client", "/127.0.0.1", version), group, 1000)
        self.shard.flush()
        self.shard.tick(1000)  # the group's initial delay is over
        self.shard.flush()
        self.answer: JoinGroupResponse | None = None
        for token, answer in self.shard.take_replies():
            if token == group:
                assert isinstance(answer, JoinGroupResponse)
                self.answer = answer
        return None if self.answer is None else self.answer.error_code

    def fill(self) -> list[str]:
        """The members' ids, each in a group of its own, until one is refused."""
        ids: list[str] = []
        while (error := self.join(f"group-{len(ids)}")) == Error.NONE:
            assert self.answer is not None
            ids.append(self.answer.member_id)
            assert len(ids) <= ROOM_FOR + 1
        assert error == Error.COORDINATOR_NOT_AVAILABLE
        return ids


def test_a_join_beyond_the_limit_is_refused_and_leaves_nothing() -> None:
    node = Node()
    ids = node.fill()
    assert ROOM_FOR <= len(ids) <= ROOM_FOR + 1
    groups, records = len(node.shard.context.groups.current), len(node.log.records())
    assert node.join("another") == Error.COORDINATOR_NOT_AVAILABLE
    assert (len(node.shard.context.groups.current), len(node.log.records())) == (groups, records)


def test_one_request_that_is_too_large_is_refused_and_others_are_served() -> None:
    node = Node()
    assert node.join("large", size=ROOM_FOR * METADATA_BYTES * 2) == Error.COORDINATOR_NOT_AVAILABLE
    assert node.join("small") == Error.NONE


def test_a_member_comes_again_while_there_is_no_room() -> None:
    node = Node()
    ids = node.fill()
    assert node.join("group-3", ids[3]) == Error.NONE
    assert node.join("group-3", ids[3], size=METADATA_BYTES * 5) == Error.COORDINATOR_NOT_AVAILABLE
    assert node.join("group-3", ids[3], size=METADATA_BYTES // 2) == Error.NONE


def test_what_a_member_took_is_given_back_when_it_leaves() -> None:
    node = Node()
    ids = node.fill()
    before = node.memory.used
    node.shard.leave_group(LeaveGroupRequest(group_id="group-3", members=[LeaveGroupRequest.MemberIdentity(member_id=ids[3])]), "leave", 1000)
    node.shard.flush()
    node.shard.take_replies()
    assert node.memory.used <= before - METADATA_BYTES
    assert node.join("another") == Error.NONE


def test_what_members_took_is_given_back_when_their_sessions_end() -> None:
    node = Node()
    node.fill()
    node.shard.tick(1000 + 11_000)
    node.shard.flush()
    node.shard.take_replies()
    assert node.memory.used == 0


def test_ids_that_nobody_joins_with_count_until_their_time_is_over() -> None:
    node = Node()
    assert node.join("g", version=4) == Error.MEMBER_ID_REQUIRED
    assert node.memory.used >= OVERHEAD_BYTES
    node.shard.tick(1000 + 10_000)
    assert node.memory.used == 0


def test_a_static_member_that_restarts_counts_once() -> None:
    node = Node()
    assert node.join("g", instance="one", version=5) == Error.NONE
    used = node.memory.used
    for _ in range(3 * ROOM_FOR):
        assert node.join("g", instance="one", version=5) is not None
        assert node.memory.used <= used + OVERHEAD_BYTES


def test_a_shard_that_goes_gives_all_back() -> None:
    node = Node()
    node.fill()
    node.shard.unload()
    node.shard.take_replies()
    node.shard = node.load()
    import gc

    gc.collect()  # the old shard refers to itself
    assert node.memory.used == 0
