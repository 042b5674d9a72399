"""The brokers behind a bootstrap address: who they are, who leads what, a connection to each, and retries.

Owns: metadata and its refresh, one connection a node, the rule when to try again. Doesn't own: what is asked (`admin`, `producer`, `consumer`).
Source: KIP-853 and KIP-919 for controllers as bootstrap; Kafka's client settings for the names and defaults of the timings.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from barnabas.wire.errors import Error
from barnabas.wire.messages.describe_cluster import DescribeClusterRequest
from barnabas.wire.messages.metadata import MetadataRequest

from .connection import Connection, Security
from .errors import ConnectionLost, InvalidBootstrap, KafkaError, TimedOut, check, error_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from barnabas.wire.messages.metadata import MetadataResponse
    from barnabas.wire.schema import Message

T = TypeVar("T")
CONTROLLER_ENDPOINT = 2


class Settings(NamedTuple):
    """Kafka's client settings of these names; times in milliseconds."""

    client_id: str | None = "barnabas"
    request_timeout_ms: int = 30_000
    api_timeout_ms: int = 60_000
    retry_backoff_ms: int = 100
    retry_backoff_max_ms: int = 1_000
    reconnect_backoff_ms: int = 50
    reconnect_backoff_max_ms: int = 1_000
    metadata_max_age_ms: int = 300_000
    security: Security = Security()


class Broker(NamedTuple):
    node_id: int
    host: str
    port: int
    rack: str | None = None


class Partition(NamedTuple):
    """A partition as Metadata has it; `leader` is -1 while there is none."""

    partition: int
    leader: int
    leader_epoch: int
    replicas: tuple[int, ...]
    isr: tuple[int, ...]


class Topic(NamedTuple):
    name: str
    topic_id: bytes
    internal: bool
    partitions: dict[int, Partition]


def parse_bootstrap(addresses: str) -> list[tuple[str, int]]:
    """`host:port,host:port`, IPv6 in brackets. Raises InvalidBootstrap."""
    found = []
    for address in addresses.split(","):
        address = address.strip()
        if not address:
            continue
        host, _, port = address.rpartition(":")
        host = host.rpartition("://")[2].removeprefix("[").removesuffix("]")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise InvalidBootstrap(f"Invalid url in bootstrap.servers: {address}")
        found.append((host, int(port)))
    if not found:
        raise InvalidBootstrap("No resolvable bootstrap urls given in bootstrap.servers")
    return found


class Cluster:
    """Use as `async with Cluster("host:port") as cluster`.

    `on_unreachable(node, host, port)` hears of every connection that failed; the node is -1 and down for bootstrap addresses.
    """

    def __init__(
        self,
        bootstrap: str,
        settings: Settings = Settings(),  # noqa: B008 - immutable
        *,
        controllers: bool = False,
        on_unreachable: Callable[[int, str, int], object] | None = None,
    ) -> None:
        self._bootstrap = parse_bootstrap(bootstrap)
        self._connections: dict[tuple[int, str], Connection] = {}
        self._opening: dict[tuple[int, str], asyncio.Lock] = {}
        self._suspects: dict[tuple[str, int], bool] = {}  # address -> whether it greeted
        self._examined: set[tuple[str, int]] = set()
        self._on_unreachable = on_unreachable or (lambda node, host, port: None)
        self.settings = settings
        self.controllers = controllers
        self.cluster_id: str | None = None
        self.controller_id = -1
        self.brokers: dict[int, Broker] = {}
        self.topics: dict[str, Topic] = {}
        self.topic_errors: dict[str, Error] = {}

    async def __aenter__(self) -> Cluster:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()
        await asyncio.sleep(0)  # lets the transports close before their loop does

    # Connections

    async def connection(self, node_id: int, purpose: str = "") -> Connection:
        """A usable connection to the node; negative ids are bootstrap addresses. Raises ConnectionLost.

        A node answers one request a connection at a time: what must not wait behind a long poll or a rebalance has a `purpose`, and a connection, of its own.
        """
        key = (node_id, purpose)
        connection = self._connections.get(key)
        if connection is not None and connection.usable:
            return connection
        async with self._opening.setdefault(key, asyncio.Lock()):
            connection = self._connections.get(key)
            if connection is None or not connection.usable:
                connection = self._connections[key] = await self._open(node_id)
            return connection

    def release(self, purpose: str) -> None:
        """Closes the connections of a purpose."""
        for key in [key for key in self._connections if key[1] == purpose]:
            self._connections.pop(key).close()
            self._opening.pop(key, None)

    async def _open(self, node_id: int) -> Connection:
        if node_id < 0:
            host, port = self._bootstrap[-node_id - 1]
        else:
            broker = self.brokers.get(node_id)
            if broker is None:
                raise ConnectionLost(f"Broker {node_id} isn't known to the cluster at the moment.")
            host, port = broker.host, broker.port
        settings = self.settings
        try:
            connection = await Connection.open(
                host, port, client_id=settings.client_id, security=settings.security, request_timeout_s=settings.request_timeout_ms / 1000
            )
        except ConnectionLost as lost:
            if not isinstance(lost.__cause__, ConnectionRefusedError):
                self._suspects.setdefault((host, port), False)
            self._on_unreachable(node_id, host, port)
            raise
        if not self.controllers and MetadataRequest.api_key not in connection.versions:
            connection.close()
            raise KafkaError(Error.UNSUPPORTED_VERSION, "The node does not support METADATA")  # a controller
        return connection

    async def any_connection(self) -> Connection:
        """A connection to some broker: an open one, else a known one, else a bootstrap address. Raises ConnectionLost, TimedOut."""
        for (_, purpose), connection in self._connections.items():
            if connection.usable and not purpose:
                return connection
        known = list(self.brokers)
        random.shuffle(known)
        failure: KafkaError | None = None
        for node_id in [*known, *range(-1, -len(self._bootstrap) - 1, -1)]:
            try:
                return await self.connection(node_id)
            except (ConnectionLost, TimedOut) as error:  # gone, or it hangs
                failure = error
        assert failure is not None
        raise failure

    # Calls

    async def retrying(self, name: str, attempt: Callable[[], Awaitable[T]], *, timeout_ms: int | None = None) -> T:
        """`attempt` until it succeeds, fails for good, or the call's time is over. Raises TimedOut, KafkaError."""
        settings = self.settings
        deadline_s = time.monotonic() + (timeout_ms or settings.api_timeout_ms) / 1000
        pause_ms = float(settings.retry_backoff_ms)
        while True:
            failure: KafkaError
            try:
                return await attempt()
            except ConnectionLost as error:
                await self._examine()
                failure = TimedOut(f"Timed out waiting for a node assignment. Call: {name}")
                failure.__cause__ = error
            except KafkaError as error:
                if not error.retriable:
                    raise
                failure = error
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                raise failure
            await asyncio.sleep(min(left_s, pause_ms / 1000 * random.uniform(0.8, 1.2)))
            pause_ms = min(pause_ms * 2, settings.retry_backoff_max_ms)

    async def _examine(self) -> None:
        """Whether the address of a connection that was of no use expects another security protocol; asked once. Raises WrongProtocol."""
        for connection in self._connections.values():
            if not connection.usable and connection.versions and not connection.proven:
                self._suspects.setdefault(connection.address, True)
        if len(self._suspects) > len(self._examined):
            from .diagnosis import wrong_protocol

            for address in [address for address in self._suspects if address not in self._examined]:
                self._examined.add(address)
                verdict = await wrong_protocol(*address, self.settings.security, greeted=self._suspects[address])
                if verdict is not None:
                    raise verdict

    async def call(self, request: Message, *, name: str, node_id: int | None = None, timeout_ms: int | None = None) -> Any:
        """The reply of a node, or of any one; lost connections are tried again. Errors inside the reply are the caller's."""

        async def attempt() -> Any:
            connection = await (self.any_connection() if node_id is None else self.connection(node_id))
            return await connection.call(request)

        return await self.retrying(name, attempt, timeout_ms=timeout_ms)

    async def call_controller(self, request: Message, *, name: str, retry_on: Callable[[Any], bool]) -> Any:
        """A change of the cluster's metadata: any broker forwards it; controllers are asked for their active one. `retry_on` says which replies to try again."""

        async def attempt() -> Any:
            if self.controllers:
                await self.refresh_controllers()
                connection = await self.connection(self.controller_id)
            else:
                connection = await self.any_connection()
            reply = await connection.call(request)
            if retry_on(reply):
                raise KafkaError(Error.NOT_CONTROLLER)
            return reply

        return await self.retrying(name, attempt)

    # Metadata

    async def refresh(self, topics: Iterable[str] | None = None, *, allow_creation: bool = False, timeout_ms: int | None = None) -> None:
        """Asks for the brokers and these topics (None: all). What is wrong with a topic goes to `topic_errors`."""
        names = None if topics is None else list(topics)

        async def attempt() -> None:
            connection = await self.any_connection()
            wanted = None if names is None else [MetadataRequest.Topic(name=name) for name in names]
            self._take(await connection.call(MetadataRequest(topics=wanted, allow_auto_topic_creation=allow_creation)), everything=names is None)

        await self.retrying("metadata", attempt, timeout_ms=timeout_ms)

    def _take(self, reply: MetadataResponse, *, everything: bool) -> None:
        check(reply.error_code)
        self.cluster_id = reply.cluster_id
        self.controller_id = reply.controller_id
        fresh = {broker.node_id: Broker(broker.node_id, broker.host, broker.port, broker.rack) for broker in reply.brokers}
        for node_id, broker in self.brokers.items():
            if fresh.get(node_id) != broker:
                for key in [key for key in self._connections if key[0] == node_id]:
                    self._connections.pop(key).close()
        self.brokers = fresh
        if everything:
            self.topics, self.topic_errors = {}, {}
        for topic in reply.topics:
            if topic.name is None:
                continue
            if topic.error_code:
                self.topic_errors[topic.name] = error_of(topic.error_code)
                self.topics.pop(topic.name, None)
                continue
            self.topic_errors.pop(topic.name, None)
            partitions = {
                p.partition_index: Partition(p.partition_index, p.leader_id, p.leader_epoch, tuple(p.replica_nodes), tuple(p.isr_nodes))
                for p in topic.partitions
            }
            self.topics[topic.name] = Topic(topic.name, topic.topic_id, topic.is_internal, partitions)

    async def refresh_controllers(self) -> None:
        """The controllers and their active one, from any of them (KIP-919)."""
        connection = await self.any_connection()
        reply = await connection.call(DescribeClusterRequest(include_cluster_authorized_operations=False, endpoint_type=CONTROLLER_ENDPOINT))
        check(reply.error_code, reply.error_message)
        self.cluster_id, self.controller_id = reply.cluster_id, reply.controller_id
        self.brokers = {broker.broker_id: Broker(broker.broker_id, broker.host, broker.port, broker.rack) for broker in reply.brokers}
        if self.controller_id not in self.brokers:
            raise KafkaError(Error.NOT_CONTROLLER)

    async def locate(self, node_id: int) -> None:
        """Learns where the broker, or the controller, is, unless that is known."""
        if node_id not in self.brokers:
            await (self.refresh_controllers() if self.controllers else self.refresh([]))

    async def leader(self, topic: str, partition: int) -> int:
        """The partition's leader; refreshes until there is one. Raises KafkaError once the call's time is over."""

        async def attempt() -> int:
            known = self.topics.get(topic)
            found = known.partitions.get(partition) if known else None
            if found is None or found.leader < 0:
                await self.refresh([topic])
                known = self.topics.get(topic)
                found = known.partitions.get(partition) if known else None
            if found is None:
                raise KafkaError(self.topic_errors.get(topic, Error.UNKNOWN_TOPIC_OR_PARTITION))
            if found.leader < 0:
                raise KafkaError(Error.LEADER_NOT_AVAILABLE)
            return found.leader

        return await self.retrying("metadata", attempt)

    def topic_id(self, topic: str) -> bytes:
        """Raises KafkaError UNKNOWN_TOPIC_OR_PARTITION, which is worth another attempt, when the topic was forgotten meanwhile."""
        known = self.topics.get(topic)
        if known is None:
            raise KafkaError(Error.UNKNOWN_TOPIC_OR_PARTITION)
        return known.topic_id

    def leader_epoch(self, topic: str, partition: int) -> int:
        """As of the last metadata; -1 if that says nothing of it."""
        known = self.topics.get(topic)
        found = known.partitions.get(partition) if known else None
        return -1 if found is None else found.leader_epoch

    def forget_leader(self, topic: str) -> None:
        """What is known of the topic is stale: the next `leader` asks anew."""
        self.topics.pop(topic, None)
