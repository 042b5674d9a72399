"""Members of streams groups against Apache Kafka (KIP-1071): tasks that are shared out, what the coordinator has to say, and offsets."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest

from barnabas.client.admin import first_failure, groups, streams_groups, topics
from barnabas.client.admin.streams_groups import Subtopology, Topic
from barnabas.client.errors import KafkaError
from barnabas.client.streams_group import Status, StreamsGroupMember, StreamsGroupSettings, Topology
from barnabas.wire.errors import Error
from tests import nodes

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.client.cluster import Cluster
    from tests.differential.client.conftest import Play
    from tests.nodes import Node

pytestmark = pytest.mark.apache
DEADLINE_S = 60


def counting(topic: str) -> Topology:
    """One subtopology that counts what is in the topic, whose counts have a changelog."""
    changelog = Topic(f"{topic}-counts-changelog", 0, 1, {"cleanup.policy": "compact"})
    return Topology(1, (Subtopology("0", (topic,), (), (changelog,), ()),))


def member(cluster: Cluster, topic: str, process: str, topology: Topology | None = None, **more: Any) -> StreamsGroupMember:
    return StreamsGroupMember(cluster, StreamsGroupSettings(topic, process, **more), topology or counting(topic))


async def until(done: Callable[[], bool], *members: StreamsGroupMember) -> None:
    """Everybody takes what is given, until that is so. Apache doesn't expect a member with an endpoint before its coordinator knows the source topic."""
    async with asyncio.timeout(DEADLINE_S):
        while not done():
            for each in members:
                try:
                    await each.beat()
                except KafkaError as error:
                    if error.error is not Error.UNKNOWN_SERVER_ERROR:
                        raise
                if each.target != each.tasks:
                    each.own(each.target)
            await asyncio.sleep(0.02)


def test_what_the_documents_show(apache_node: Node, topic: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = (nodes.ROOT / "docs" / "client.md").read_text()
    example = next(found for found in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "StreamsGroupMember" in found)
    names: dict[str, Any] = {}
    exec(compile(example, "client.md", "exec"), names)
    asyncio.run(names["tasks"](apache_node.bootstrap, topic))
    assert "active: (('0', 0), ('0', 1))" in capsys.readouterr().out


def test_tasks_are_shared_out(play: Play[None], topic: str) -> None:
    async def story(cluster: Cluster) -> None:
        one = member(cluster, topic, "one", endpoint=("one", 1), client_tags={"zone": "a"})
        two = member(cluster, topic, "two", endpoint=("two", 2), rack_id="r")
        await until(lambda: one.tasks.active == (("0", 0), ("0", 1)), one)
        assert f"{topic}-counts-changelog" in await topics.names(cluster)
        await until(
            lambda: len(one.tasks.active) == len(two.tasks.active) == 1 and set(one.tasks.active + two.tasks.active) == {("0", 0), ("0", 1)}, one, two
        )

        def known() -> bool:
            wanted = {("one", 1): one, ("two", 2): two}
            return one.endpoints == {place: [(topic, partition) for _, partition in each.tasks.active] for place, each in wanted.items()}

        await until(known, one, two)
        described = await streams_groups.describe(cluster, topic)
        part = counting(topic).subtopologies[0]
        assert described.subtopologies == (part._replace(changelogs=(part.changelogs[0]._replace(partitions=2),)),)
        found = {each.process_id: each for each in described.members}
        assert (found["one"].endpoint, found["one"].tags, found["two"].rack) == (("one", 1), {"zone": "a"}, "r")
        assert (found["one"].assignment, found["two"].assignment) == (one.tasks, two.tasks)

        await one.commit({(topic, 0): groups.Committed(7, -1, "")})
        assert await two.committed([(topic, 0), (topic, 1)]) == {(topic, 0): groups.Committed(7, -1, "")}
        await two.leave()
        await until(lambda: len(one.tasks.active) == 2, one)
        await one.leave()
        assert (await streams_groups.describe(cluster, topic)).state == "Empty"

    play(story)


def test_what_the_coordinator_has_to_say(play: Play[None], topic: str) -> None:
    async def story(cluster: Cluster) -> None:
        absent = f"{topic}-absent"
        one = member(cluster, topic, "one", counting(absent))
        await until(lambda: Status.MISSING_SOURCE_TOPICS in one.statuses, one)
        assert absent in one.statuses[Status.MISSING_SOURCE_TOPICS]
        first_failure(await topics.create(cluster, [topics.NewTopic(absent, 1, 1)]))
        await until(lambda: one.tasks.active == (("0", 0),) and not one.statuses, one)
        two = member(cluster, topic, "two", counting(absent))
        await until(lambda: two.generation > 0, two)
        two.shut_down()
        await until(lambda: Status.SHUTDOWN_APPLICATION in one.statuses, one, two)
        for each in (one, two):
            await each.leave()

    play(story)


def test_a_member_that_was_put_out_comes_in_again(play: Play[None], topic: str) -> None:
    async def story(cluster: Cluster) -> None:
        one = member(cluster, topic, "one")
        await until(lambda: len(one.tasks.active) == 2, one)
        out = one._base(-1)
        node_id = await groups.coordinator(cluster, topic)
        assert (await cluster.call(out, name="leave", node_id=node_id)).error_code == Error.NONE
        await until(lambda: not one.tasks.active, one)
        await until(lambda: len(one.tasks.active) == 2, one)
        await one.leave()

    play(story)


def test_topics_with_unequal_partitions(play: Play[None], topic: str) -> None:
    async def story(cluster: Cluster) -> None:
        other = f"{topic}-wider"
        first_failure(await topics.create(cluster, [topics.NewTopic(other, 3, 1)]))
        joined = Topology(1, (Subtopology("0", (topic, other), (), (), ()),), {"0": [[topic, other]]})
        one = member(cluster, topic, "one", joined)
        await until(lambda: Status.INCORRECTLY_PARTITIONED_TOPICS in one.statuses, one)
        await one.leave()
        counted = Topology(1, (Subtopology("0", (topic,), (), (Topic("changelog", 3, 1, {}),), ()),))  # whose partitions the coordinator decides
        with pytest.raises(KafkaError) as refused:
            await member(cluster, f"{topic}-2", "one", counted).beat()
        assert refused.value.error is Error.STREAMS_INVALID_TOPOLOGY

    play(story)
