"""kafka-consumer-groups against the same node as Apache Kafka's own: same output, same complaints, same exit status."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import time
import uuid
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from barnabas.client.admin import group_descriptions, groups, topics
from barnabas.client.cluster import Cluster
from barnabas.client.errors import KafkaError
from barnabas.client.producer import Producer
from barnabas.wire.messages.leave_group import LeaveGroupRequest
from tests.differential.test_replies_groups import joining, syncing
from tests.differential.tools import Outcome, by_both, by_both_alike, by_each
from tests.differential.transcript import Client, wait_for_coordinators

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.nodes import Node

pytestmark = pytest.mark.apache
TOOL = "kafka-consumer-groups"
EXPRESSIONS = (
    r"orders-.* a|b|c (?i)x (?i:x)(?-s)y (?P<n>a)(?<m>b) [^\]a-z\d[:alpha:]\pL-] \Qa(b\E+ \x{1F600}\x41\012\é a{2,3}? a{,3} x{ \pN\p{Greek}\P{^Lu} ^\A$\z\b "
    r"[a (a a) *a a** a{2}{3} a{1001} a{3,2} a{01} {{2} (?=a) (?P<n>a)(?P<n>b) (?P<>a) (?P<n a(?i)* \1 \8 \xZZ \x{110000} \ \p{Nothing} \pQ "
    r"[z-a] [[:nothing:]] [a-\d] [a- ( (|*) (?i a++ |* \E \C []a] [^ \Q\E*"
)


def settled(outcome: Outcome) -> Outcome:
    """Without what Java leaves to chance: the order of a `Set.of`, the address of an object."""
    return outcome._replace(complaints=tuple(_settled(line) for line in outcome.complaints), output=_settled(outcome.output))


def _settled(text: str) -> str:
    text = re.sub(r" \(attempted merging values .*\)", "", text)
    return re.sub(r"(?<=are: ).*|(?<=options: ).*|(?<=scenarios: ).*", lambda found: " ".join(sorted(re.findall(r"[\w-]+", found[0]))), text)


@pytest.fixture(scope="module")
def prefix(node: Node) -> str:
    """A name of its own for two topics of this module, with records, and two groups that committed something of them."""
    name = f"groups-{uuid.uuid4().hex[:6]}"
    asyncio.run(_furnish(node.bootstrap, name))
    return name


async def _furnish(bootstrap: str, name: str) -> None:
    async with Cluster(bootstrap) as cluster:
        await topics.create(cluster, [topics.NewTopic(f"{name}-one", partitions=3), topics.NewTopic(f"{name}-two", partitions=2)])
        producer = Producer(cluster)
        for topic, partition, count in (("one", 0, 5), ("one", 1, 7), ("two", 1, 3)):
            for number in range(count):
                await producer.send(f"{name}-{topic}", b"value", partition=partition, timestamp_ms=1_700_000_000_000 + number * 60_000)
        await producer.close()
        for group, offsets in (("g1", {("one", 0): 2, ("one", 1): 7, ("two", 1): 1}), ("g2", {("one", 2): 0})):
            committed = {(f"{name}-{topic}", partition): groups.Committed(offset, 0, "") for (topic, partition), offset in offsets.items()}
            assert not any((await groups.alter_offsets(cluster, f"{name}-{group}", committed)).values())


@pytest.fixture(scope="module")
def joined(node: Node, prefix: str) -> Iterator[str]:
    """A group with two members, one of them static."""
    group = f"{prefix}-joined"
    command = [sys.executable, "-m", "barnabas.cli.kafka", "kafka-console-consumer", "--bootstrap-server", node.bootstrap, "--topic", f"{prefix}-one"]
    members = [
        subprocess.Popen([*command, "--group", group, "--consumer-property", more], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for more in ("client.id=a-client-with-a-long-name", "group.instance.id=static")
    ]
    try:
        asyncio.run(_wait_for_members(node.bootstrap, group, len(members)))
        yield group
    finally:
        for member in members:
            member.kill()
            member.wait()


async def _wait_for_members(bootstrap: str, group: str, count: int) -> None:
    deadline = time.monotonic() + 60
    async with Cluster(bootstrap) as cluster:
        while time.monotonic() < deadline:
            found = (await group_descriptions.describe(cluster, [group]))[group]
            if (
                isinstance(found, group_descriptions.Description)
                and found.state == "Stable"
                and sum(bool(m.assignment) for m in found.members) == count
            ):
                return
            assert isinstance(found, group_descriptions.Description | KafkaError)
            await asyncio.sleep(0.05)
    pytest.fail(f"{group} never had {count} members")


@pytest.mark.parametrize(
    "arguments",
    [
        "--list",
        "--list --state",
        "--list --state empty,Stable --type",
        "--list --type consumer",
        "--list --state nonsense",
        "--list --type share",
        "--list --timeout x",
        "--list --command-config /nonexistent",
        "--describe --group {p}-g1",
        "--describe --group {p}-g1 --group {p}-g2 --offsets --verbose",
        "--describe --group {p}-g1 --members",
        "--describe --group {p}-g1 --members --verbose",
        "--describe --group {p}-g1 --state",
        "--describe --group {p}-nothing",
        "--describe --group {p}-g1 --group {p}-nothing --state",
        "--delete --group {p}-nothing",
        "--delete-offsets --group {p}-g1 --topic {p}-nothing",
        "--delete-offsets --group {p}-g1 --topic {p}-one:9 --topic {p}-nothing",
        "--delete-offsets --group {p}-nothing --topic {p}-one",
        "--reset-offsets --group {p}-new --topic {p}-one --to-earliest",
        "--reset-offsets --group {p}-g1 --topic {p}-one:0,2 --topic {p}-two --to-latest --dry-run",
        "--reset-offsets --group {p}-g1 --all-topics --to-current --dry-run",
        "--reset-offsets --group {p}-g1 --topic {p}-one --to-current --dry-run --export",
        "--reset-offsets --group {p}-g1 --group {p}-g2 --all-topics --to-current --export --dry-run",
        "--reset-offsets --group {p}-g1 --topic {p}-one --to-offset 6 --dry-run",
        "--reset-offsets --group {p}-g1 --topic {p}-one --to-offset -1 --dry-run",
        "--reset-offsets --group {p}-g1 --all-topics --shift-by -1 --dry-run",
        "--reset-offsets --group {p}-g1 --topic {p}-one --shift-by 1 --dry-run",
        "--reset-offsets --group {p}-g1 --topic {p}-one --to-datetime 2023-11-14T22:15:20.001 --dry-run",
        "--reset-offsets --group {p}-g1 --topic {p}-one:1 --to-datetime 2023-11-15T00:15:20.000+02:00 --dry-run",
        "--reset-offsets --group {p}-g1 --topic {p}-one --to-datetime 2023-11-31T22:15:20.000 --dry-run",
        "--reset-offsets --group {p}-g1 --topic {p}-one --to-datetime 2023-11-14 --dry-run",
        "--reset-offsets --group {p}-g1 --topic {p}-one --by-duration P1DT2H3M4.5S --dry-run",
        "--reset-offsets --group {p}-g1 --topic {p}-one --by-duration P9999D --dry-run",
        "--reset-offsets --group {p}-g1 --topic {p}-one --by-duration soon --dry-run",
        "--reset-offsets --group {p}-g1 --topic {p}-nothing --to-latest --dry-run",
        "--reset-offsets --group {p}-g1 --topic {p}-nothing:0 --to-latest --dry-run",
        "--reset-offsets --group {p}-g1 --topic {p}-one:1,9,8 --to-latest --dry-run",
        "--reset-offsets --group {p}-g1 --topic {p}-one:1,1 --to-latest --dry-run",
        "--reset-offsets --group {p}-g1 --from-file /nonexistent --dry-run",
        "--reset-offsets --group {p}-g1 --topic {p}-one --dry-run",
        "--reset-offsets --group {p}-g1 --to-latest --dry-run",
    ],
)
def test_groups(node: Node, prefix: str, arguments: str) -> None:
    theirs, ours = by_both_alike(TOOL, "--bootstrap-server", node.bootstrap, *arguments.format(p=prefix).split(), shown=settled)
    assert ours == theirs


@pytest.mark.parametrize(
    "arguments",
    [
        "--describe --group {g}",
        "--describe --group {g} --verbose",
        "--describe --group {g} --members",
        "--describe --group {g} --members --verbose",
        "--describe --group {g} --state --verbose",
        "--describe --all-groups --state",
        "--delete --group {g}",
        "--delete-offsets --group {g} --topic {p}-one",
        "--reset-offsets --group {g} --topic {p}-one --to-earliest --execute",
    ],
)
def test_a_group_with_members(node: Node, prefix: str, joined: str, arguments: str) -> None:
    theirs, ours = by_both_alike(TOOL, "--bootstrap-server", node.bootstrap, *arguments.format(p=prefix, g=joined).split())
    assert ours == theirs


@pytest.mark.parametrize("assignment", [b"x", b"all", bytes(5) + b"\x05abc", b"\xff\xff" + bytes(4) + b"\xff" * 4])
def test_an_assignment_that_no_consumer_can_read(node: Node, prefix: str, assignment: bytes) -> None:
    """Any bytes can be assigned. Both tools fail, ours saying where."""
    group = f"{prefix}-unreadable"
    with closing(Client(node.port)) as client:
        wait_for_coordinators(client, group)
        joined = client.call(joining(group), 3)
        client.call(syncing(group, joined.generation_id, joined.member_id, {joined.member_id: assignment}), 3)
        try:
            outcomes = by_both(TOOL, "--bootstrap-server", node.bootstrap, "--describe", "--group", group)
        finally:
            client.call(LeaveGroupRequest(group_id=group, member_id=joined.member_id), 1)
    for outcome in outcomes:
        assert outcome.output.startswith("\nError: Executing consumer group command failed due to ")
    assert f"The assignment of member {joined.member_id} of group {group} isn't one of Kafka's consumers: " in outcomes[1].output


def test_group_life(node: Node, prefix: str, tmp_path: Path) -> None:
    """Offsets set, moved, read from a file, deleted, and the group with them: once by each tool."""
    plan = tmp_path / "plan.csv"
    plan.write_text(f"{prefix}-one,0,3\n{prefix}-one,1,999\n{prefix}-two,1,2\n")
    plans = tmp_path / "plans.csv"
    plans.write_text(f"{prefix}-life-a,{prefix}-one,0,4\n{prefix}-life-b,{prefix}-one,0,4\n")
    server = ("--bootstrap-server", node.bootstrap)
    for arguments in (
        "--reset-offsets --group {g} --topic {p}-one --topic {p}-two:1 --to-latest --execute",
        "--describe --group {g}",
        "--reset-offsets --group {g} --all-topics --shift-by -2 --execute",
        "--describe --group {g} --verbose",
        "--reset-offsets --group {g} --from-file {plan} --execute",
        "--reset-offsets --group {g} --all-topics --to-current --export --dry-run",
        "--reset-offsets --group {g} --from-file {plans} --to-latest --execute",
        "--delete-offsets --group {g} --topic {p}-one:0,1",
        "--delete-offsets --group {g} --topic {p}-two",
        "--describe --group {g}",
        "--delete --group {g}",
        "--describe --group {g}",
    ):
        words = arguments.format(p=prefix, g=f"{prefix}-life-%", plan=plan, plans=plans).split()
        theirs, ours = by_each(TOOL, *server, *words)
        assert settled(ours) == settled(theirs), words


def test_a_plan_for_several_groups(node: Node, prefix: str, tmp_path: Path) -> None:
    """Apache's tool first tries to read the file as one without groups, and says how that failed; that aside they agree."""
    plans = tmp_path / "plans.csv"
    plans.write_text(f"{prefix}-g1,{prefix}-one,0,3\n{prefix}-g2,{prefix}-two,0,4\n")
    words = ("--reset-offsets", "--group", f"{prefix}-g1", "--group", f"{prefix}-g2", "--from-file", str(plans), "--dry-run")
    theirs, ours = by_both(TOOL, "--bootstrap-server", node.bootstrap, *words)
    assert theirs.complaints[0].startswith("com.fasterxml.jackson")
    assert (ours.status, ours.output) == (theirs.status, theirs.output)


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "--help",
        "--version",
        "--list",
        "--bootstrap-server x:1",
        "--bootstrap-server nonsense --list",
        "--bootstrap-server x:1 --list --describe --group a",
        "--bootstrap-server x:1 --list --members --verbose",
        "--bootstrap-server x:1 --list --group a",
        "--bootstrap-server x:1 --describe",
        "--bootstrap-server x:1 --describe --group a --members --state",
        "--bootstrap-server x:1 --describe --group a --state stable",
        "--bootstrap-server x:1 --describe --group a --all-groups",
        "--bootstrap-server x:1 --describe --group a --topic b",
        "--bootstrap-server x:1 --delete",
        "--bootstrap-server x:1 --delete --group a --topic b",
        "--bootstrap-server x:1 --delete-offsets --group a",
        "--bootstrap-server x:1 --reset-offsets --topic a --to-latest --dry-run",
        "--bootstrap-server x:1 --reset-offsets --group a --topic b --to-latest --dry-run --execute",
        "--bootstrap-server x:1 --reset-offsets --group a --topic b --to-latest --shift-by 1",
        "--bootstrap-server x:1 --nonsense",
    ],
)
def test_without_a_node(arguments: str) -> None:
    theirs, ours = by_both(TOOL, *arguments.split())
    assert settled(ours) == settled(theirs)


def test_regular_expressions() -> None:
    """What RE2 takes, and its reasons for what it doesn't."""
    for expression in EXPRESSIONS.split():
        theirs, ours = by_both(TOOL, "--validate-regex", expression)
        assert ours == theirs, expression
