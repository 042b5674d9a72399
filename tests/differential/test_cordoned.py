"""Directories that get no new replicas (KIP-1066): both engines take and refuse the same, place replicas alike, and tell clients and the controller alike."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from barnabas.wire.errors import Error
from barnabas.wire.messages.create_topics import CreateTopicsRequest
from barnabas.wire.messages.describe_log_dirs import DescribeLogDirsRequest
from barnabas.wire.messages.incremental_alter_configs import IncrementalAlterConfigsRequest
from tests import nodes
from tests.conftest import SUBJECT, scratch
from tests.differential.transcript import Client
from tests.directories import ask, create, directories, on_disk, paths
from tests.system.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.apache, pytest.mark.node]

KEY = "cordoned.log.dirs"
_SET, _DELETE, _APPEND, _SUBTRACT = range(4)
NO_ROOM = "INVALID_REPLICATION_FACTOR"


@pytest.fixture
def folder() -> Iterator[Path]:
    made = scratch()
    yield made
    shutil.rmtree(made, ignore_errors=True)


def alter(node: nodes.Node, operation: int, value: str | None, broker: str = "1") -> tuple[str, str]:
    """The key's change, directories by their names; what is said to it, without this node's paths."""
    known = paths(node)
    text = None if value is None else ",".join(str(known.get(item, item)) for item in value.split(","))
    Resource = IncrementalAlterConfigsRequest.AlterConfigsResource
    config = Resource.AlterableConfig(name=KEY, config_operation=operation, value=text)
    with closing(Client(node.port)) as client:
        client.socket.settimeout(30)
        request = IncrementalAlterConfigsRequest(resources=[Resource(resource_type=4, resource_name=broker, configs=[config])], validate_only=False)
        row = client.call(request, 1).responses[0]
    return Error(row.error_code).name, row.error_message or ""


def cordoned(node: nodes.Node, version: int = 5) -> dict[str, bool]:
    with closing(Client(node.port)) as client:
        client.socket.settimeout(30)
        reply = client.call(DescribeLogDirsRequest(topics=None), version)
    return {Path(result.log_dir).name: result.is_cordoned for result in reply.results}


def settles(node: nodes.Node, *names: str) -> bool:
    """Whether these are the cordoned ones before long: Apache Kafka answers before it acts."""
    wait_until(lambda: {name for name, is_so in cordoned(node).items() if is_so} == set(names), 20)
    return True


def new_topic(node: nodes.Node, name: str, partitions: int = 1) -> str:
    Topic = CreateTopicsRequest.CreatableTopic
    with closing(Client(node.port)) as client:
        client.socket.settimeout(30)
        wanted = Topic(name=name, num_partitions=partitions, replication_factor=1, assignments=[], configs=[])
        return Error(client.call(CreateTopicsRequest(topics=[wanted], timeout_ms=20_000), 7).topics[0].error_code).name


def becomes(node: nodes.Node, wanted: str, topic: str, partitions: int = 1) -> bool:
    """Whether new topics are answered so before long: the controller hears of cordoned directories by the broker's heartbeat."""
    wait_until(lambda: new_topic(node, topic, partitions) in (wanted, "TOPIC_ALREADY_EXISTS"), 20)
    return True


def made(node: nodes.Node, topic: str, partitions: int) -> list[list[str]]:
    """Where each partition lies, once all are there."""
    wait_until(lambda: all(on_disk(node, topic, index) for index in range(partitions)), 20)
    return [on_disk(node, topic, index) for index in range(partitions)]


def story(node: nodes.Node) -> list[object]:
    told: list[object] = [cordoned(node), cordoned(node, 4)]
    told += [alter(node, _SET, value)[0] for value in ("/nowhere", "*,a", "", "a")]
    told += [settles(node, "a"), alter(node, _SET, "b", broker="")[0], alter(node, _APPEND, "b"), settles(node, "a", "b")]
    told += [alter(node, _SUBTRACT, "a"), settles(node, "b"), cordoned(node, 4)]
    told += [becomes(node, "NONE", "t", 4)]
    told += [made(node, "t", 4)]
    told += [ask(node, ("t", 0, "b"), ("t", 1, "a"), ("none", 0, "b"), ("t", 0, "/nowhere"))]
    told += [alter(node, _SET, "*"), settles(node, "a", "b"), becomes(node, NO_ROOM, "refused"), ask(node, ("t", 1, "a"))]
    told += [alter(node, _SET, "a"), settles(node, "a"), becomes(node, "NONE", "free")]
    wait_until(lambda: on_disk(node, "free"), 20)
    told += [on_disk(node, "free"), alter(node, _DELETE, None), settles(node), ask(node, ("none", 0, "b"))]
    return told


def test_told_alike(folder: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        theirs, ours = pool.map(told, (nodes.APACHE, SUBJECT), (folder / "theirs", folder / "ours"))
    assert ours == theirs


def told(engine: nodes.Engine, own: Path) -> list[object]:
    node = nodes.new_node(engine, own, directories(own)).start()
    try:
        return story(node)
    finally:
        node.kill()
        print(node.tail(3000))


def test_from_the_file(folder: Path) -> None:
    """One that the file cordons, by either engine on the same directories: the topics of both lie in the other one; with all of them cordoned there are none."""
    node = nodes.new_node(SUBJECT, folder, directories(folder) | {KEY: str(folder / "b")})
    for engine, topic in ((SUBJECT, "first"), (nodes.APACHE, "second"), (SUBJECT, "third")):
        node = node.on(engine).start()
        try:
            assert cordoned(node) == {"a": False, "b": True}
            create(node, topic, 2)
            assert made(node, topic, 2) == [[f"a/{topic}-0"], [f"a/{topic}-1"]]
        finally:
            node.stop()
            print(node.tail(3000))
    text = node.properties_file.read_text()
    node.properties_file.write_text(text.replace(f"{KEY}={folder / 'b'}", f"{KEY}=*"))
    assert f"{KEY}=*" in node.properties_file.read_text()
    node.start()
    try:
        assert cordoned(node) == {"a": True, "b": True}
        assert becomes(node, NO_ROOM, "fourth")
    finally:
        node.stop()
