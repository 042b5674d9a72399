"""The group coordinator of this node: finds the shard of a group, on its own thread, and answers for shards that aren't here.

Handlers call in from network threads and get their answer by the callback they give, on the coordinators' thread. Owns which partitions
of __consumer_offsets are led here (`elect`, `resign`) and how requests for several groups are split and put together again. Rules are
`barnabas.core.groups`; shards are hosted by `hosted_shard`.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from barnabas.core.groups import answers
from barnabas.core.groups.joining import join_request_error
from barnabas.core.groups.member_memory import DEFAULT_MAX_BYTES, MemberMemory
from barnabas.core.groups.partitioning import partition_for
from barnabas.core.groups.shard import GroupShard
from barnabas.node.coordinators.gathering import Gathering, Once
from barnabas.node.coordinators.hosted_shard import ACTIVE, LOADING, HostedShard
from barnabas.node.coordinators.partition_log import PartitionLog
from barnabas.node.coordinators.steady_clock import SteadyClock
from barnabas.node.request_memory import memory_share
from barnabas.wire.errors import Error
from barnabas.wire.messages.delete_groups import DeleteGroupsResponse
from barnabas.wire.messages.list_groups import ListGroupsResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from barnabas.core.groups.context import Caller
    from barnabas.core.groups.settings import GroupSettings
    from barnabas.node.loop import Loop
    from barnabas.node.partition import Partition
    from barnabas.wire.messages.describe_groups import DescribeGroupsResponse
    from barnabas.wire.messages.heartbeat import HeartbeatRequest
    from barnabas.wire.messages.join_group import JoinGroupRequest
    from barnabas.wire.messages.leave_group import LeaveGroupRequest
    from barnabas.wire.messages.offset_commit import OffsetCommitRequest
    from barnabas.wire.messages.offset_delete import OffsetDeleteRequest
    from barnabas.wire.messages.offset_fetch import OffsetFetchRequest, OffsetFetchResponse
    from barnabas.wire.messages.sync_group import SyncGroupRequest

    Answer = Callable[[Any], None]


class GroupCoordinator:
    """`partition_count()` is that of __consumer_offsets as the metadata has it; `settings()` the present configuration.

    All public methods may be called from any thread and return at once.
    """

    def __init__(
        self,
        loop: Loop,
        partition_count: Callable[[], int],
        settings: Callable[[], GroupSettings],
        *,
        codec: int = 0,
        warn: Callable[[str], object] = print,
    ) -> None:
        self._loop = loop
        self._partition_count = partition_count
        self._settings = settings
        self._codec = codec
        self._warn = warn
        self._clock = SteadyClock(self._clock_set)
        self._shards: dict[int, HostedShard] = {}
        self._member_memory = MemberMemory(min(DEFAULT_MAX_BYTES, memory_share()))

    # Leadership

    def elect(self, partition: Partition, leader_epoch: int) -> None:
        """This node leads a partition of __consumer_offsets, from `leader_epoch` on."""
        self._loop.call(self._elect, partition, leader_epoch)

    def resign(self, index: int, leader_epoch: int | None = None) -> None:
        """It leads it no longer. An epoch below the one that it was elected in is old news; None means: whatever the epoch, it is gone."""
        self._loop.call(self._resign, index, leader_epoch)

    def forget_topics(self, topics: Iterable[tuple[str, bytes]]) -> None:
        """Topics (name, id) have been deleted: their offsets go too (G16)."""
        self._loop.call(self._forget_topics, list(topics))

    def close(self) -> None:
        """Resign from everything."""
        self._loop.call(self._close)

    def _elect(self, partition: Partition, leader_epoch: int) -> None:
        hosted = self._shards.get(partition.index)
        if hosted is not None:
            if leader_epoch < hosted.epoch:
                return
            hosted.epoch = leader_epoch
            if hosted.state in (ACTIVE, LOADING) and hosted.log.partition is partition:
                return
            hosted.close()
        log = PartitionLog(partition, base_sequence=0, codec=self._codec)
        host = (self._loop, self._clock.now_ms, _new_id, self._warn)
        hosted = self._shards[partition.index] = HostedShard(partition.index, leader_epoch, log, self._settings(), host, self._member_memory)
        hosted.load()

    def _resign(self, index: int, leader_epoch: int | None) -> None:
        hosted = self._shards.get(index)
        if hosted is not None and (leader_epoch is None or leader_epoch >= hosted.epoch):
            del self._shards[index]
            hosted.close()

    def _forget_topics(self, topics: list[tuple[str, bytes]]) -> None:
        for hosted in self._shards.values():
            for topic, topic_id in topics:
                hosted.forget_topic(topic, topic_id)

    def _close(self) -> None:
        for index in list(self._shards):
            self._resign(index, None)

    def _clock_set(self, by_ms: int) -> None:
        for hosted in self._shards.values():
            hosted.clock_set(by_ms)

    # Calls for one group

    def join_group(self, request: JoinGroupRequest, caller: Caller, answer: Answer) -> None:
        error = join_request_error(self._settings(), request)
        if error:
            answer(answers.join_error(error, request.member_id))
            return
        self._loop.hand(self._run, request.group_id, GroupShard.join_group, (request, caller), answer, answers.join_error)

    def sync_group(self, request: SyncGroupRequest, answer: Answer) -> None:
        self._submit(request.group_id, GroupShard.sync_group, (request,), answer, answers.sync_error)

    def heartbeat(self, request: HeartbeatRequest, answer: Answer) -> None:
        self._submit(request.group_id, GroupShard.heartbeat, (request,), answer, _heartbeat_error)

    def leave_group(self, request: LeaveGroupRequest, answer: Answer) -> None:
        self._submit(request.group_id, GroupShard.leave_group, (request,), answer, answers.leave_error)

    def commit_offsets(self, request: OffsetCommitRequest, version: int, answer: Answer) -> None:
        refuse = partial(answers.commit_error, request)
        self._loop.hand(self._run, request.group_id, GroupShard.commit_offsets, (request, version), answer, refuse)

    def delete_offsets(self, request: OffsetDeleteRequest, answer: Answer) -> None:
        self._submit(request.group_id, GroupShard.delete_offsets, (request,), answer, answers.offset_delete_error)

    def _submit(self, group_id: str, call: Callable[..., None], arguments: tuple[Any, ...], answer: Answer, refuse: Callable[[Error], Any]) -> None:
        if not group_id:
            answer(refuse(Error.INVALID_GROUP_ID))
            return
        self._loop.hand(self._run, group_id, call, arguments, answer, refuse)

    def _run(self, group_id: str, call: Callable[..., None], arguments: tuple[Any, ...], answer: Answer, refuse: Callable[[Error], Any]) -> None:
        hosted = self._shards.get(partition_for(group_id, self._partition_count()))
        error = Error.NOT_COORDINATOR if hosted is None else hosted.error
        if hosted is None or error:
            answer(refuse(error))
            return
        once = Once(answer)
        try:
            call(hosted.shard, *arguments, once, self._clock.now_ms())
        except Exception as failure:  # a fault of ours in one request: its client is told, the others go on
            self._warn(f"{call.__name__} of group {group_id} failed: {failure!r}")
            once(refuse(Error.UNKNOWN_SERVER_ERROR))
        hosted.after_step()

    # Calls for several groups

    def fetch_offsets(
        self,
        groups: Sequence[OffsetFetchRequest.Group],
        require_stable: bool,
        version: int,
        answer: Callable[[list[OffsetFetchResponse.Group]], None],
    ) -> None:
        """One answer a group, in the order of the request."""
        self._loop.hand(self._fetch_offsets, groups, require_stable, version, answer)

    def _fetch_offsets(
        self,
        groups: Sequence[OffsetFetchRequest.Group],
        require_stable: bool,
        version: int,
        answer: Callable[[list[OffsetFetchResponse.Group]], None],
    ) -> None:
        gathering: Gathering[OffsetFetchResponse.Group] = Gathering(len(groups), answer)
        for place, group in enumerate(groups):
            refuse = partial(_fetch_error, group, version)
            self._run(group.group_id, GroupShard.fetch_offsets, (group, require_stable, version), gathering.part(place), refuse)

    def delete_groups(self, group_ids: Sequence[str], answer: Callable[[list[DeleteGroupsResponse.DeletableGroupResult]], None]) -> None:
        self._loop.call(self._delete_groups, group_ids, answer)

    def _delete_groups(self, group_ids: Sequence[str], answer: Callable[[list[DeleteGroupsResponse.DeletableGroupResult]], None]) -> None:
        by_partition = self._by_partition(group_ids)

        def done(parts: list[DeleteGroupsResponse]) -> None:
            answer([result for part in parts for result in part.results])

        gathering: Gathering[DeleteGroupsResponse] = Gathering(len(by_partition), done)
        for place, ids in enumerate(by_partition.values()):
            self._run(ids[0], GroupShard.delete_groups, (ids,), gathering.part(place), partial(answers.delete_error, ids))

    def describe_groups(self, group_ids: Sequence[str], version: int, answer: Callable[[list[DescribeGroupsResponse.DescribedGroup]], None]) -> None:
        self._loop.call(self._describe_groups, group_ids, version, answer)

    def _describe_groups(self, group_ids: Sequence[str], version: int, answer: Callable[[list[DescribeGroupsResponse.DescribedGroup]], None]) -> None:
        described = []
        for index, ids in self._by_partition(group_ids).items():
            hosted = self._shards.get(index)
            error = Error.NOT_COORDINATOR if hosted is None else hosted.error
            if hosted is None or error:
                described += [answers.describe_error(group_id, error) for group_id in ids]
            else:
                described += hosted.shard.describe_groups(ids, version)
        answer(described)

    def list_groups(self, states: Sequence[str], types: Sequence[str], answer: Callable[[ListGroupsResponse], None]) -> None:
        """All groups that this node coordinates; 14 if it hasn't loaded all of its partitions yet."""
        self._loop.call(self._list_groups, states, types, answer)

    def _list_groups(self, states: Sequence[str], types: Sequence[str], answer: Callable[[ListGroupsResponse], None]) -> None:
        hosted = self._shards.values()
        if any(each.state == LOADING for each in hosted):
            answer(ListGroupsResponse(error_code=Error.COORDINATOR_LOAD_IN_PROGRESS, groups=[]))
            return
        groups = [group for each in hosted if each.state == ACTIVE for group in each.shard.list_groups(states, types)]
        answer(ListGroupsResponse(error_code=Error.NONE, groups=groups))

    def _by_partition(self, group_ids: Sequence[str]) -> dict[int, list[str]]:
        count = self._partition_count()
        found: dict[int, list[str]] = {}
        for group_id in group_ids:
            found.setdefault(partition_for(group_id, count), []).append(group_id)
        return found


def _heartbeat_error(error: Error) -> Any:
    """While the group is loading its members are told that all is well: they would only ask for the coordinator again."""
    return answers.heartbeat_error(Error.NONE if error is Error.COORDINATOR_LOAD_IN_PROGRESS else error)


def _fetch_error(group: OffsetFetchRequest.Group, version: int, error: Error) -> OffsetFetchResponse.Group:
    return answers.fetch_error(group, error, version)


def _new_id() -> str:
    """A random UUID (version 4) as text."""
    value = bytearray(os.urandom(16))
    value[6] = value[6] & 0x0F | 0x40
    value[8] = value[8] & 0x3F | 0x80
    text = value.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
