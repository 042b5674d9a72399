"""Histories of groups: members that come, wait for one another, sync, commit, leave, are replaced or forgotten, while topics are deleted and made again.

A member has a connection of its own, on which it waits. Two groups, so that a connection has members of both in turn. What Apache Kafka leaves to chance is
left out: who leads next when a leader of three or more goes.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from barnabas.wire.errors import Error
from barnabas.wire.messages.delete_groups import DeleteGroupsRequest
from barnabas.wire.messages.delete_topics import DeleteTopicsRequest
from barnabas.wire.messages.describe_groups import DescribeGroupsRequest
from barnabas.wire.messages.heartbeat import HeartbeatRequest
from barnabas.wire.messages.join_group import JoinGroupRequest
from barnabas.wire.messages.leave_group import LeaveGroupRequest
from barnabas.wire.messages.list_groups import ListGroupsRequest
from barnabas.wire.messages.offset_commit import OffsetCommitRequest
from barnabas.wire.messages.offset_delete import OffsetDeleteRequest
from barnabas.wire.messages.offset_fetch import OffsetFetchRequest
from barnabas.wire.messages.sync_group import SyncGroupRequest
from tests.differential.lockstep import World
from tests.differential.transcript import wait_for_coordinators
from tests.system.waiting import wait_until

if TYPE_CHECKING:
    from barnabas.wire.schema import Message
    from tests.nodes import Node

GROUPS = ["told-one", "told-two"]
TOPICS = {"kept-a": 2, "kept-b": 1}
MEMBERS = 4
KINDS = {"join": 26, "sync": 22, "beat": 14, "commit": 14, "offsets": 8, "leave": 6, "describe": 6, "list": 3, "delete_offsets": 3, "delete_groups": 2,
         "again": 1, "stranger": 5, "short": 1}  # fmt: skip
_FOREVER_MS = 1_700_000
_SHORT_MS = 300


class Member:
    """One seat: a connection, and who sits there."""

    def __init__(self, line: int, group: str, instance: str | None) -> None:
        self.line = line
        self.group = group
        self.instance = instance
        self.id = ""
        self.generation = -1
        self.leads = False
        self.others: list[str] = []


class GroupWorld(World):
    """The steps. One more connection than members, for those who only look."""

    def __init__(self, node: Node) -> None:
        super().__init__(node, MEMBERS * len(GROUPS) + 1)
        self.members = [
            Member(number + MEMBERS * place, group, f"seat-{number}" if number % 2 else None)
            for place, group in enumerate(GROUPS)
            for number in range(MEMBERS)
        ]
        self.known: dict[int, list[str]] = {}  # connection -> ids of its members
        self.ids: dict[str, list[bytes]] = {name: [] for name in TOPICS}
        for name in TOPICS:
            self.create(name)
        wait_for_coordinators(self.script.client, *GROUPS)

    def reconnect(self) -> None:
        super().reconnect()
        wait_for_coordinators(self.script.client, *GROUPS)

    @property
    def looker(self) -> int:
        return len(self.lines) - 1

    def create(self, name: str) -> None:
        self.ids[name].append(self.script.create_topic(name, TOPICS[name]))
        self.know_topic(name, self.ids[name][-1], len(self.ids[name]))

    # Who is asked

    def a_member(self) -> Member | None:
        free = [member for member in self.members if self.lines[member.line].waits is None]
        return self.random.choice(free) if free else None

    def who(self, member: Member, *, waits: bool = False) -> tuple[str, int]:
        """Its id and generation, or sometimes an older one, or another's, unless the request may wait: who asks again while it waits is answered otherwise."""
        luck = self.random.random()
        if luck < 0.06:
            others = [] if waits else [other.id for other in self.members]
            return self.random.choice([*others, "", "nobody"]), member.generation
        if luck < 0.12:
            return member.id, member.generation + self.random.choice([-1, 1, -5])
        return member.id, member.generation

    def may_go(self, member: Member) -> bool:
        """Who leads three or more may not: Apache Kafka's next leader is the one whose id hashes so."""
        living = [other for other in self.members if other.group == member.group and (other.id or self.lines[other.line].waits)]
        return not member.leads or len(living) <= 2

    def answered(self, number: int, request: Message, version: int, reply: Any) -> None:
        if isinstance(request, JoinGroupRequest):
            member = next(member for member in self.members if member.line == number)
            if reply.error_code in (0, Error.MEMBER_ID_REQUIRED):
                member.id = reply.member_id
                self.known.setdefault(number, []).append(reply.member_id)
                self.names.setdefault(reply.member_id, f"member {len(set(self.known[number]))} of {number}")
            if reply.error_code == 0:
                member.generation = reply.generation_id
                member.leads = reply.leader == reply.member_id
                member.others = [other.member_id for other in reply.members]
            elif reply.error_code in (Error.UNKNOWN_MEMBER_ID, Error.FENCED_INSTANCE_ID):
                self.gone(member)

    def gone(self, member: Member) -> None:
        member.id, member.generation, member.leads = "", -1, False

    def plain(self, reply: Any) -> Any:
        """Members in the order of their names: either engine keeps them in one of its own."""
        kind = type(reply).__name__
        if kind == "JoinGroupResponse":
            return reply.replace(members=sorted([self.masked(member) for member in reply.members], key=repr))
        if kind == "DescribeGroupsResponse":
            return reply.replace(groups=[group.replace(members=[self.masked(member) for member in group.members]) for group in reply.groups])
        if kind == "ListGroupsResponse":
            return reply.replace(groups=[group for group in reply.groups if group.group_id in GROUPS])
        return reply

    def masked(self, member: Any) -> Any:
        """With its name; of who still waits for it, the id isn't known yet."""
        return member.replace(member_id=self.names.get(member.member_id, "somebody"))

    # Steps

    def join(self, member: Member, member_id: str, version: int, session_ms: int = _FOREVER_MS) -> None:
        names = self.random.choice([["range"], ["range"], ["range", "roundrobin"], ["roundrobin", "range"], ["roundrobin", "range", "sticky"]])
        names = ["odd"] if self.random.random() < 0.02 else names
        topics = self.random.choice([["kept-a"], ["kept-a", "kept-b"]])
        parts = b"".join(struct.pack(">h", len(topic)) + topic.encode() for topic in topics)
        told = struct.pack(">hi", self.random.choice([0, 1]) if session_ms != _FOREVER_MS else 0, len(topics)) + parts + struct.pack(">i", -1)
        request = JoinGroupRequest(
            group_id=member.group,
            session_timeout_ms=session_ms,
            rebalance_timeout_ms=_FOREVER_MS,
            member_id=member_id,
            group_instance_id=member.instance if version >= 5 else None,
            protocol_type="consumer" if self.random.random() < 0.98 else "connect",
            protocols=[JoinGroupRequest.Protocol(name=name, metadata=told) for name in names],
        )
        self.ask(member.line, request, version)

    def step_join(self) -> None:
        member = self.a_member()
        if member is None:
            return
        member_id = member.id if self.random.random() < 0.9 else self.who(member, waits=True)[0]
        if member_id == "" and member.id and (member.instance is None or not self.may_go(member)):
            member_id = member.id  # an id is given up by leaving
        version = self.random.choice([5, 6, 7, 8, 9]) if member.instance else self.random.choice([2, 3, 4, 5, 7, 9])
        self.join(member, member_id, version)

    def step_sync(self) -> None:
        member = self.a_member()
        if member is None:
            return
        if self.random.random() < 0.6:  # rather a leader
            leaders = [other for other in self.members if other.leads and self.lines[other.line].waits is None]
            member = self.random.choice(leaders) if leaders else member
        member_id, generation = self.who(member, waits=True)
        version = self.random.choice([3, 4, 5]) if member.instance else self.random.randint(0, 5)
        given = [
            SyncGroupRequest.Assignment(member_id=other, assignment=b"%d" % number)
            for number, other in enumerate(sorted(member.others, key=self.name_of))
        ]
        request = SyncGroupRequest(
            group_id=member.group,
            generation_id=generation,
            member_id=member_id,
            group_instance_id=member.instance,
            assignments=given if member.leads else [],
        )
        if version >= 5:
            request.protocol_type = self.random.choice(["consumer", "consumer", None])
        self.ask(member.line, request, version)

    def name_of(self, member_id: str) -> str:
        return self.names.get(member_id, "")

    def step_beat(self) -> None:
        member = self.a_member()
        if member is not None:
            member_id, generation = self.who(member)
            version = self.random.choice([3, 4]) if member.instance else self.random.randint(0, 4)
            request = HeartbeatRequest(group_id=member.group, generation_id=generation, member_id=member_id, group_instance_id=member.instance)
            self.call(member.line, request, version)

    def step_commit(self) -> None:
        member = self.a_member()
        if member is None:
            return
        member_id, generation = self.who(member) if self.random.random() < 0.75 else ("", -1)
        version = self.random.choice([7, 8, 9, 10]) if member.instance else self.random.randint(2, 10)
        topic = OffsetCommitRequest.Topic
        topics = []
        for name in {self.random.choice([*TOPICS, "kept-nowhere"]) for _ in range(2)}:
            part = topic.Partition(partition_index=self.random.randrange(3), committed_offset=self.random.randrange(100), committed_metadata="m")
            if version >= 6:
                part.committed_leader_epoch = self.random.choice([-1, 0, 3])
            known = self.random.choice([*self.ids.get(name, [b"\x16" * 16]), *[self.ids.get(name, [b"\x16" * 16])[-1]] * 5])
            topics.append(topic(name=name, topic_id=known, partitions=[part]))
        request = OffsetCommitRequest(
            group_id=member.group,
            generation_id_or_member_epoch=generation,
            member_id=member_id,
            group_instance_id=member.instance if member_id else None,
            topics=sorted(topics, key=lambda each: each.name),
        )
        self.call(member.line, request, version)

    def step_offsets(self) -> None:
        version = self.random.randint(1, 10)
        named = self.random.random() < 0.6 or version == 1
        wanted = {name: list(range(3)) for name in [*TOPICS, "kept-nowhere"]}
        group = self.random.choice([*GROUPS, *GROUPS, "told-never"])
        if version < 8:
            topics = [OffsetFetchRequest.Topic(name=name, partition_indexes=parts) for name, parts in wanted.items()] if named else None
            self.call(self.looker, OffsetFetchRequest(group_id=group, topics=topics), version)
            return
        ask = OffsetFetchRequest.Group
        groups = []
        for each in sorted({group, self.random.choice(GROUPS)}):
            found = [
                ask.Topics(name=name, topic_id=self.random.choice([*self.ids.get(name, [b"\x16" * 16])]), partition_indexes=parts)
                for name, parts in wanted.items()
            ]
            groups.append(ask(group_id=each, topics=found if named else None))
        self.call(self.looker, OffsetFetchRequest(groups=groups), version)

    def step_leave(self) -> None:
        member = self.a_member()
        if member is None or not self.may_go(member):
            return
        version = self.random.randint(0, 5)
        member_id = member.id or "nobody"
        if version < 3:
            self.call(member.line, LeaveGroupRequest(group_id=member.group, member_id=member_id), version)
        else:
            identity = LeaveGroupRequest.MemberIdentity(member_id=member_id, group_instance_id=member.instance)
            if member.instance and self.random.random() < 0.4:
                identity.member_id = ""
            self.call(member.line, LeaveGroupRequest(group_id=member.group, members=[identity]), version)
        self.gone(member)

    def step_stranger(self) -> None:
        """Requests that name a member that there isn't, or one of the other group."""
        member = self.a_member()
        if member is None:
            return
        other = self.random.choice(self.members)
        stranger = Member(member.line, member.group, None)
        stranger.id, stranger.generation = other.id or "nobody", self.random.choice([other.generation, 0, 1, 2])
        request: Message = HeartbeatRequest(group_id=stranger.group, generation_id=stranger.generation, member_id=stranger.id)
        if self.random.random() < 0.5 and other.group != member.group:
            request = SyncGroupRequest(group_id=stranger.group, generation_id=stranger.generation, member_id=stranger.id, assignments=[])
        self.call(stranger.line, request, 3)

    def step_describe(self) -> None:
        self.call(self.looker, DescribeGroupsRequest(groups=[*GROUPS, "told-never"]), self.random.randint(0, 6))

    def step_list(self) -> None:
        version = self.random.choice([0, 3, 4, 5])
        states = self.random.choice([[], ["Stable"], ["Empty", "PreparingRebalance"], ["CompletingRebalance"]]) if version >= 4 else []
        self.call(self.looker, ListGroupsRequest(states_filter=states), version)

    def step_delete_offsets(self) -> None:
        ask = OffsetDeleteRequest.Topic
        name = self.random.choice([*TOPICS, "kept-nowhere"])
        parts = [ask.Partition(partition_index=self.random.randrange(3))]
        self.call(self.looker, OffsetDeleteRequest(group_id=self.random.choice(GROUPS), topics=[ask(name=name, partitions=parts)]), 0)

    def step_delete_groups(self) -> None:
        self.call(self.looker, DeleteGroupsRequest(groups_names=[self.random.choice([*GROUPS, "told-never"])]), self.random.randint(0, 2))

    def step_again(self) -> None:
        """A topic is deleted, and made again with its name: what was committed for it is gone."""
        name = self.random.choice(list(TOPICS))
        self.call(self.looker, DeleteTopicsRequest(topics=[DeleteTopicsRequest.DeleteTopicState(name=name)], timeout_ms=30_000), 6)
        self.script.settle()
        self.create(name)
        self.script.settle()

    def step_short(self) -> None:
        """A member that comes for a moment: its session is over before the next step."""
        member = next((other for other in self.members if not other.id and self.lines[other.line].waits is None and other.instance is None), None)
        alone = member is not None and not any(other.id for other in self.members if other.group == member.group)
        if member is None or not alone:
            return
        self.join(member, "", 3, _SHORT_MS)
        wait_until(lambda: self.poll() or self.lines[member.line].waits is None)
        described = DescribeGroupsRequest(groups=[member.group])
        wait_until(lambda: not self.script.client.call(described, 0).groups[0].members)
        self.gone(member)
