"""Several nodes on this machine as one cluster: a directory with a home for each, `node-1`, `node-2` and so on.

Owns: who gets which id, roles, rack and ports; the homes' files; formatting them as one quorum; which of them run. A home itself, with the process in it, is
`home`. Says nothing to anybody.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from .home import BROKER_PORT, CONTROLLER_PORT, HOST, Home, HomeError, free_port

if TYPE_CHECKING:
    from collections.abc import Iterable

COMBINED = "combined"
SEPARATE = "separate"
ROLES = (COMBINED, SEPARATE)
MAX_NODES = 30
VOTERS = 3
"""Controllers of a cluster that has as many nodes; one controller for fewer."""
REPLICAS = 3
RACKS = "abc"
_HOME = re.compile(r"node-(\d+)")


class Place(NamedTuple):
    """A node's place in its cluster."""

    node_id: int
    is_broker: bool
    is_controller: bool
    rack: str
    port: int
    controller_port: int

    @property
    def listeners(self) -> str:
        """Brokers' first."""
        own = [f"PLAINTEXT://{HOST}:{self.port}"] * self.is_broker + [f"CONTROLLER://{HOST}:{self.controller_port}"] * self.is_controller
        return ",".join(own)


class Member:
    """One node of a fleet: its home, and what its server.properties says of it. Raises HomeError."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.settings = home.settings()
        self.roles = [role.strip() for role in self.settings.get("process.roles", "").split(",")]
        try:
            self.node_id = int(self.settings.get("node.id", ""))
        except ValueError:
            raise HomeError(f"{home.properties_path} names no node.id: give it node.id=NUMBER, one that no other node has.") from None
        self.address: tuple[str, int] | None = home.address(self.settings) if self.is_broker else None
        self.controller_port = home.controller_port(self.settings) if self.is_controller else None

    @property
    def is_broker(self) -> bool:
        return "broker" in self.roles

    @property
    def is_controller(self) -> bool:
        return "controller" in self.roles

    @property
    def rack(self) -> str:
        return self.settings.get("broker.rack", "")

    @property
    def where(self) -> str:
        """Host and port for those who talk to it."""
        host, port = self.address or (HOST, self.controller_port)
        return f"{host}:{port}"

    def died(self) -> bool:
        """Whether it was started, and ended without having been stopped."""
        return os.path.exists(self.home.pid_path) and self.home.pid() is None


class Fleet:
    """The nodes in a directory."""

    def __init__(self, directory: str) -> None:
        self.directory = os.path.abspath(directory)

    def exists(self) -> bool:
        return bool(self._names())

    def _names(self) -> list[str]:
        try:
            found = [name for name in os.listdir(self.directory) if _HOME.fullmatch(name) and self._home(name).exists()]
        except OSError:
            return []
        return sorted(found, key=lambda name: int(name.partition("-")[2]))

    def _home(self, name: str) -> Home:
        return Home(os.path.join(self.directory, name))

    def members(self) -> list[Member]:
        """In the order of their ids. Raises HomeError."""
        return [Member(self._home(name)) for name in self._names()]

    def create(self, brokers: int, roles: str, port: int | None) -> list[Member]:
        """The homes of a new cluster. Raises HomeError."""
        places = plan(brokers, roles, port)
        quorum = ",".join(f"{HOST}:{place.controller_port}" for place in places if place.is_controller)
        for place in places:
            home = self._home(f"node-{place.node_id}")
            try:
                home.create(place.port, place.controller_port, _properties(place, quorum, brokers))
            except OSError as error:
                raise HomeError(f"{home.directory} can't be made: {error.strerror}. Choose another with --dir or BARNABAS_DATA.") from error
        return self.members()


def plan(brokers: int, roles: str, port: int | None) -> list[Place]:
    """Combined: the first nodes are controllers too. Separate: brokers first, then controllers with ids of their own. Ports from `port` on, free ones only."""
    voters = VOTERS if brokers >= VOTERS else 1
    total = brokers + (voters if roles == SEPARATE else 0)
    taken: set[int] = set()
    places = []
    for index in range(total):
        is_broker = index < brokers
        is_controller = index >= brokers if roles == SEPARATE else index < voters
        client_port = _next_port((port or BROKER_PORT) + 2 * index, taken)
        controller_port = _next_port((port + 1 if port else CONTROLLER_PORT) + 2 * index, taken)
        places.append(Place(index + 1, is_broker, is_controller, RACKS[index % len(RACKS)] if is_broker else "", client_port, controller_port))
    return places


def _next_port(wanted: int, taken: set[int]) -> int:
    """`wanted` if nobody has it, else any other."""
    port = free_port(wanted) if wanted not in taken and wanted < 1 << 16 else free_port(0)
    while port in taken or port == 0:
        port = free_port(0, avoid=0)
    taken.add(port)
    return port


def _properties(place: Place, quorum: str, brokers: int) -> dict[str, str]:
    """What differs from the one node of a home."""
    replicas = min(REPLICAS, brokers)
    in_sync = str(max(1, replicas - 1))
    roles = ",".join(["broker"] * place.is_broker + ["controller"] * place.is_controller)
    values = {
        "process.roles": roles,
        "node.id": str(place.node_id),
        "listeners": place.listeners,
        "advertised.listeners": place.listeners,
        "controller.quorum.bootstrap.servers": quorum,
        "default.replication.factor": str(replicas),
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": str(replicas),
        "transaction.state.log.replication.factor": str(replicas),
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": str(replicas),
        "share.coordinator.state.topic.min.isr": in_sync,
    }
    if place.rack:
        values["broker.rack"] = place.rack
    return values


def format_members(members: Iterable[Member]) -> str | None:
    """Formats all nodes as one cluster, unless that was done; the new cluster's id. Raises HomeError."""
    from barnabas.storage.meta_properties import new_directory_id
    from barnabas.wire.types import uuid_text

    members = list(members)
    blank = [member for member in members if not member.home.is_formatted(member.settings)]
    if not blank:
        return None
    if len(blank) < len(members):
        first = blank[0]
        how = " --no-initial-controllers" if first.is_controller else ""
        raise HomeError(
            f"Node {first.node_id} isn't formatted, while others of its cluster are. If its disk was replaced: "
            f"kafka-storage format -t CLUSTER_ID -c {first.home.properties_path}{how}, with the cluster.id of another node's meta.properties."
        )
    cluster_id = uuid_text(new_directory_id())
    voters = ",".join(f"{m.node_id}@{HOST}:{m.controller_port}:{uuid_text(new_directory_id())}" for m in members if m.is_controller)
    for member in members:
        _format(member, cluster_id, voters)
    return cluster_id


def _format(member: Member, cluster_id: str, voters: str) -> None:
    from .kafka import storage

    complaints: list[str] = []
    words = ["format", "-t", cluster_id, "-c", member.home.properties_path]
    if member.is_controller:
        words += ["--initial-controllers", voters]
    if storage.run(words, lambda line: None, complaints.append):
        raise HomeError(f"Formatting node {member.node_id} failed: {' '.join(complaints)}")
