"""The same group requests to both engines: FindCoordinator (W30), the classic protocol's steps and errors (G15-G21), offsets, describing, deleting.

Member ids are random: they are shown as "member N" in the order in which the node handed them out.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import pytest

from barnabas.wire.errors import Error
from barnabas.wire.messages.delete_groups import DeleteGroupsRequest
from barnabas.wire.messages.describe_groups import DescribeGroupsRequest
from barnabas.wire.messages.find_coordinator import FindCoordinatorRequest
from barnabas.wire.messages.heartbeat import HeartbeatRequest
from barnabas.wire.messages.join_group import JoinGroupRequest
from barnabas.wire.messages.leave_group import LeaveGroupRequest
from barnabas.wire.messages.list_groups import ListGroupsRequest
from barnabas.wire.messages.offset_commit import OffsetCommitRequest
from barnabas.wire.messages.offset_delete import OffsetDeleteRequest
from barnabas.wire.messages.offset_fetch import OffsetFetchRequest
from barnabas.wire.messages.sync_group import SyncGroupRequest
from tests.differential.transcript import Transcript, assert_same, module_scripts, wait_for_coordinators

if TYPE_CHECKING:
    from barnabas.wire.schema import Message
    from tests.nodes import Node

pytestmark = [pytest.mark.apache, pytest.mark.node]


FOREVER_MS = 1_700_000  # whoever lists groups later finds members as they were left
# A subscription to one topic, as consumers encode it: Apache's coordinator never answers a join whose metadata it can't read.
SUBSCRIPTION = struct.pack(">hih6si", 0, 1, 6, b"joined", -1)
ASSIGNMENT = struct.pack(">hih6siii", 0, 1, 6, b"joined", 1, 0, -1)  # of its partition 0: Apache's tools read those of all members


class Members:
    """Calls whose replies name members by number."""

    def __init__(self, script: Transcript) -> None:
        self.script = script
        self.known: list[str] = []

    def call(self, request: Message, version: int, note: str = "") -> Any:
        reply = self.script.client.call(request, version)
        member_id = getattr(reply, "member_id", "")
        if member_id and member_id not in self.known:
            self.known.append(member_id)
        shown = repr(self.script.normal("", reply))
        for number, known in enumerate(self.known):
            shown = shown.replace(known, f"member {number}")
        self.script.note(f"{type(request).__name__.removesuffix('Request')} {version} {note}".rstrip(), shown)
        return reply


def find_coordinator(script: Transcript) -> None:
    wait_for_coordinators(script.client, "found")
    for version in range(4):
        script.call(FindCoordinatorRequest(key="found"), version)
        script.call(FindCoordinatorRequest(key=""), version, "empty")
    for version in (1, 2, 3):
        script.call(FindCoordinatorRequest(key="found", key_type=9), version, "type 9")
    for version in range(4, 7):
        script.call(FindCoordinatorRequest(coordinator_keys=["found", "", "other"]), version)
        script.call(FindCoordinatorRequest(coordinator_keys=[]), version, "nothing")
        script.call(FindCoordinatorRequest(coordinator_keys=["found"], key_type=9), version, "type 9")


def joining(
    group: str,
    member: str = "",
    protocols: tuple[str, ...] = ("range",),
    session_ms: int = FOREVER_MS,
    kind: str = "consumer",
    instance: str | None = None,
) -> JoinGroupRequest:
    asked = [JoinGroupRequest.Protocol(name=name, metadata=SUBSCRIPTION) for name in protocols]
    return JoinGroupRequest(
        group_id=group,
        session_timeout_ms=session_ms,
        rebalance_timeout_ms=FOREVER_MS,
        member_id=member,
        group_instance_id=instance,
        protocol_type=kind,
        protocols=asked,
    )


def syncing(group: str, generation: int, member: str, assignments: dict[str, bytes] | None = None, instance: str | None = None) -> SyncGroupRequest:
    given = [SyncGroupRequest.Assignment(member_id=name, assignment=what) for name, what in (assignments or {}).items()]
    return SyncGroupRequest(group_id=group, generation_id=generation, member_id=member, group_instance_id=instance, assignments=given)


def a_group_of_one(script: Transcript) -> None:
    members = Members(script)
    for version in range(10):
        group = f"one-{version}"
        wait_for_coordinators(script.client, group)
        joined = members.call(joining(group), version)
        if joined.error_code == Error.MEMBER_ID_REQUIRED:
            joined = members.call(joining(group, joined.member_id), version, "with the id")
        member, generation = joined.member_id, joined.generation_id
        script.call(HeartbeatRequest(group_id=group, generation_id=generation, member_id=member), 3, "before the sync")
        members.call(syncing(group, generation, member, {member: b"all"}), min(version, 5))
        script.call(HeartbeatRequest(group_id=group, generation_id=generation, member_id=member), min(version, 4), "after the sync")
        script.call(HeartbeatRequest(group_id=group, generation_id=generation + 1, member_id=member), 3, "wrong generation")
        script.call(HeartbeatRequest(group_id=group, generation_id=generation, member_id="x"), 3, "wrong member")
        members.call(syncing(group, generation, member), min(version, 5), "again")
        members.call(syncing(group, generation + 1, member), 5, "wrong generation")
        members.call(syncing(group, generation, "x"), 5, "wrong member")
        members.call(DescribeGroupsRequest(groups=[group]), min(version, 6))
        members.call(joining(group, member), version, "again, as before")
        members.call(joining(group, "x"), version, "unknown member")
        leaver = [LeaveGroupRequest.MemberIdentity(member_id=member)]
        left = LeaveGroupRequest(group_id=group, member_id=member) if version < 3 else LeaveGroupRequest(group_id=group, members=leaver)
        members.call(left, min(version, 5))
        members.call(left, min(version, 5), "again")
        members.call(DescribeGroupsRequest(groups=[group]), min(version, 6), "empty")


def joins_that_are_refused(script: Transcript) -> None:
    wait_for_coordinators(script.client, "refused")
    members = Members(script)
    for version in (3, 5, 9):
        members.call(joining(""), version, "no group")
        members.call(joining("refused", session_ms=1), version, "session too short")
        members.call(joining("refused", session_ms=10_000_000), version, "session too long")
        members.call(joining("refused", protocols=()), version, "no protocols")
        members.call(joining("refused", kind=""), version, "no protocol type")
        members.call(joining("refused", "stranger"), version, "unknown member")
        members.call(joining("refused", "", instance=""), max(version, 5), "empty instance id")
    wait_for_coordinators(script.client, "refused-other")
    first = members.call(joining("refused-other"), 3)
    members.call(syncing("refused-other", first.generation_id, first.member_id, {first.member_id: ASSIGNMENT}), 3)
    members.call(joining("refused-other", protocols=("other",)), 3, "no protocol in common")
    members.call(joining("refused-other", kind="connect"), 3, "another type")
    members.call(DeleteGroupsRequest(groups_names=["refused-other", "refused-absent", ""]), 2, "not empty")


def static_members(script: Transcript) -> None:
    """KIP-345: the same instance again replaces the member; the old one is fenced."""
    wait_for_coordinators(script.client, "static")
    members = Members(script)
    first = members.call(joining("static", instance="i1"), 5)
    members.call(syncing("static", first.generation_id, first.member_id, {first.member_id: ASSIGNMENT}, "i1"), 5)
    again = members.call(joining("static", instance="i1"), 5, "the same instance")
    members.call(syncing("static", again.generation_id, again.member_id, {again.member_id: ASSIGNMENT}, "i1"), 5)
    for member in (first.member_id, again.member_id, "x"):
        beat = HeartbeatRequest(group_id="static", generation_id=again.generation_id, member_id=member, group_instance_id="i1")
        members.call(beat, 4, "heartbeat")
        members.call(joining("static", member, instance="i1"), 5, "join")
        members.call(syncing("static", again.generation_id, member, {}, "i1"), 5, "sync")
    members.call(HeartbeatRequest(group_id="static", generation_id=1, member_id=first.member_id, group_instance_id="other"), 4, "another instance")
    members.call(DescribeGroupsRequest(groups=["static"]), 5)
    for leaver in (("", "i2"), ("x", "i1"), ("", "i1"), ("", "i1")):
        identity = LeaveGroupRequest.MemberIdentity(member_id=leaver[0], group_instance_id=leaver[1])
        members.call(LeaveGroupRequest(group_id="static", members=[identity]), 4, str(leaver))


def _commit(
    group: str,
    topic: str,
    offset: int,
    *,
    generation: int = -1,
    member: str = "",
    partition: int = 0,
    metadata: str | None = "m",
    topic_id: bytes = bytes(16),
) -> OffsetCommitRequest:
    part = OffsetCommitRequest.Topic.Partition(partition_index=partition, committed_offset=offset, committed_metadata=metadata)
    topics = [OffsetCommitRequest.Topic(name=topic, topic_id=topic_id, partitions=[part])]
    return OffsetCommitRequest(group_id=group, generation_id_or_member_epoch=generation, member_id=member, topics=topics)


def _offsets(group: str, topics: dict[str, list[int]] | None, version: int, ids: dict[str, bytes] | None = None) -> OffsetFetchRequest:
    if version < 8:
        asked = None if topics is None else [OffsetFetchRequest.Topic(name=name, partition_indexes=parts) for name, parts in topics.items()]
        return OffsetFetchRequest(group_id=group, topics=asked)
    ask = OffsetFetchRequest.Group
    wanted = (
        None
        if topics is None
        else [ask.Topics(name=name, topic_id=(ids or {}).get(name, bytes(16)), partition_indexes=parts) for name, parts in topics.items()]
    )
    return OffsetFetchRequest(groups=[ask(group_id=group, topics=wanted)])


def offsets(script: Transcript) -> None:
    topic_id = script.create_topic("committed", 2)
    wait_for_coordinators(script.client, "offsets")
    for version in range(2, 10):
        script.call(_commit("offsets", "committed", 10 + version), version, "simple")
        script.call(_commit("offsets", "committed-absent", 1), version, "absent topic")
        script.call(_commit("offsets", "committed", 1, partition=7), version, "absent partition")
        script.call(_commit("offsets", "committed", 1, metadata="x" * 5000), version, "long metadata")
        script.call(_commit("offsets", "committed", 1, metadata=None, partition=1), version, "null metadata")
        script.call(_commit("", "committed", 1), version, "no group")
        script.call(_commit("offsets", "committed", 1, generation=3, member="x"), version, "not a member")
        script.call(_commit("offsets", "committed", -5, partition=1), version, "negative offset")
        script.call(OffsetCommitRequest(group_id="offsets", topics=[]), version, "nothing")
        for topics in (("committed-absent", "committed-absent"), ("committed", "committed-absent", "committed")):
            twice = [topic for n, name in enumerate(topics) for topic in _commit("offsets", name, 1, partition=9 * n).topics]
            script.call(OffsetCommitRequest(group_id="offsets", topics=twice), version, f"{topics}")
    script.call(_commit("offsets", "", 99, topic_id=topic_id), 10, "by id")
    script.call(_commit("offsets", "", 99, topic_id=b"\3" * 16), 10, "by an unknown id")
    ids = {"committed": topic_id, "committed-absent": b"\3" * 16}
    for version in range(1, 11):
        script.call(_offsets("offsets", {"committed": [0, 1, 7], "committed-absent": [0]}, version, ids), version)
        script.call(_offsets("offsets-absent", {"committed": [0]}, version, ids), version, "absent group")
        script.call(_offsets("offsets", {}, version), version, "no topics")
        script.call(_offsets("", {"committed": [0]}, version, ids), version, "no group")
        if version >= 2:
            script.call(_offsets("offsets", None, version), version, "all")
    ask = OffsetDeleteRequest.Topic
    for group, topic, partition in (
        ("offsets", "committed", 0),
        ("offsets", "committed", 9),
        ("offsets", "committed-absent", 0),
        ("offsets-absent", "committed", 0),
    ):
        request = OffsetDeleteRequest(group_id=group, topics=[ask(name=topic, partitions=[ask.Partition(partition_index=partition)])])
        script.call(request, 0, f"{group} {topic} {partition}")
        script.call(OffsetDeleteRequest(group_id=group, topics=[ask(name=topic, partitions=[])]), 0, f"{group} {topic} without partitions")
        twice = [ask(name=topic, partitions=[ask.Partition(partition_index=index)]) for index in (8, 1, 7)]
        script.call(OffsetDeleteRequest(group_id=group, topics=twice), 0, f"{group} {topic} again and again")
    script.call(_offsets("offsets", {"committed": [0, 1]}, 9), 9, "after the deletion")
    for version in range(7):
        script.call(DescribeGroupsRequest(groups=["offsets", "offsets-absent", ""]), version)
    for version in range(3):
        script.call(DeleteGroupsRequest(groups_names=["offsets", "offsets-absent", ""]), version)
    script.call(_offsets("offsets", None, 8), 8, "after the group's deletion")


def list_groups(script: Transcript) -> None:
    wait_for_coordinators(script.client, "listed")
    script.create_topic("listed")
    script.call(_commit("listed-empty", "listed", 1), 8)
    joined = script.client.call(joining("listed-stable"), 3)
    script.client.call(syncing("listed-stable", joined.generation_id, joined.member_id, {joined.member_id: b""}), 3)
    script.client.call(joining("listed-completing"), 3)
    for version, states, types in (
        (0, [], []),
        (3, [], []),
        (4, [], []),
        (4, ["Stable"], []),
        (4, ["stable", "EMPTY"], []),
        (4, ["Nonsense"], []),
        (5, [], ["classic"]),
        (5, ["Empty"], ["Classic"]),
        (5, [], ["consumer"]),
        (5, [], ["nonsense"]),
    ):
        reply = script.client.call(ListGroupsRequest(states_filter=states, types_filter=types), version)
        reply.groups = [group for group in reply.groups if group.group_id.startswith("listed")]
        script.note(f"ListGroups {version} {states} {types}", reply)


@pytest.mark.parametrize("script", module_scripts(__name__), ids=lambda script: script.__name__)
def test_same_replies(script: object, apache_node: Node, barnabas_node: Node) -> None:
    assert_same(script, apache_node, barnabas_node)  # type: ignore[arg-type]
