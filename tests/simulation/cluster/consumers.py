"""Consumers of a simulated cluster: one that reads everything, and members of a group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from barnabas.core.groups.context import Caller
from barnabas.core.groups.shard import GroupShard
from barnabas.wire.errors import Error
from barnabas.wire.messages.heartbeat import HeartbeatRequest
from barnabas.wire.messages.join_group import JoinGroupRequest
from barnabas.wire.messages.offset_commit import OffsetCommitRequest
from barnabas.wire.messages.offset_fetch import OffsetFetchRequest
from barnabas.wire.messages.sync_group import SyncGroupRequest

from .broker import GROUPS
from .clients import RETRY_MS, TIMEOUT_MS, TOPIC, Client, replica_on

if TYPE_CHECKING:
    from collections.abc import Callable

    from .node import Node
    from .replica import Answer


class Consumer(Client):
    """Reads every partition from its beginning."""

    def begin(self) -> None:
        self.positions = dict.fromkeys(range(self.cluster.partitions), 0)
        for index in self.positions:
            self._fetch(index)

    @property
    def name(self) -> str:
        return f"consumer {self.id}"

    def _fetch(self, index: int) -> None:
        leader = self.leader_of(TOPIC, index)
        if leader is None:
            self.after(RETRY_MS, lambda: self._fetch(index))
            return
        position = self.positions[index]

        def answered(answer: Answer | None) -> None:
            if answer is None or answer.error is not Error.NONE:
                if answer is not None and answer.error is Error.OFFSET_OUT_OF_RANGE:
                    self.cluster.invariants.out_of_range(self.name, TOPIC, index, position)
                again()
                return
            self.positions[index] = self.cluster.invariants.consumed(self.name, TOPIC, index, position, answer.records)
            self.after(20 if answer.records else 200, lambda: self._fetch(index))

        def again() -> None:
            self.forget(TOPIC, index)
            self.after(RETRY_MS, lambda: self._fetch(index))

        self.ask(leader[0], _reading(TOPIC, index, position, leader[1]), answered, again)


class Member(Client):
    """Of a classic group: joins, syncs, beats, reads its partitions from what the group has committed, commits. Leaves sometimes, and comes again."""

    group = "g"

    def begin(self) -> None:
        self.member_id = ""
        self.generation = -1
        self.positions: dict[int, int] = {}
        self._life = 0
        self._join()

    @property
    def name(self) -> str:
        return f"member {self.id}"

    def _call(self, method: Any, request: Any, version: int, answered: Callable[[Any], None], *extra: Any) -> None:
        """To the coordinator. None: no answer."""
        leader = self.leader_of(GROUPS, 0)
        life = self._life

        def serve(peer: Node, reply: Callable[[Any], None]) -> None:
            host = None if peer.broker is None or not peer.broker.is_serving else peer.broker.groups.get(0)
            if host is None:
                reply(None)
            else:
                host.call(method, type(request).decode(request.encode(version), version), *extra, reply=reply)

        def once(answer: Any) -> None:
            if life == self._life:
                if answer is None:
                    self.forget(GROUPS, 0)
                answered(answer)

        if leader is None:
            self.after(RETRY_MS, lambda: answered(None) if life == self._life else None)
        else:
            self.cluster.ask(self, leader[0], serve, once, lambda: once(None), timeout_ms=3 * TIMEOUT_MS)

    def _again(self) -> None:
        self._life += 1
        self.after(RETRY_MS, self._join)

    def _join(self) -> None:
        self.positions = {}
        request = JoinGroupRequest(
            group_id=self.group,
            session_timeout_ms=1500,
            rebalance_timeout_ms=2000,
            member_id=self.member_id,
            protocol_type="consumer",
            protocols=[JoinGroupRequest.Protocol(name="p", metadata=b"")],
        )

        def answered(answer: Any) -> None:
            if answer is None:
                self._again()
            elif answer.error_code == Error.NONE:
                self.member_id, self.generation = answer.member_id, answer.generation_id
                self._sync([member.member_id for member in answer.members] if answer.leader == answer.member_id else [])
            else:
                if answer.error_code == Error.MEMBER_ID_REQUIRED:
                    self.member_id = answer.member_id
                elif answer.error_code == Error.UNKNOWN_MEMBER_ID:
                    self.member_id = ""
                elif answer.error_code == Error.NOT_COORDINATOR:
                    self.forget(GROUPS, 0)
                self._again()

        self._call(GroupShard.join_group, request, 9, answered, Caller(self.name, "/sim", 9))

    def _sync(self, members: list[str]) -> None:
        """The leader deals the partitions out."""
        share: dict[str, list[int]] = {member: [] for member in members}
        for index in range(self.cluster.partitions):
            if members:
                share[members[index % len(members)]].append(index)
        request = SyncGroupRequest(
            group_id=self.group,
            generation_id=self.generation,
            member_id=self.member_id,
            protocol_type="consumer",
            protocol_name="p",
            assignments=[SyncGroupRequest.Assignment(member_id=member, assignment=bytes(indexes)) for member, indexes in share.items()],
        )

        def answered(answer: Any) -> None:
            if answer is None or answer.error_code != Error.NONE:
                self._lost(answer)
                return
            self.cluster.invariants.assigned(self.group, self.generation, self.member_id, list(answer.assignment))
            self._begin_at(list(answer.assignment))

        self._call(GroupShard.sync_group, request, 5, answered)

    def _lost(self, answer: Any) -> None:
        if answer is not None and answer.error_code == Error.UNKNOWN_MEMBER_ID:
            self.member_id = ""
        if answer is not None and answer.error_code == Error.NOT_COORDINATOR:
            self.forget(GROUPS, 0)
        self._again()

    def _begin_at(self, indexes: list[int]) -> None:
        topics = OffsetFetchRequest.Group.Topics(name=TOPIC, partition_indexes=indexes)
        request = OffsetFetchRequest(groups=[OffsetFetchRequest.Group(group_id=self.group, topics=[topics])])
        life = self._life
        floors = {index: self.cluster.invariants.group_floor(self.group, index) for index in indexes}

        def answered(answer: Any) -> None:
            if answer is None or answer.error_code != Error.NONE:
                self._lost(answer)
                return
            committed = {row.partition_index: row.committed_offset for topic in answer.topics for row in topic.partitions}
            for index in indexes:
                position = committed.get(index, -1)
                self.cluster.invariants.resumed(self.name, index, position, floors[index])
                self.positions[index] = max(position, 0)
                self._read(index, life)
            self._beat()

        self._call(_fetch_offsets, request, 8, answered)

    def _read(self, index: int, life: int) -> None:
        if life != self._life:
            return
        leader = self.leader_of(TOPIC, index)
        if leader is None:
            self.after(RETRY_MS, lambda: self._read(index, life))
            return
        position = self.positions[index]

        def answered(answer: Answer | None) -> None:
            if life != self._life:
                return
            if answer is None or answer.error is not Error.NONE:
                again()
                return
            self.positions[index] = self.cluster.invariants.consumed(self.name, TOPIC, index, position, answer.records)
            self.after(60, lambda: self._read(index, life))

        def again() -> None:
            self.forget(TOPIC, index)
            self.after(RETRY_MS, lambda: self._read(index, life))

        self.ask(leader[0], _reading(TOPIC, index, position, leader[1]), answered, again)

    def _beat(self) -> None:
        """A heartbeat and a commit in turns; both tell when there is a rebalance."""
        life = self._life
        if self.cluster.random.random() < 0.02:
            self.member_id = ""  # it forgets who it was, as a new process would; its session ends
            self._again()
            return
        request = HeartbeatRequest(group_id=self.group, generation_id=self.generation, member_id=self.member_id)

        def answered(answer: Any) -> None:
            if answer is None or answer.error_code != Error.NONE:
                self._lost(answer)
            else:
                self._commit(life)

        self._call(GroupShard.heartbeat, request, 4, answered)

    def _commit(self, life: int) -> None:
        positions = dict(self.positions)
        rows = [
            OffsetCommitRequest.Topic.Partition(partition_index=index, committed_offset=offset, committed_metadata=None)
            for index, offset in positions.items()
        ]
        request = OffsetCommitRequest(
            group_id=self.group,
            generation_id_or_member_epoch=self.generation,
            member_id=self.member_id,
            topics=[OffsetCommitRequest.Topic(name=TOPIC, partitions=rows)],
        )

        def answered(answer: Any) -> None:
            errors = set() if answer is None else {row.error_code for topic in answer.topics for row in topic.partitions}
            if answer is not None and not errors - {Error.NONE}:
                for index, offset in positions.items():
                    self.cluster.invariants.group_committed(self.group, index, offset)
            elif errors & {Error.UNKNOWN_MEMBER_ID, Error.ILLEGAL_GENERATION}:
                self._again()
                return
            self.after(300, lambda: self._beat() if life == self._life else None)

        self._call(GroupShard.commit_offsets, request, 9, answered, 9)


def _fetch_offsets(shard: GroupShard, request: OffsetFetchRequest, token: Any, now_ms: int) -> None:
    shard.fetch_offsets(request.groups[0], False, 8, token, now_ms)


def _reading(topic: str, index: int, position: int, leader_epoch: int) -> Callable[[Node, Callable[[Any], None]], None]:
    def serve(peer: Node, reply: Callable[[Any], None]) -> None:
        found = replica_on(peer, topic, index)
        reply(None if found is None else found.read_for_consumer(position, leader_epoch))

    return serve
