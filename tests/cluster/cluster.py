"""Clusters of real processes, of either engine or mixed, each node on a loopback address and a folder of its own.

Owns: who is in a cluster and in which role, its properties files, formatting, starting and waiting, and what is done to a node: stop, kill, freeze, wipe.
Doesn't own: one process (tests/nodes.py), faults of the network (proxy.py, namespaces.py), what must hold (checkers.py), what is told (stories.py).
Nodes listen on 127.x.y.ID, always the same ports below the range that the system gives to clients: nobody takes them while a node is down.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import time
from contextlib import closing
from random import SystemRandom
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from barnabas.client.admin import quorum, topics
from barnabas.client.cluster import Cluster as Client
from barnabas.client.cluster import Settings
from barnabas.client.errors import KafkaError
from barnabas.storage.meta_properties import new_directory_id
from barnabas.wire.errors import Error
from barnabas.wire.messages.metadata import MetadataRequest, MetadataResponse
from barnabas.wire.types import uuid_text
from tests.differential.transcript import Client as Blocking
from tests.differential.transcript import Closed
from tests.nodes import Engine, Node, NodeFailed, hold, random_uuid_text, write_properties

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from tests.cluster.namespaces import Namespaces
    from tests.cluster.proxy import Proxy

T = TypeVar("T")
CLIENTS, CONTROLLERS, HELD = 19092, 19093, 19091  # ports; HELD keeps a cluster's addresses to itself
READY_S = 90.0
PATIENCE_S = 5.0  # with a node that may be frozen, or cut off
IMPATIENT = Settings(retry_backoff_ms=10, retry_backoff_max_ms=50, request_timeout_ms=10_000)


class Plan(NamedTuple):
    """Who is in a cluster. Node ids count from 1; `engines` has one for each."""

    engines: Sequence[Engine]
    controllers: Collection[int] | None = None
    """None: all. A node that is in neither list has nothing to do."""
    brokers: Collection[int] | None = None
    """None: all."""
    voters: Collection[int] | None = None
    """The first ones; None: all controllers. The other controllers join later. One alone is formatted as --standalone."""
    static: bool = False
    """The voters stand in controller.quorum.voters."""
    racks: Mapping[int, str] = {}
    overrides: Mapping[str, str] = {}
    own: Mapping[int, Mapping[str, str]] = {}
    """Properties of single nodes."""


class Member(Node):
    """A node of a cluster; `wrapped` starts it where it belongs, a namespace for instance."""

    def __init__(self, node_id: int, engine: Engine, properties_file: Path, quorum: Sequence[str]) -> None:
        super().__init__(engine, properties_file)
        self.node_id = node_id
        self._quorum = quorum
        self.cluster_id = ""

    @property
    def roles(self) -> list[str]:
        return self.properties["process.roles"].split(",")

    @property
    def is_broker(self) -> bool:
        return "broker" in self.roles

    @property
    def is_controller(self) -> bool:
        return "controller" in self.roles

    def format_for(self, cluster_id: str) -> None:
        self.cluster_id = cluster_id
        self.format(cluster_id, self._quorum)

    def replace_disk(self, *, joins: bool = False) -> None:
        """An empty disk where its data was, formatted; the node must be down. `joins`: as one that isn't among the first voters."""
        assert not self.running()
        for directory in self.properties["log.dirs"].split(","):
            for entry in os.scandir(directory):
                shutil.rmtree(entry.path) if entry.is_dir() else os.unlink(entry.path)
        self.format(self.cluster_id, ["--no-initial-controllers"] if joins else self._quorum)

    def freeze(self) -> None:
        """SIGSTOP: its connections stay, and nothing is answered."""
        hold(self.pid)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def partition_directory(self, topic: str, partition: int) -> str | None:
        for directory in self.properties["log.dirs"].split(","):
            path = f"{directory}/{topic}-{partition}"
            if os.path.isdir(path):
                return path
        return None

    def metadata(self, *names: str) -> MetadataResponse:
        """What this broker tells clients of these topics, or of all. Raises OSError, Closed."""
        wanted = [MetadataRequest.Topic(name=name) for name in names] if names else None
        with closing(Blocking(self.port, self.address()[0], PATIENCE_S)) as client:
            found: MetadataResponse = client.call(MetadataRequest(topics=wanted, allow_auto_topic_creation=False), 12)
        return found


class Cluster:
    """Use as `with Cluster(plan, directory) as cluster:`; the nodes are formatted, not started. All is gone at the end."""

    def __init__(self, plan: Plan, directory: Path, network: Proxy | Namespaces | None = None) -> None:
        self.plan = plan
        self.directory = directory
        self.network = network
        self._held, self.prefix = hold_addresses()
        if network is not None:
            network.prefix = self.prefix = network.prefix or self.prefix
        ids = range(1, len(plan.engines) + 1)
        self._controllers = [n for n in ids if plan.controllers is None or n in plan.controllers]
        self._brokers = [n for n in ids if plan.brokers is None or n in plan.brokers]
        self._voters = [n for n in self._controllers if plan.voters is None or n in plan.voters]
        directory.mkdir(parents=True, exist_ok=True)
        first = ",".join(f"{n}@{self._advertised(n)}:{CONTROLLERS}:{uuid_text(new_directory_id())}" for n in self._voters)
        self.members = {n: self._member(n, engine, first) for n, engine in zip(ids, plan.engines, strict=True)}
        if network is not None:
            network.serve(self.members, {n: self._ports(n) for n in ids})
        cluster_id = random_uuid_text()
        for member in self.members.values():
            member.format_for(cluster_id)

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """More than once does no harm."""
        for member in self.members.values():
            member.kill()
        if self.network is not None:
            self.network.close()
            self.network = None
        self._held.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    # Who is there

    @property
    def brokers(self) -> list[Member]:
        return [self.members[n] for n in self._brokers]

    @property
    def controllers(self) -> list[Member]:
        return [self.members[n] for n in self._controllers]

    def running(self, among: Iterable[Member] | None = None) -> list[Member]:
        return [member for member in (self.members.values() if among is None else among) if member.running()]

    @property
    def bootstrap(self) -> str:
        """Of all brokers, whether they run or not."""
        return ",".join(member.bootstrap for member in self.brokers)

    def others(self, member: Member) -> list[Member]:
        return [other for other in self.members.values() if other is not member]

    # Start and stop

    def spawn(self, members: Iterable[Member] | None = None) -> None:
        """Starts processes that are down, all at once, without waiting."""
        for member in self.members.values() if members is None else members:
            if not member.running():
                member.process = None
                member.spawn()

    def start(self, members: Iterable[Member] | None = None) -> Cluster:
        self.spawn(members)
        self.wait_until_ready()
        return self

    def wait_until_ready(self, timeout_s: float = READY_S) -> None:
        """Until every running broker lists every running broker, and the quorum has a leader."""
        brokers = self.running(self.brokers)
        wanted = {member.node_id for member in brokers}
        self.wait_for("all brokers list all brokers", lambda: all(_listed(member) >= wanted for member in brokers), timeout_s)

    def wait_for(self, what: str, condition: Callable[[], object], timeout_s: float = READY_S) -> None:
        """Raises NodeFailed with the end of every node's output, also when a node ends meanwhile."""
        began = {member.node_id for member in self.running()}
        deadline = time.monotonic() + timeout_s
        while not condition():
            ended = began - {member.node_id for member in self.running()}
            if ended or time.monotonic() > deadline:
                why = f"node {ended} ended" if ended else f"not within {timeout_s:.0f} s"
                raise NodeFailed(f"{what}: {why}\n{self.outputs()}")
            time.sleep(0.02)

    def outputs(self, bytes_count: int = 3000) -> str:
        """The end of what each node said, without its compactions: they may be many."""
        said = {
            member: [line for line in member.tail(1 << 20).splitlines() if " was compacted from offset " not in line]
            for member in self.members.values()
        }
        return "\n".join(f"--- node {member.node_id}, {member.engine.name}\n" + "\n".join(lines)[-bytes_count:] for member, lines in said.items())

    def died(self) -> list[int]:
        """Members that ended although nobody ended them: `stop` and `kill` forget the process."""
        return [n for n, member in self.members.items() if member.process is not None and member.process.poll() is not None]

    # Questions over the wire

    def ask(self, question: Callable[[Client], Awaitable[T]], *, controllers: bool = False, settings: Settings = IMPATIENT) -> T:
        """Puts a question of `barnabas.client.admin` to the running brokers, or controllers; to all, as long as none runs."""
        members = self.controllers if controllers else self.brokers
        asked = [member.address("CONTROLLER" if controllers else "PLAINTEXT") for member in self.running(members) or members]

        async def run() -> T:
            async with Client(",".join(f"{host}:{port}" for host, port in asked), settings, controllers=controllers) as client:
                return await question(client)

        return asyncio.run(run())

    def create_topic(self, name: str, partitions: int = 1, replication_factor: int = 3, **configs: str) -> None:
        """Returns when each running broker knows a leader of every partition."""
        new = topics.NewTopic(name, partitions, replication_factor, configs=configs)

        self.ask(lambda client: create(client, new))
        self.wait_for(
            f"all know {name}'s leaders",
            lambda: all((rows := self.partitions(name, member)) and all(row.leader_id >= 0 for row in rows) for member in self.running(self.brokers)),
        )

    def partitions(self, topic: str, by: Member | None = None) -> list[MetadataResponse.Topic.Partition]:
        """In order, as one broker knows them; none while it doesn't know the topic or doesn't answer."""
        for member in [by] if by is not None else self.running(self.brokers):
            try:
                found = member.metadata(topic).topics[0]
            except (OSError, Closed):
                continue
            if not found.error_code:
                return sorted(found.partitions, key=lambda row: row.partition_index)
        return []

    def leader(self, topic: str, partition: int = 0) -> Member:
        rows = self.partitions(topic)
        return self.members[rows[partition].leader_id]

    def wait_for_full_isr(self, *names: str, timeout_s: float = READY_S) -> None:
        """Until every running broker says that every replica of these topics, or of all, is in sync."""
        self.wait_for(
            f"all replicas of {names or 'all topics'} in sync", lambda: all(_in_sync(m, names) for m in self.running(self.brokers)), timeout_s
        )

    def quorum(self) -> quorum.Quorum:
        return self.ask(quorum.describe)

    def active_controller(self) -> Member:
        """The quorum's leader."""
        return self.members[self.quorum().leader_id]

    # Files

    def _ports(self, node_id: int) -> list[int]:
        return [*([CLIENTS] if node_id in self._brokers else []), *([CONTROLLERS] if node_id in self._controllers else [])]

    def _advertised(self, node_id: int) -> str:
        return f"{self.prefix}.{node_id}" if self.network is None else self.network.advertised(node_id)

    def _member(self, node_id: int, engine: Engine, first: str) -> Member:
        directory = self.directory / str(node_id)
        directory.mkdir()
        properties = self._properties(node_id, directory)
        for path in properties["log.dirs"].split(","):
            os.makedirs(path, exist_ok=True)
        if self.network is not None:
            engine = self.network.inside(node_id, engine)
        return Member(node_id, engine, write_properties(directory / "server.properties", properties), self._first_quorum(node_id, first))

    def _first_quorum(self, node_id: int, first: str) -> list[str]:
        """How `kafka-storage format` is told of it."""
        if self.plan.static:
            return []
        if node_id not in self._voters:
            return ["--no-initial-controllers"]
        return ["--standalone"] if len(self._voters) == 1 else ["--initial-controllers", first]

    def _properties(self, node_id: int, directory: Path) -> dict[str, str]:
        controller, broker = node_id in self._controllers, node_id in self._brokers
        listeners = [(name, port) for name, port, has in (("PLAINTEXT", CLIENTS, broker), ("CONTROLLER", CONTROLLERS, controller)) if has]
        replicas = str(min(3, len(self._brokers)))
        enough = str(min(2, len(self._brokers)))
        addresses = {n: f"{self._advertised(n)}:{CONTROLLERS}" for n in self._voters}
        quorum_key = "controller.quorum.voters" if self.plan.static else "controller.quorum.bootstrap.servers"
        properties = {
            "process.roles": ",".join(role for role, has in (("broker", broker), ("controller", controller)) if has),
            "node.id": str(node_id),
            quorum_key: ",".join(f"{n}@{address}" if self.plan.static else address for n, address in addresses.items()),
            "listeners": ",".join(f"{name}://{self.prefix}.{node_id}:{port}" for name, port in listeners),
            "advertised.listeners": ",".join(
                f"{name}://{self._advertised(node_id)}:{port}" for name, port in listeners if broker or name == "CONTROLLER"
            ),
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            **({"inter.broker.listener.name": "PLAINTEXT"} if broker else {}),
            "log.dirs": str(directory / "log"),
            "auto.create.topics.enable": "false",
            "min.insync.replicas": enough,
            "offsets.topic.replication.factor": replicas,
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": enough,
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.replication.factor": replicas,
            "share.coordinator.state.topic.min.isr": enough,
            "group.initial.rebalance.delay.ms": "0",
        }
        if not controller and broker:
            properties["advertised.listeners"] = f"PLAINTEXT://{self._advertised(node_id)}:{CLIENTS}"
        if node_id in self.plan.racks:
            properties["broker.rack"] = self.plan.racks[node_id]
        return {**properties, **self.plan.overrides, **self.plan.own.get(node_id, {})}


async def create(client: Client, new: topics.NewTopic) -> None:
    """Asks until it is there. Names are asked for once: what exists already is a request's whose answer got lost."""

    async def attempt() -> None:
        failure = (await topics.create(client, [new]))[new.name]
        if failure is not None and failure.error is not Error.TOPIC_ALREADY_EXISTS:
            raise failure

    await client.retrying("createTopics", attempt)


def hold_addresses() -> tuple[socket.socket, str]:
    """A prefix 127.x.y that no other cluster has, and what keeps it so."""
    random = SystemRandom()
    while True:
        prefix = f"127.{random.randrange(1, 255)}.{random.randrange(0, 255)}"
        held = socket.socket()
        try:
            held.bind((f"{prefix}.254", HELD))
        except OSError:
            held.close()
            continue
        return held, prefix


def _listed(member: Member) -> set[int]:
    try:
        return {broker.node_id for broker in member.metadata("__nothing").brokers}
    except (OSError, Closed):
        return set()


def _in_sync(member: Member, names: Collection[str]) -> bool:
    try:
        reply = member.metadata(*names)
    except (OSError, Closed):
        return False
    return all(not topic.error_code and all(set(p.isr_nodes) >= set(p.replica_nodes) for p in topic.partitions) for topic in reply.topics)


def tolerant(call: Callable[[], Any]) -> Any:
    """The call's result, or the error that it ended with: for what is tried while nodes come and go."""
    try:
        return call()
    except (KafkaError, OSError, Closed) as error:
        return error
