"""The same plays with real nodes on the stage, Apache Kafka's and ours: the same answers; then the other engine on the same directories, which must
find the same groups and offsets (G3-G11, G20). Records are compared by what either engine makes of them."""

from __future__ import annotations

import itertools
import re
import select
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import pytest

from barnabas.core.groups.settings import GroupSettings
from barnabas.core.groups.shard import GroupShard
from barnabas.wire.apis import APIS
from barnabas.wire.framing import encode_request, read_response_header
from barnabas.wire.messages.create_topics import CreateTopicsRequest
from barnabas.wire.messages.delete_groups import DeleteGroupsRequest
from barnabas.wire.messages.describe_groups import DescribeGroupsRequest
from barnabas.wire.messages.list_groups import ListGroupsRequest
from barnabas.wire.messages.offset_fetch import OffsetFetchRequest
from barnabas.wire.records.batch import iterate_headers
from tests.differential.transcript import Client, settle_by, wait_for_coordinators
from tests.nodes import APACHE, BARNABAS, Engine, Node
from tests.scenarios.groups.stage import Actor, MemoryLog, Stage
from tests.scenarios.groups.test_plays import PLAYS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from barnabas.core.groups.context import Caller
    from barnabas.wire.schema import Message
    from tests.conftest import NodeFactory

pytestmark = [pytest.mark.apache]

ANSWER_S = 20.0  # until an answer that must come has come
LOOK_S = 0.03  # for an answer that mustn't come: so many looks, since a machine that stands still lets time pass for all
QUIET_LOOKS = 20  # and until the node has done what it was asked
FEW_LOOKS = 2  # after those that must
PERFORMANCES, LATE_S = 3, 1.0
NAMES = {
    "initial_rebalance_delay_ms": "group.initial.rebalance.delay.ms",
    "max_size": "group.max.size",
    "offset_metadata_max_length": "offset.metadata.max.bytes",
}
MEMBER_ID = re.compile(r"\b([a-z]{3}[a-z0-9]*)-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d+)\b")


class Late(Exception):
    """A play went otherwise than it is written, and a line of it took so long that members may have missed what they had to do."""


class Connection:
    def __init__(self, port: int, name: str) -> None:
        self.name = name
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.buffer = b""
        self.asked: list[tuple[object, int, int]] = []

    def send(self, request: Message, version: int, token: object) -> None:
        self.asked.append((token, request.api_key, version))
        self.socket.sendall(encode_request(APIS[request.api_key], version, 1, self.name, request))

    def read(self) -> list[tuple[object, Any]]:
        self.buffer += self.socket.recv(1 << 20)
        answers = []
        while len(self.buffer) >= 4 and len(self.buffer) >= (size := struct.unpack_from(">i", self.buffer)[0] + 4):
            frame, self.buffer = self.buffer[4:size], self.buffer[size:]
            token, key, version = self.asked.pop(0)
            api = APIS[key]
            _, position = read_response_header(frame, api, version)
            answers.append((token, api.response().decode_from(frame, version, position)[0]))
        return answers


class RemoteShard:
    """A node that is asked as a shard would be. Each actor has a connection. Groups' names have a prefix there that the play doesn't see."""

    has_unwritten = False

    def __init__(self, port: int, prefix: str) -> None:
        self.port = port
        self.prefix = prefix
        self.connections: dict[str, Connection] = {}
        self.expected = 0

    def close(self) -> None:
        for connection in self.connections.values():
            connection.socket.close()

    def connection(self, name: str) -> Connection:
        if name not in self.connections:
            self.connections[name] = Connection(self.port, name)
        return self.connections[name]

    def send(self, token: Any, request: Message, version: int) -> None:
        who = token[0]
        self.connection(who.name if isinstance(who, Actor) else who).send(request, version, token)

    def call(self, request: Message, version: int) -> Any:
        connection = self.connection("director")
        connection.send(request, version, None)
        while not (answers := connection.read()):
            pass
        return answers[0][1]

    def take_replies(self) -> list[tuple[object, Any]]:
        """`expected` answers, or more, or fewer when no more come."""
        answers: list[tuple[object, Any]] = []
        looks = 0
        while True:
            missing = len(answers) < self.expected
            readable = select.select([each.socket for each in self.connections.values()], [], [], ANSWER_S if missing else LOOK_S)[0]
            looks = 0 if readable else looks + 1
            if (missing and not readable) or looks == (FEW_LOOKS if answers else QUIET_LOOKS):
                return answers
            answers += [answer for each in self.connections.values() if each.socket in readable for answer in each.read()]

    def ask(self, token: object, request: Any, version: int) -> None:
        """Of the group that it names."""
        request.group_id = self.prefix + request.group_id
        self.send(token, request, version)

    def unprefixed(self, rows: Sequence[Any]) -> list[Any]:
        found = [row for row in rows if row.group_id.startswith(self.prefix)]
        for row in found:
            row.group_id = row.group_id.removeprefix(self.prefix)
        return found

    def flush(self) -> None:
        pass

    def next_deadline_ms(self) -> None:
        return None

    def join_group(self, request: Any, caller: Caller, token: object, now_ms: int) -> None:
        self.ask(token, request, caller.version)

    def sync_group(self, request: Any, token: object, now_ms: int) -> None:
        if request.protocol_name is not None:
            request.protocol_type = "consumer"
        self.ask(token, request, 4 if request.protocol_name is None else 5)

    def heartbeat(self, request: Any, token: object, now_ms: int) -> None:
        self.ask(token, request, 4)

    def leave_group(self, request: Any, token: object, now_ms: int) -> None:
        self.ask(token, request, 5)

    def commit_offsets(self, request: Any, version: int, token: object, now_ms: int) -> None:
        self.ask(token, request, version)

    def fetch_offsets(self, request: Any, require_stable: bool, version: int, token: object, now_ms: int) -> None:
        request.group_id = self.prefix + request.group_id
        self.send(token, OffsetFetchRequest(groups=[request], require_stable=require_stable), version)

    def delete_offsets(self, request: Any, token: object, now_ms: int) -> None:
        self.ask(token, request, 0)

    def delete_groups(self, group_ids: list[str], token: object, now_ms: int) -> None:
        self.send(token, DeleteGroupsRequest(groups_names=[self.prefix + each for each in group_ids]), 2)

    def describe_groups(self, group_ids: Sequence[str], version: int) -> list[Any]:
        return self.unprefixed(self.call(DescribeGroupsRequest(groups=[self.prefix + each for each in group_ids]), version).groups)

    def list_groups(self, states: Sequence[str], types: Sequence[str]) -> list[Any]:
        return self.unprefixed(self.call(ListGroupsRequest(states_filter=list(states), types_filter=list(types)), 5).groups)


class RemoteStage(Stage):
    session_ms = 60_000  # none of these plays waits for the end of one whose length it doesn't say

    def __init__(self, port: int, prefix: str = "") -> None:
        super().__init__()
        self.remote = RemoteShard(port, prefix)
        self.shard = self.remote  # type: ignore[assignment]

    def prepare(self) -> None:
        """Topics to commit to, and a coordinator."""
        make = CreateTopicsRequest.CreatableTopic
        topics = [make(name=name, num_partitions=10, replication_factor=1, assignments=[], configs=[]) for name in ("t", "u")]
        with closing(Client(self.remote.port)) as client:
            client.call(CreateTopicsRequest(topics=topics, timeout_ms=10_000), 7)
            settle_by(client)
        self.wait_for_coordinators()

    def wait_for_coordinators(self) -> None:
        with closing(Client(self.remote.port)) as client:
            wait_for_coordinators(client)

    def durable_state(self) -> dict[str, GroupState]:
        found = {}
        for row in self.remote.list_groups([], []):
            (group,) = self.remote.describe_groups([row.group_id], 6)
            request = OffsetFetchRequest(groups=[OffsetFetchRequest.Group(group_id=row.group_id, topics=None)])
            topics = self.remote.call(request, 9).groups[0].topics
            offsets = {(topic.name, each.partition_index): each.committed_offset for topic in topics for each in topic.partitions}
            found[row.group_id] = group_state(group, offsets)
        return found

    def _pass_time(self, ms: int) -> None:
        time.sleep(ms / 1000)

    def _describe_reply(self, who: Any, what: str, response: Any) -> str:
        if who == "delete":
            self.remote.unprefixed(response.results)
        return super()._describe_reply(who, what, response.groups[0] if what == "fetch" else response)


@pytest.mark.node
@pytest.mark.parametrize(
    "acts",
    [
        pytest.param([["sync_and_join_timeouts.txt", "rebalance.txt"], ["static_members.txt", "still_there.txt"]], id="members"),
        pytest.param([["refusals.txt"]], id="refusals"),
    ],
)
def test_plays(acts: list[list[str]], apache_nodes: NodeFactory, barnabas_nodes: NodeFactory) -> None:
    """On both stages at once, and an act's plays too, since they wait for most of their time."""

    def perform(nodes: NodeFactory, other: Engine) -> None:
        for _ in range(PERFORMANCES):
            with suppress(Late):
                node = play_all(acts, nodes)
                break
        else:
            pytest.fail(f"{acts} went otherwise {PERFORMANCES} times, each time on a machine that stood still meanwhile")
        ours = state_on_disk(node.log_dir)
        assert_same_state(swapped(node, other), ours)

    with ThreadPoolExecutor(2) as stages:
        for done in [stages.submit(perform, apache_nodes, BARNABAS), stages.submit(perform, barnabas_nodes, APACHE)]:
            done.result()


def play_all(acts: list[list[str]], nodes: NodeFactory) -> Node:
    """Plays with the same settings on one node, which is stopped then: its logs hold what it described."""
    (settings,) = {(PLAYS / name).read_text().splitlines()[0] for act in acts for name in act}
    words = [word.partition("=") for word in settings.removeprefix("with ").split()]
    node = nodes({NAMES[key]: value for key, _, value in words})
    stage = RemoteStage(node.port)
    try:
        stage.prepare()
        for act in acts:
            with ThreadPoolExecutor(len(act)) as stages:
                for done in [stages.submit(play, name, node, f"{name}/" if len(act) > 1 else "") for name in act]:
                    done.result()
        described = stage.durable_state()
    finally:
        stage.remote.close()
    node.stop()
    assert_same_state(described, state_on_disk(node.log_dir))
    return node


def play(name: str, node: Node, prefix: str) -> None:
    """Perform a play, its groups' names behind this prefix, and compare. Raises Late."""
    lines = [line for line in (PLAYS / name).read_text().splitlines() if line and not line.startswith(("#", "with "))]
    stage = RemoteStage(node.port, prefix)
    performed: list[str] = []
    longest_s = 0.0  # that a line took longer than it says
    try:
        for number, line in enumerate(lines):
            if not line.startswith(" "):
                began = time.monotonic()
                stage.remote.expected = expected_answers(line, lines[number + 1 :])
                performed += [line, *(f"    {told}" for told in stage.run(line))]
                advance_s = int(line.removeprefix("time +")) / 1000 if line.startswith("time ") else 0
                longest_s = max(longest_s, time.monotonic() - began - advance_s)
    finally:
        stage.remote.close()
    if comparable(performed) != comparable(lines) and longest_s > LATE_S:
        raise Late
    assert comparable(performed) == comparable(lines)


def expected_answers(line: str, rest: list[str]) -> int:
    if line.startswith(("describe", "list")):
        return 0  # asked for by the director, who waits himself
    told = itertools.takewhile(lambda each: each.startswith(" "), rest)
    return sum(not each.startswith("    log:") for each in told)


def swapped(node: Node, engine: Engine) -> dict[str, GroupState]:
    """The groups as the other engine describes them when it has started on the same directories."""
    other = Node(engine, node.properties_file)
    try:
        other.start()
        stage = RemoteStage(other.port)
        try:
            stage.wait_for_coordinators()
            return stage.durable_state()
        finally:
            stage.remote.close()
    finally:
        other.kill()


def assert_same_state(described: dict[str, GroupState], on_disk: dict[str, GroupState]) -> None:
    assert described.keys() == on_disk.keys() != set()
    for group, (state, *rest) in described.items():
        assert on_disk[group] == (state, *rest) if state in ("Stable", "Empty") else on_disk[group][-1] == rest[-1]


GroupState = tuple[str, str, str, dict[str, bytes], dict[tuple[str, int], int]]


def state_on_disk(directory: Path) -> dict[str, GroupState]:
    """What a shard of ours makes of Apache's logs (G3-G10)."""
    found: dict[str, GroupState] = {}
    for path in sorted(directory.glob("__consumer_offsets-*")):
        shard = GroupShard(GroupSettings(), MemoryLog(), lambda: "")
        data = b"".join(segment.read_bytes() for segment in sorted(path.glob("*.log")))
        for position, header in iterate_headers(data):
            assert not shard.load_batch(data[position : position + header.size], 0)
            assert not header.is_transactional
            assert (header.producer_id, header.base_sequence) == (-1, 0)
        shard.loaded(0, 0, 0)
        for row in shard.list_groups([], []):
            (group,) = shard.describe_groups([row.group_id], 6)
            table = shard.context.offsets.by_group.current.get(row.group_id)
            offsets = {} if table is None else {place: offset.committed_offset for place, offset in table.current.items()}
            found[row.group_id] = group_state(group, offsets)
    return found


def group_state(group: Any, offsets: dict[tuple[str, int], int]) -> GroupState:
    """What the log has of a group. Between generations only its offsets are in it."""
    members = {member.member_id: member.member_assignment for member in group.members}
    return (group.group_state, group.protocol_type, group.protocol_data, members, offsets)


def comparable(lines: list[str]) -> str:
    """Member ids numbered by their first appearance, what came of one line sorted, records left out."""
    numbers: dict[str, str] = {}

    def number(found: re.Match[str]) -> str:
        prefix = found.group(1)
        count = sum(value.startswith(f"{prefix}#") for value in numbers.values())
        return numbers.setdefault(found.group(0), f"{prefix}#{count}")

    out: list[str] = []
    answers: list[str] = []
    for line in [*lines, "end"]:
        if line.startswith("    log:"):
            continue
        if line.startswith("    "):
            answers.append(" ".join(sorted(MEMBER_ID.sub(number, line).replace(",", "").split())))
        else:
            out += sorted(answers)
            out.append(line)
            answers = []
    return "\n".join(out)
