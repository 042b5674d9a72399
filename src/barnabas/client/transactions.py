"""Records and offsets that become visible together or not at all: a producer with a transactional id (KIP-98, 360, 447, 890).

Owns: what a transaction's coordinator is told, in either version of the protocol, and when a producer is done for. Doesn't own batches and sequences (`producer`),
nor looking at other people's transactions (`admin.transactions`).
"""

from __future__ import annotations

import asyncio
import contextlib
from enum import Enum
from typing import TYPE_CHECKING, Any

from barnabas.wire.errors import Error
from barnabas.wire.messages.add_offsets_to_txn import AddOffsetsToTxnRequest
from barnabas.wire.messages.add_partitions_to_txn import AddPartitionsToTxnRequest
from barnabas.wire.messages.end_txn import EndTxnRequest
from barnabas.wire.messages.init_producer_id import InitProducerIdRequest
from barnabas.wire.messages.txn_offset_commit import TxnOffsetCommitRequest

from .admin.groups import GROUP, TRANSACTION, coordinator
from .errors import ConnectionLost, KafkaError, check, error_of
from .producer import Producer, ProducerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

    from barnabas.wire.records.record import Headers
    from barnabas.wire.schema import Message

    from .admin.groups import Committed
    from .cluster import Cluster
    from .connection import Connection
    from .group import Membership
    from .producer import Delivered

    Key = tuple[str, int]

FEATURE = "transaction.version"
EPOCH_A_TRANSACTION = 2
"""From this level of the feature on, each transaction has an epoch of its own, and brokers add partitions and groups to it by themselves (KIP-890)."""
_OLD_PRODUCE, _OLD_TXN_OFFSET_COMMIT, _OLD_END_TXN, _CLIENTS_ADD_PARTITIONS = 11, 4, 4, 3  # the highest versions that don't speak of that
_FIND_AGAIN = (Error.NOT_COORDINATOR, Error.COORDINATOR_NOT_AVAILABLE)
_FATAL = (
    Error.PRODUCER_FENCED,
    Error.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    Error.CLUSTER_AUTHORIZATION_FAILED,
    Error.INVALID_TXN_STATE,
    Error.INVALID_PRODUCER_ID_MAPPING,
    Error.UNSUPPORTED_VERSION,
)


class State(Enum):
    NEW = "has not started"
    READY = "has no transaction open"
    OPEN = "has a transaction open"
    FAILED = "can only abort its transaction"
    DONE_FOR = "can't go on"


class Transaction:
    """The transactions of one transactional id, one after the other, as the coordinators are told of them."""

    def __init__(self, cluster: Cluster, transactional_id: str, timeout_ms: int) -> None:
        self._cluster = cluster
        self._timeout_ms = timeout_ms
        self._keepers: dict[tuple[str, int], int] = {}
        self._level = 0
        self._partitions: set[Key] = set()
        self._started = False  # the coordinator knows of it, or may
        self._bump = False
        self._ending: bool | None = None
        self._turn = asyncio.Lock()
        self.transactional_id = transactional_id
        self.identity = (-1, -1)
        """Producer id and epoch."""
        self.state = State.NEW
        self.failure: KafkaError | None = None

    async def initialise(self) -> None:
        """Fences whoever had the id before, and ends what it left open. Raises KafkaError."""
        if self.state in (State.OPEN, State.FAILED):
            raise KafkaError(Error.INVALID_TXN_STATE, f"The producer {self.state.value}.")
        await self._identify()
        self.state, self.failure = State.READY, None

    def begin(self) -> None:
        self.require(State.READY)
        self.state, self._ending = State.OPEN, None

    def require(self, state: State) -> None:
        """Raises why the producer isn't in this state."""
        if self.state is not state:
            raise self.failure or KafkaError(Error.INVALID_TXN_STATE, f"The producer {self.state.value}.")

    async def enrol(self, keys: Iterable[Key]) -> tuple[int, int]:
        """Before a batch goes to these partitions: they are in the transaction. The identity to send it under. Raises KafkaError."""
        async with self._turn:
            self.require(State.OPEN)
            fresh = [key for key in keys if key not in self._partitions]
            if fresh and self._level < EPOCH_A_TRANSACTION:
                await self._ask("addPartitionsToTxn", self._add_partitions(fresh), _partition_errors, highest=_CLIENTS_ADD_PARTITIONS)
            self._partitions.update(fresh)
            self._started = True
            return self.identity

    def produce_version(self, version: int) -> int:
        """The version of Produce to use, of those up to `version`."""
        return version if self._level >= EPOCH_A_TRANSACTION else min(version, _OLD_PRODUCE)

    async def add_offsets(self, offsets: Mapping[Key, Committed], membership: Membership) -> None:
        """Offsets of a group that are committed with the transaction. Raises KafkaError, those of the group among them."""
        self.require(State.OPEN)
        producer_id, epoch = self.identity
        self._started = True
        if self._level < EPOCH_A_TRANSACTION:
            add = AddOffsetsToTxnRequest(
                transactional_id=self.transactional_id, producer_id=producer_id, producer_epoch=epoch, group_id=membership.group_id
            )
            await self._ask("addOffsetsToTxn", add, lambda reply: [reply.error_code])
        topics: dict[str, list[TxnOffsetCommitRequest.Topic.Partition]] = {}
        for (topic, partition), offset in offsets.items():
            topics.setdefault(topic, []).append(
                TxnOffsetCommitRequest.Topic.Partition(
                    partition_index=partition,
                    committed_offset=offset.offset,
                    committed_leader_epoch=offset.leader_epoch,
                    committed_metadata=offset.metadata,
                )
            )
        request = TxnOffsetCommitRequest(
            transactional_id=self.transactional_id,
            group_id=membership.group_id,
            producer_id=producer_id,
            producer_epoch=epoch,
            generation_id=membership.generation,
            member_id=membership.member_id,
            group_instance_id=membership.instance_id,
            topics=[TxnOffsetCommitRequest.Topic(name=name, partitions=partitions) for name, partitions in topics.items()],
        )
        await self._ask("txnOffsetCommit", request, _offset_errors, keeper=(membership.group_id, GROUP), highest=_OLD_TXN_OFFSET_COMMIT)

    async def end(self, *, committed: bool) -> None:
        """Once no batch of it is under way. After a TimedOut it may be called again, for the same end. Raises KafkaError."""
        if self._ending not in (None, committed):
            raise KafkaError(
                Error.INVALID_TXN_STATE, f"The transaction may have been {'committed' if self._ending else 'aborted'} already: end it so."
            )
        self._ending = committed
        if self._started:
            producer_id, epoch = self.identity
            request = EndTxnRequest(transactional_id=self.transactional_id, producer_id=producer_id, producer_epoch=epoch, committed=committed)
            try:
                reply = await self._ask("endTxn", request, lambda reply: [reply.error_code], highest=_OLD_END_TXN)
            except KafkaError as error:
                if not error.retriable:
                    self._ending = None
                    if not committed:
                        self._done_for(error)  # an abort that fails leaves nothing to try
                raise
            if reply.producer_id >= 0:
                self.identity, self._bump = (reply.producer_id, reply.producer_epoch), False
        self._partitions.clear()
        self._started = False
        if self._bump:
            await self._identify()
        self.state, self.failure, self._ending = State.READY, None, None

    def lost(self, error: KafkaError, *, gap: bool = False) -> None:
        """A batch, or a request, of the transaction was given up: it can only be aborted now. A `gap` in the sequences needs another epoch."""
        self._bump = self._bump or gap
        if error.error in _FATAL:
            self._done_for(error)
        elif self.state is State.OPEN:
            self.state, self.failure = State.FAILED, error

    def _done_for(self, error: KafkaError) -> None:
        if self.state is not State.DONE_FOR:
            self.state, self.failure = State.DONE_FOR, error

    async def _identify(self) -> None:
        request = InitProducerIdRequest(
            transactional_id=self.transactional_id,
            transaction_timeout_ms=self._timeout_ms,
            producer_id=self.identity[0],
            producer_epoch=self.identity[1],
        )
        reply = await self._ask("initProducerId", request, lambda reply: [reply.error_code])
        self.identity, self._bump = (reply.producer_id, reply.producer_epoch), False
        keeper = await self._cluster.connection(self._keepers[(self.transactional_id, TRANSACTION)])
        self._level = keeper.features.get(FEATURE, 0)

    def _add_partitions(self, keys: Iterable[Key]) -> AddPartitionsToTxnRequest:
        topics: dict[str, list[int]] = {}
        for topic, partition in keys:
            topics.setdefault(topic, []).append(partition)
        return AddPartitionsToTxnRequest(
            v3_and_below_transactional_id=self.transactional_id,
            v3_and_below_producer_id=self.identity[0],
            v3_and_below_producer_epoch=self.identity[1],
            v3_and_below_topics=[AddPartitionsToTxnRequest.Topic(name=name, partitions=partitions) for name, partitions in topics.items()],
        )

    async def _ask(
        self,
        name: str,
        request: Message,
        codes: Callable[[Any], Iterable[int]],
        *,
        keeper: tuple[str, int] | None = None,
        highest: int | None = None,
    ) -> Any:
        """The reply of the coordinator, tried again where that helps. `highest` is the version that the old protocol stops at."""
        key = keeper or (self.transactional_id, TRANSACTION)

        async def attempt() -> Any:
            try:
                connection = await self._keeper(key)
                version = connection.version_of(type(request))
                if highest is not None and self._level < EPOCH_A_TRANSACTION:
                    version = min(version, highest)
                reply = await connection.call(request, version=version)
                for code in codes(reply):
                    check(code)
                return reply
            except KafkaError as error:
                if isinstance(error, ConnectionLost) or error.error in _FIND_AGAIN:
                    self._keepers.pop(key, None)
                raise

        try:
            return await self._cluster.retrying(name, attempt)
        except KafkaError as error:
            if error.error is Error.INVALID_PRODUCER_EPOCH:  # how coordinators of old say it
                error = KafkaError(Error.PRODUCER_FENCED)
            if not error.retriable or self._ending is None:
                self.lost(error)
            raise error from None

    async def _keeper(self, key: tuple[str, int]) -> Connection:
        if key not in self._keepers:
            self._keepers[key] = await coordinator(self._cluster, *key)
        return await self._cluster.connection(self._keepers[key])


def _partition_errors(reply: Any) -> list[int]:
    """What is wrong first: another partition's error is why the rest wasn't attempted."""
    codes = [p.partition_error_code for topic in reply.results_by_topic_v3_and_below for p in topic.results_by_partition]
    return sorted(codes, key=lambda code: error_of(code) is Error.OPERATION_NOT_ATTEMPTED)


def _offset_errors(reply: Any) -> list[int]:
    return [p.error_code for topic in reply.topics for p in topic.partitions]


def _told_by_the_end(sent: asyncio.Future[Delivered]) -> None:
    """Nobody has to ask each record: `commit` raises what one was lost for."""
    if not sent.cancelled():
        sent.exception()


class TransactionalProducer:
    """`start` once; then `begin`, `send`, `send_offsets`, and `commit` or `abort`, again and again, or `async with producer.transaction():`; `close` at the end."""

    def __init__(
        self,
        cluster: Cluster,
        transactional_id: str,
        settings: ProducerSettings = ProducerSettings(),  # noqa: B008 - immutable
        *,
        transaction_timeout_ms: int = 60_000,
    ) -> None:
        if settings.acks != -1 or not settings.idempotence:
            raise ValueError("A transactional producer is idempotent, with acks=all.")
        self._transaction = Transaction(cluster, transactional_id, transaction_timeout_ms)
        self._producer = Producer(cluster, settings, self._transaction)

    @property
    def identity(self) -> tuple[int, int]:
        """Producer id and epoch, as of now."""
        return self._transaction.identity

    @property
    def state(self) -> State:
        """After FAILED, `abort`; after DONE_FOR there is nothing but `close`: another producer has the id, or it may not be had."""
        return self._transaction.state

    async def start(self) -> None:
        """Takes the transactional id over: a producer that had it is fenced, its open transaction aborted. Raises KafkaError."""
        await self._transaction.initialise()

    async def begin(self) -> None:
        self._transaction.begin()

    async def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        headers: Headers = (),
        *,
        partition: int | None = None,
        timestamp_ms: int | None = None,
    ) -> asyncio.Future[Delivered]:
        """As `Producer.send`, into the transaction. A record that is lost fails the transaction."""
        self._transaction.require(State.OPEN)
        sent = await self._producer.send(topic, value, key, headers, partition=partition, timestamp_ms=timestamp_ms)
        sent.add_done_callback(_told_by_the_end)
        return sent

    async def send_offsets(self, offsets: Mapping[tuple[str, int], Committed], membership: Membership) -> None:
        """What a consumer has read is committed with the transaction; `membership` is the consumer's, so that a member that lost its place is fenced."""
        if offsets:
            await self._transaction.add_offsets(offsets, membership)

    async def commit(self) -> None:
        """Sends what is left, and makes all of it visible. Raises KafkaError: then `abort`, if `state` says so."""
        self._transaction.require(State.OPEN)
        await self._producer.flush()
        self._transaction.require(State.OPEN)
        await self._transaction.end(committed=True)

    async def abort(self) -> None:
        """What wasn't sent yet is dropped, what was stays invisible to who reads committed records only. Raises KafkaError."""
        if self.state is not State.FAILED:
            self._transaction.require(State.OPEN)
            self._transaction.lost(KafkaError(Error.TRANSACTION_ABORTABLE, "The transaction was aborted before this record was sent."))
        await self._producer.flush()
        if self.state is not State.FAILED:
            self._transaction.require(State.FAILED)
        await self._transaction.end(committed=False)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Begins, and commits at the end; aborts, if that is still possible, when the block or the commit raises."""
        await self.begin()
        try:
            yield
            await self.commit()
        except BaseException:
            if self.state in (State.OPEN, State.FAILED):
                await self.abort()
            raise

    async def close(self) -> None:
        """Aborts what is open. Whoever has the id next doesn't wait for it."""
        if self.state in (State.OPEN, State.FAILED):
            await self.abort()
        await self._producer.close()
