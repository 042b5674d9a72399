"""Listeners that come and go while a node runs, told to both engines step by step: what is refused, which ports are open, who is cut off, what clients and the
metadata then hear, before and after a restart. KIP-226.
"""

from __future__ import annotations

import contextlib
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from barnabas.wire.errors import Error
from barnabas.wire.messages.api_versions import ApiVersionsRequest
from barnabas.wire.messages.create_topics import CreateTopicsRequest
from barnabas.wire.messages.describe_cluster import DescribeClusterRequest
from barnabas.wire.messages.describe_configs import DescribeConfigsRequest
from barnabas.wire.messages.find_coordinator import FindCoordinatorRequest
from barnabas.wire.messages.incremental_alter_configs import IncrementalAlterConfigsRequest
from barnabas.wire.messages.metadata import MetadataRequest
from tests.cluster.cluster import Plan
from tests.conftest import SUBJECT
from tests.differential.transcript import Client, Closed
from tests.nodes import APACHE, SHORT_SESSION, free_port, write_properties
from tests.system.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import ClusterFactory, NodeFactory
    from tests.nodes import Node

pytestmark = [pytest.mark.apache, pytest.mark.node]

SET, DELETE, APPEND, SUBTRACT = range(4)
MAP = "listener.security.protocol.map"
KEYS = ("listeners", "advertised.listeners", MAP)
SOON_S = 20.0
_HERE = "127.0.0.1:PLAINTEXT's"
HEALTHY = {"brokers": [_HERE], "topic": "NONE", "partitions": [("NONE", 1)], "cluster": ("NONE", [_HERE]), "coordinator": ("NONE", _HERE)}
# Refusals by what they say; each engine has words of its own.
MEANINGS = (
    r"No security protocol defined for listener (\w+)",
    r"Each listener must have a different name",
    r"same port|must have a different port",
    r"Configs cannot be updated dynamically for existing listener (?:ListenerName\()?(\w+)",
    r"Security protocol cannot be updated for existing listener (?:ListenerName\()?(\w+)",
    r"Unable to parse (\w+) to a broker endpoint",
    r"Invalid security protocol `(\w+)`",
    r"PLAINTEXT is not one of listeners|advertised\.listeners .* Found PLAINTEXT\.",
    r"controller\.listener\.names.*must appear in listeners|controller\.listener\.names must only contain values appearing in",
    r"Cannot update these configs at default cluster level, broker id must be specified",
    r"Advertised listeners .* must be a subset of listeners",
)
Change = tuple[str, int, str | None]


def ask(client: Client) -> None:
    """Anything that brokers and controllers answer. Raises Closed."""
    client.call(ApiVersionsRequest(client_software_name="test", client_software_version="1"), 3)


def meaning(message: str) -> str:
    for number, pattern in enumerate(MEANINGS):
        found = re.search(pattern, message)
        if found is not None:
            return " ".join((f"meaning {number}", *found.groups()))
    return message


class Story:
    """One node's listeners by name, and what was seen."""

    def __init__(self, node: Node, ports: dict[str, int]) -> None:
        self.node = node
        self.ports = ports
        self.seen: list[tuple[str, object]] = []
        self.held: dict[str, Client] = {}

    def at(self, *names: str) -> str:
        return ",".join(f"{name}://127.0.0.1:{self.ports[name]}" for name in names)

    def note(self, title: str, value: object) -> None:
        self.seen.append((title, value))

    def alter(self, note: str, *changes: Change, broker: str = "1", dry: bool = False) -> None:
        """Note what is answered, ports by their listeners' names."""
        Resource = IncrementalAlterConfigsRequest.AlterConfigsResource
        configs = [Resource.AlterableConfig(name=key, config_operation=operation, value=value) for key, operation, value in changes]
        with contextlib.closing(Client(self.node.port)) as client:
            client.socket.settimeout(SOON_S)
            before = self.described(client)
            resource = Resource(resource_type=4, resource_name=broker, configs=configs)
            row = client.call(IncrementalAlterConfigsRequest(resources=[resource], validate_only=dry), 1).responses[0]
            if not (row.error_code or dry):
                wait_until(lambda: self.described(client) != before, SOON_S)
        self.note(note, (Error(row.error_code).name, meaning(self.named(row.error_message or ""))))

    def described(self, client: Client) -> list[tuple[str, str, int, bool]]:
        """What is said of listeners' keys: it is in force once it is."""
        resource = DescribeConfigsRequest.Resource(resource_type=4, resource_name="1", configuration_keys=None)
        reply = client.call(DescribeConfigsRequest(resources=[resource], include_synonyms=False, include_documentation=False), 4)
        rows = [row for row in reply.results[0].configs if row.name in KEYS or row.name.startswith("listener.name.")]
        return [(row.name, self.named(str(row.value)), row.config_source, row.read_only) for row in sorted(rows, key=lambda row: row.name)]

    def named(self, text: str) -> str:
        for name, port in self.ports.items():
            text = text.replace(f":{port}", f":{name}'s")
        return text

    def hold(self, *names: str) -> None:
        """Connect by these listeners, to see later who is cut off."""
        for name in set(names) - set(self.held):
            self.held[name] = Client(self.ports[name])
            ask(self.held[name])

    def let_go(self) -> None:
        for client in self.held.values():
            client.close()
        self.held.clear()

    def start_again(self) -> None:
        self.let_go()
        self.node.stop()
        self.node.start()
        self.settle()

    def settle(self) -> None:
        """Until the topics' leaders are known again."""
        with contextlib.closing(Client(self.node.port)) as client:
            client.socket.settimeout(SOON_S)
            wait_until(lambda: self.told(client) == HEALTHY, SOON_S)

    def still_held(self) -> dict[str, str]:
        found = {}
        for name, client in list(self.held.items()):
            try:
                ask(client)
                found[name] = "answered"
            except (Closed, ConnectionError):
                found[name] = "closed"
                self.held.pop(name).close()
        return found

    def told(self, client: Client) -> dict[str, object]:
        """What a client hears of the cluster on a listener."""
        metadata = client.call(MetadataRequest(topics=[MetadataRequest.Topic(name="seen")], allow_auto_topic_creation=False), 12)
        cluster = client.call(DescribeClusterRequest(include_cluster_authorized_operations=False, endpoint_type=1), 1)
        coordinator = client.call(FindCoordinatorRequest(key_type=0, coordinator_keys=["g"]), 4).coordinators[0]
        topic = metadata.topics[0]
        return {
            "brokers": self.places(metadata.brokers),
            "topic": Error(topic.error_code).name,
            "partitions": [(Error(one.error_code).name, one.leader_id) for one in topic.partitions],
            "cluster": (Error(cluster.error_code).name, self.places(cluster.brokers)),
            "coordinator": (Error(coordinator.error_code).name, self.named(f"{coordinator.host}:{coordinator.port}")),
        }

    def places(self, brokers: Any) -> list[str]:
        return [self.named(f"{one.host}:{one.port}") for one in brokers]

    def is_open(self, name: str) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.ports[name]), timeout=SOON_S).close()
        except ConnectionRefusedError:
            return False
        return True

    def look(self, note: str, *names: str) -> None:
        """Once these listeners are open and no others: what is told on each, who is still connected, what `listeners` is said to be."""
        wait_until(lambda: {name for name in self.ports if self.is_open(name)} == set(names), SOON_S)
        for name in names:
            if name != "CONTROLLER":
                with contextlib.closing(Client(self.ports[name])) as client:
                    client.socket.settimeout(SOON_S)
                    self.note(f"{note}: by {name}", self.told(client))
        found: dict[str, str] = {}
        wait_until(lambda: found.update(self.still_held()) or set(self.held) <= set(names), SOON_S)
        self.note(f"{note}: held", found)
        with contextlib.closing(Client(self.node.port)) as client:
            client.socket.settimeout(SOON_S)
            self.note(f"{note}: described", self.described(client))


def advertised(story: Story) -> None:
    """`advertised.listeners` says what clients are told: others come and go behind it. One of server.properties that it doesn't have can be taken away too."""
    mine, extra = ("PLAINTEXT", "CONTROLLER"), ("PLAINTEXT", "CONTROLLER", "EXTRA")
    told = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,FILE:PLAINTEXT"
    both = f"{told},EXTRA:PLAINTEXT,THIRD:PLAINTEXT"
    story.hold("PLAINTEXT")
    story.look("at first", *mine, "FILE")
    story.alter("not in the map", ("listeners", SET, story.at(*extra)))
    story.alter("of all brokers", ("listeners", SET, story.at(*extra)), (MAP, SET, both), broker="")
    story.alter("the map of all brokers", (MAP, SET, both), broker="")
    story.alter("of another broker", ("listeners", SET, story.at(*extra)), broker="9")
    story.alter("without the brokers' own", ("listeners", SET, story.at("CONTROLLER")))
    story.alter("another for it", ("listeners", SET, story.at("CONTROLLER", "EXTRA")), (MAP, SET, both))
    story.alter("without the controllers'", ("listeners", SET, story.at("PLAINTEXT")))
    story.alter("nothing", ("listeners", SET, ""))
    story.alter("no endpoint", ("listeners", SET, "nonsense"))
    story.alter("twice the same", ("listeners", SET, story.at(*extra, "EXTRA")), (MAP, SET, both), dry=True)
    story.alter("twice a name", ("listeners", SET, story.at(*extra) + f",EXTRA://127.0.0.1:{story.ports['THIRD']}"), (MAP, SET, both))
    story.alter("twice a port", ("listeners", SET, story.at(*extra) + f",THIRD://127.0.0.1:{story.ports['EXTRA']}"), (MAP, SET, both))
    story.alter("another protocol", (MAP, SET, told.replace("PLAINTEXT:PLAINTEXT", "PLAINTEXT:SASL_PLAINTEXT")))
    story.alter("no protocol", (MAP, SET, f"{told},EXTRA:NONSENSE"))
    story.alter("a map without the brokers' own", (MAP, SET, "CONTROLLER:PLAINTEXT,FILE:PLAINTEXT,EXTRA:PLAINTEXT"))
    story.alter("a map without the controllers'", (MAP, SET, "PLAINTEXT:PLAINTEXT,FILE:PLAINTEXT"))
    story.alter("advertised.listeners", ("advertised.listeners", SET, story.at(*extra)), ("listeners", SET, story.at(*extra)), (MAP, SET, both))
    story.alter("inter.broker.listener.name", ("inter.broker.listener.name", SET, "EXTRA"))
    story.alter("only looked at", ("listeners", SET, story.at(*extra)), (MAP, SET, both), dry=True)
    story.look("after refusals", *mine, "FILE")

    story.hold("FILE")
    story.alter("away", ("listeners", SET, story.at(*mine)))
    story.look("without FILE", *mine)
    story.alter("back", ("listeners", DELETE, None))
    story.look("with FILE", *mine, "FILE")
    story.alter("a map with more", (MAP, SET, both))
    story.alter("one comes", ("listeners", SET, story.at(*extra)))
    story.look("with EXTRA", *extra)
    story.hold("EXTRA", "CONTROLLER")
    story.alter("the same again", ("listeners", SET, story.at(*reversed(extra))))
    story.alter("its name in small letters", ("listeners", SET, story.at(*extra).replace("EXTRA", "extra")))
    story.alter("its port", ("listeners", SET, story.at(*mine) + f",EXTRA://127.0.0.1:{story.ports['THIRD']}"))
    story.look("another port for EXTRA", *extra)
    story.alter("a map without it", (MAP, SET, told))
    story.alter("its protocol", (MAP, SET, f"{told},EXTRA:SSL"))
    story.alter("a limit of its own", ("listener.name.extra.max.connections", SET, "7"))
    story.alter("no limit", ("listener.name.extra.max.connections", SET, "0"))
    story.alter("a size of its own", ("listener.name.extra.socket.send.buffer.bytes", SET, "70000"))
    story.alter("a size of its own taken back", ("listener.name.extra.socket.send.buffer.bytes", DELETE, None))
    story.alter(
        "a size with the listeners", ("listener.name.extra.socket.send.buffer.bytes", SET, "70000"), ("listeners", SET, story.at(*extra, "THIRD"))
    )
    story.alter("a plug-in's key with the listeners", ("listener.name.extra.x.y", SET, "1"), ("listeners", SET, story.at(*extra, "THIRD")))
    story.alter("a size and then the map", ("listener.name.extra.socket.send.buffer.bytes", SET, "70000"), (MAP, DELETE, None))
    story.alter("other listeners' key with the listeners", ("listener.name.third.x.y", SET, "1"), ("listeners", SET, story.at(*extra)))
    story.look("after more refusals", *extra)

    story.alter("one more", ("listeners", APPEND, story.at("THIRD")))
    story.look("with THIRD", *extra, "THIRD")
    story.hold("THIRD")
    story.alter("one less", ("listeners", SUBTRACT, story.at("THIRD")))
    story.look("without THIRD", *extra)
    story.hold("EXTRA")
    story.alter("one for the other", ("listeners", SET, story.at(*mine, "THIRD")))
    story.look("THIRD for EXTRA", *mine, "THIRD")
    story.hold("THIRD")
    story.ports["EXTRA"], story.ports["THIRD"] = story.ports["THIRD"], story.ports["EXTRA"]
    story.held["EXTRA"] = story.held.pop("THIRD")
    story.alter("one for the other on its port", ("listeners", SET, story.at(*extra)))
    wait_until(lambda: story.still_held().get("EXTRA") != "answered", SOON_S)
    story.look("EXTRA on THIRD's port", *extra)

    story.alter("a limit without a listener", ("listeners", SET, story.at(*mine)))
    story.alter("comes with a limit", ("listeners", SET, story.at(*extra)), ("listener.name.extra.max.connections", SET, "2"))
    _third_waits(story, "at once")
    story.start_again()
    _third_waits(story, "started again")
    story.look("started again", *extra)
    story.alter("the limit goes", ("listener.name.extra.max.connections", DELETE, None))
    for number in range(3):
        story.held[f"EXTRA {number}"] = Client(story.ports["EXTRA"])
    story.note("without a limit", story.still_held())
    story.let_go()
    story.hold("EXTRA")
    story.alter("all as it was", ("listeners", DELETE, None))
    story.look("the file's", *mine, "FILE")
    _taken_port(story)
    story.alter("the map too", (MAP, DELETE, None))
    story.look("the file's map", *mine, "FILE")


def _third_waits(story: Story, when: str) -> None:
    """A new listener's own limit, from the first connection on and after a start: the third one waits for a place."""
    wait_until(lambda: story.is_open("EXTRA"), SOON_S)
    first, second, third = (Client(story.ports["EXTRA"]) for _ in range(3))
    for one in (first, second):
        one.socket.settimeout(SOON_S)
        ask(one)
    third.socket.settimeout(0.5)
    with pytest.raises(TimeoutError):
        ask(third)
    first.close()
    third.socket.settimeout(SOON_S)
    third.read_frame()
    story.note(when, "the third waits for a place")
    second.close()
    third.close()


def _taken_port(story: Story) -> None:
    """A port that another process has: taken all the same, opened when it is asked for again."""
    mine, extra = ("PLAINTEXT", "CONTROLLER"), ("PLAINTEXT", "CONTROLLER", "EXTRA")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        story.ports["EXTRA"] = other.getsockname()[1]
        story.alter("taken", ("listeners", SET, story.at(*extra)))
        story.look("EXTRA's is taken", *mine)
        story.alter("and one more", ("listeners", APPEND, story.at("THIRD")))
        story.look("with THIRD beside it", *mine, "THIRD")
    story.alter("neither", ("listeners", DELETE, None))
    story.look("neither", *mine, "FILE")
    story.alter("again", ("listeners", SET, story.at(*extra)))
    story.look("EXTRA is free", *extra)
    story.alter("and goes", ("listeners", DELETE, None))


def not_advertised(story: Story) -> None:
    """Without `advertised.listeners` those that are bound are told, as they were at the start; none can be taken away."""
    mine, extra = ("PLAINTEXT", "CONTROLLER"), ("PLAINTEXT", "CONTROLLER", "EXTRA")
    both = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,EXTRA:PLAINTEXT,THIRD:PLAINTEXT"
    story.look("at first", *mine)
    story.alter("one comes", ("listeners", SET, story.at(*extra)), (MAP, SET, both))
    story.look("with EXTRA", *extra)
    story.hold("EXTRA")
    story.alter("one for the other", ("listeners", SET, story.at(*mine, "THIRD")))
    story.alter("none", ("listeners", DELETE, None))
    story.alter("none, nor a map", ("listeners", DELETE, None), (MAP, DELETE, None))
    story.look("after refusals", *extra)
    story.start_again()
    story.look("started again", *extra)
    story.alter("one more", ("listeners", APPEND, story.at("THIRD")))
    story.look("with THIRD", *extra, "THIRD")


def play(story: Callable[[Story], None], make: NodeFactory) -> list[tuple[str, object]]:
    ports = {name: free_port() for name in ("PLAINTEXT", "CONTROLLER", "EXTRA", "THIRD", "FILE")}
    names = ["PLAINTEXT", "CONTROLLER", *(["FILE"] if story is advertised else [])]
    listeners = [f"{name}://127.0.0.1:{ports[name]}" for name in names]
    settings = {"listeners": ",".join(listeners), "advertised.listeners": ",".join(listeners[:2])}
    settings |= {MAP: ",".join(f"{name}:PLAINTEXT" for name in names), "controller.quorum.bootstrap.servers": f"127.0.0.1:{ports['CONTROLLER']}"}
    node = make(settings, start=False)
    if story is not_advertised:
        del node.properties["advertised.listeners"]
        write_properties(node.properties_file, node.properties)
    told = Story(node.start(), ports)
    with contextlib.closing(Client(node.port)) as client:
        topic = CreateTopicsRequest.CreatableTopic(name="seen", num_partitions=1, replication_factor=1, assignments=[], configs=[])
        assert client.call(CreateTopicsRequest(topics=[topic], timeout_ms=20_000), 7).topics[0].error_code == 0
    told.settle()
    try:
        story(told)
    finally:
        told.let_go()
    return told.seen


@pytest.mark.parametrize("story", [advertised, not_advertised], ids=lambda story: story.__name__)
def test_same_on_both(story: Callable[[Story], None], apache_nodes: NodeFactory, barnabas_nodes: NodeFactory) -> None:
    with ThreadPoolExecutor(2) as pool:
        theirs, ours = pool.map(play, (story, story), (apache_nodes, barnabas_nodes))
    assert ours == theirs


def test_who_removes_the_own_listener_is_answered(barnabas_nodes: NodeFactory) -> None:
    """Apache Kafka's answer comes, or the connection is cut off before it."""
    node = barnabas_nodes()
    extra = free_port()
    with_extra = f"{node.properties['listeners']},EXTRA://127.0.0.1:{extra}"
    story = Story(node, {"EXTRA": extra})
    story.alter("comes", ("listeners", SET, with_extra), (MAP, SET, f"{node.properties[MAP]},EXTRA:PLAINTEXT"))
    wait_until(lambda: story.is_open("EXTRA"), SOON_S)
    Resource = IncrementalAlterConfigsRequest.AlterConfigsResource
    away = Resource(resource_type=4, resource_name="1", configs=[Resource.AlterableConfig(name="listeners", config_operation=DELETE, value=None)])
    with contextlib.closing(Client(extra)) as client:
        assert client.call(IncrementalAlterConfigsRequest(resources=[away]), 1).responses[0].error_code == Error.NONE
        with pytest.raises(Closed):
            client.read_frame()
    assert not story.is_open("EXTRA")


@pytest.mark.parametrize("engine", ["apache", "barnabas"])
def test_a_broker_beside_controllers(engine: str, apache_libs: Path, cluster_of: ClusterFactory) -> None:
    """A listener comes, and is there after a start. What a controller takes without asking the broker takes away none that others were told of."""
    kind = APACHE if engine == "apache" else SUBJECT
    cluster = cluster_of(Plan([kind] * 2, controllers=[1], brokers=[2], overrides=SHORT_SESSION)).start()
    controller, broker = cluster.members.values()
    host = broker.address()[0]
    extra = f"EXTRA://{host}:{free_port()}"
    both = f"{broker.properties['listeners']},{extra}"

    def alter(to: tuple[str, int], listeners: str) -> int:
        Resource = IncrementalAlterConfigsRequest.AlterConfigsResource
        wanted = {"listeners": listeners, MAP: f"{broker.properties[MAP]},EXTRA:PLAINTEXT"}
        configs = [Resource.AlterableConfig(name=key, config_operation=SET, value=value) for key, value in wanted.items()]
        with contextlib.closing(Client(to[1], to[0])) as client:
            client.socket.settimeout(SOON_S)
            request = IncrementalAlterConfigsRequest(resources=[Resource(resource_type=4, resource_name="2", configs=configs)])
            return int(client.call(request, 1).responses[0].error_code)

    def answers(endpoint: str) -> bool:
        where, _, port = endpoint.partition("://")[2].rpartition(":")
        with contextlib.suppress(OSError, Closed), contextlib.closing(Client(int(port), where)) as client:
            ask(client)
            return True
        return False

    assert alter(broker.address(), both) == Error.NONE
    wait_until(lambda: answers(extra))
    broker.stop()
    assert not answers(extra)
    cluster.start([broker])
    wait_until(lambda: answers(extra))
    assert alter(controller.address("CONTROLLER"), extra) == Error.NONE
    with pytest.raises(AssertionError, match="it didn't come about"):
        wait_until(lambda: not answers(broker.properties["listeners"]), 2)
    assert answers(extra)
