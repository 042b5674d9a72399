"""Records out: batches by partition, sent to leaders, tried again without duplicates or reordering (KIP-98's idempotence).

Owns: batching, sequences, retries of Produce. Doesn't own the choice of a partition (`partitioner`), nor transactions (`transactions`).
One Produce a leader is under way at a time: order and sequences then need no bookkeeping beyond the queue itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, Union

from barnabas.wire.errors import Error
from barnabas.wire.messages.init_producer_id import InitProducerIdRequest
from barnabas.wire.messages.produce import ProduceRequest
from barnabas.wire.records.builder import build_batch
from barnabas.wire.records.record import Record

from . import partitioner
from .errors import ConnectionLost, KafkaError, TimedOut, check, error_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from barnabas.wire.messages.produce import ProduceResponse
    from barnabas.wire.records.record import Headers

    from .cluster import Cluster, Partition
    from .transactions import Transaction

RECORD_OVERHEAD = 24  # bytes at most around key and value, headers apart
STALE_METADATA = (
    Error.NOT_LEADER_OR_FOLLOWER,
    Error.UNKNOWN_TOPIC_OR_PARTITION,
    Error.LEADER_NOT_AVAILABLE,
    Error.FENCED_LEADER_EPOCH,
    Error.UNKNOWN_TOPIC_ID,
)
_NO_RETRY = (Error.INVALID_TOPIC_EXCEPTION, Error.TOPIC_AUTHORIZATION_FAILED, Error.UNKNOWN_TOPIC_ID)


class ProducerSettings(NamedTuple):
    """Kafka's producer settings of these names. `acks` -1 is "all"; only it can be idempotent."""

    acks: int = -1
    linger_ms: int = 5
    batch_size: int = 16_384
    buffer_memory: int = 32 * 1024 * 1024
    max_request_size: int = 1_048_576
    request_timeout_ms: int = 30_000
    delivery_timeout_ms: int = 120_000
    max_block_ms: int = 60_000
    retries: int = 2**31 - 1
    retry_backoff_ms: int = 100
    codec: int = 0
    idempotence: bool = True


class Delivered(NamedTuple):
    """Where a record stands. `offset` is -1 when nobody was asked (acks=0)."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int


Outcome = Union["asyncio.Future[Delivered]", "Callable[[KafkaError], object]"]
"""Who hears of a record: a future of where it went, or a function of why it is lost."""


def _now_ms() -> int:
    return int(time.time() * 1000)


async def find_partitions(cluster: Cluster, topic: str, *, max_block_ms: int, retry_backoff_ms: int) -> Mapping[int, Partition]:
    """The topic's partitions, waiting for it to come into being for at most max.block.ms. Raises KafkaError, TimedOut."""
    deadline_s = time.monotonic() + max_block_ms / 1000
    while True:
        known = cluster.topics.get(topic)
        if known is not None and known.partitions:
            return known.partitions
        missing = TimedOut(f"Topic {topic} not present in metadata after {max_block_ms} ms.")
        try:
            await cluster.refresh([topic], allow_creation=True, timeout_ms=max(1, int((deadline_s - time.monotonic()) * 1000)))
        except (ConnectionLost, TimedOut) as error:
            raise missing from error
        failure = cluster.topic_errors.get(topic)
        if failure is None:
            continue
        if failure in _NO_RETRY:
            raise KafkaError(failure, f"Invalid topics: [{topic}]" if failure is Error.INVALID_TOPIC_EXCEPTION else None)
        if time.monotonic() > deadline_s:
            raise missing
        await asyncio.sleep(retry_backoff_ms / 1000)


async def identity(cluster: Cluster) -> tuple[int, int]:
    """A fresh (producer id, epoch) of an idempotent producer. Raises KafkaError, TimedOut."""

    async def attempt() -> tuple[int, int]:
        connection = await cluster.any_connection()
        reply = await connection.call(InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=2**31 - 1))
        check(reply.error_code)  # a broker that just started has no ids yet, and says so
        return reply.producer_id, reply.producer_epoch

    return await cluster.retrying("initProducerId", attempt)


class _Batch:
    __slots__ = ("attempts", "born_s", "outcomes", "records", "sequence", "size")

    def __init__(self, now_s: float) -> None:
        self.records: list[Record] = []
        self.outcomes: list[Outcome | None] = []
        self.size = 0
        self.born_s = now_s
        self.attempts = 0
        self.sequence = -1


class Producer:
    """`send` from one loop's tasks; `close` at the end, which sends what is left."""

    def __init__(
        self,
        cluster: Cluster,
        settings: ProducerSettings = ProducerSettings(),  # noqa: B008 - immutable
        transaction: Transaction | None = None,
    ) -> None:
        self._cluster = cluster
        self._settings = settings
        self._transaction = transaction
        self._queues: dict[tuple[str, int], deque[_Batch]] = {}
        self._sequences: dict[tuple[str, int], int] = {}
        self._sticky = partitioner.Sticky()
        self._producer_id = -1
        self._producer_epoch = -1
        self._buffered = 0
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._flushing = False
        self._sender: asyncio.Task[None] | None = None

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
        """Queues a record, waiting for room if the buffer is full. The future has where it went, or why it didn't. Raises KafkaError, TimedOut."""
        future: asyncio.Future[Delivered] = asyncio.get_running_loop().create_future()
        await self.put(
            topic, Record(-1, _now_ms() if timestamp_ms is None else timestamp_ms, key, value, tuple(headers)), partition=partition, outcome=future
        )
        return future

    async def put(self, topic: str, record: Record, *, partition: int | None = None, outcome: Outcome | None = None) -> None:
        """As `send`, for many records: nobody is told of one that arrives, and `outcome`, if it is a function, of one that doesn't."""
        key, value, headers = record.key, record.value, record.headers
        size = RECORD_OVERHEAD + len(key or b"") + len(value or b"")
        if headers:
            size += sum(len(name) + len(content or b"") + 10 for name, content in headers)
        if size > self._settings.max_request_size:
            raise KafkaError(
                Error.MESSAGE_TOO_LARGE,
                f"The message is {size} bytes when serialized which is larger than {self._settings.max_request_size}, "
                "which is the value of the max.request.size configuration.",
            )
        known = self._cluster.topics.get(topic)
        partitions = known.partitions if known is not None and known.partitions else await self._find(topic)
        while self._buffered + size > self._settings.buffer_memory and self._buffered:
            self._room.clear()
            self._wake.set()
            await self._room.wait()
        if partition is None:
            partition = partitioner.of_key(key, len(partitions)) if key is not None else self._sticky.choose(topic, partitions)
        queue = self._queues.get((topic, partition))
        if queue is None:
            queue = self._queues[(topic, partition)] = deque()
        if not queue or queue[-1].attempts or queue[-1].sequence >= 0 or queue[-1].size + size > self._settings.batch_size:
            if queue and key is None:
                self._sticky.turn(topic)
            queue.append(_Batch(time.monotonic()))
            self._wake.set()
        batch = queue[-1]
        batch.records.append(record)
        batch.outcomes.append(outcome)
        batch.size += size
        self._buffered += size
        if self._sender is None:
            self._sender = asyncio.get_running_loop().create_task(self._run())
            self._sender.add_done_callback(self._ended)

    async def flush(self) -> None:
        """Returns when every record queued has its outcome."""
        self._flushing = True
        self._wake.set()
        try:
            while self._buffered:
                self._room.clear()
                await self._room.wait()
        finally:
            self._flushing = False

    async def close(self) -> None:
        await self.flush()
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)

    async def _find(self, topic: str) -> Mapping[int, Partition]:
        settings = self._settings
        return await find_partitions(self._cluster, topic, max_block_ms=settings.max_block_ms, retry_backoff_ms=settings.retry_backoff_ms)

    def _ended(self, sender: asyncio.Task[None]) -> None:
        """A sender that fell over takes what is queued with it rather than leaving its callers waiting."""
        failure = None if sender.cancelled() else sender.exception()
        if failure is None:
            return
        for key, queue in self._queues.items():
            while queue:
                self._finish(key, KafkaError(Error.UNKNOWN_SERVER_ERROR, f"The producer failed: {failure!r}"))

    # The sender

    async def _run(self) -> None:
        while True:
            ready = self._ready()
            if not ready:
                self._wake.clear()
                await self._pause()
                continue
            by_leader: dict[int, list[tuple[str, int]]] = {}
            for key in ready:
                try:
                    by_leader.setdefault(await self._cluster.leader(*key), []).append(key)
                except KafkaError as error:
                    self._finish(key, error)
            await asyncio.gather(*(self._produce(leader, keys) for leader, keys in by_leader.items()))

    def _ready(self) -> list[tuple[str, int]]:
        """Partitions whose first batch is full, old enough, or wanted at once."""
        now_s = time.monotonic()
        return [key for key, queue in self._queues.items() if queue and (self._due_in_s(queue, now_s) <= 0)]

    def _due_in_s(self, queue: deque[_Batch], now_s: float) -> float:
        if self._flushing or len(queue) > 1 or queue[0].attempts or not self._room.is_set() or queue[0].size >= self._settings.batch_size:
            return 0.0
        return queue[0].born_s + self._settings.linger_ms / 1000 - now_s

    async def _pause(self) -> None:
        now_s = time.monotonic()
        waits = [self._due_in_s(queue, now_s) for queue in self._queues.values() if queue]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(min(waits), 0.0005) if waits else None):
                await self._wake.wait()

    async def _produce(self, leader: int, keys: Sequence[tuple[str, int]]) -> None:
        """One request with the first batch of each partition."""
        try:
            connection = await self._cluster.connection(leader)
            await self._identify(keys)
            version = connection.version_of(ProduceRequest)
            if self._transaction is not None:
                version = self._transaction.produce_version(version)
            request = self._request(keys, version)
            if self._settings.acks == 0:
                connection.send_only(request)
                for topic, partition in keys:
                    self._delivered((topic, partition), -1, -1)
                return
            # By the ids as they were sent: by the time of the answer another leader's may have made us forget the topic.
            names = {self._cluster.topic_id(topic): topic for topic, _ in keys} if version >= 13 else {}
            if self._take(await connection.call(request, version=version, timeout_s=self._settings.request_timeout_ms / 1000), names):
                await asyncio.sleep(self._settings.retry_backoff_ms / 1000)
        except (ConnectionLost, TimedOut, KafkaError) as error:
            for key in keys:
                if error.retriable:
                    self._cluster.forget_leader(key[0])
                self._failed(key, error)
            if error.retriable:
                await asyncio.sleep(self._settings.retry_backoff_ms / 1000)

    async def _identify(self, keys: Sequence[tuple[str, int]]) -> None:
        if self._transaction is not None:
            identity_now = await self._transaction.enrol(keys)
            if identity_now != (self._producer_id, self._producer_epoch):
                self._producer_id, self._producer_epoch = identity_now
                self._sequences.clear()
        elif self._settings.idempotence and self._settings.acks == -1 and self._producer_id < 0:
            self._producer_id, self._producer_epoch = await identity(self._cluster)

    def _request(self, keys: Sequence[tuple[str, int]], version: int) -> ProduceRequest:
        Topic = ProduceRequest.TopicProduceData
        topics: dict[str, list[ProduceRequest.TopicProduceData.PartitionProduceData]] = {}
        for topic, partition in keys:
            batch = self._queues[(topic, partition)][0]
            if batch.sequence < 0 and self._producer_id >= 0:
                batch.sequence = self._sequences.get((topic, partition), 0)
                self._sequences[(topic, partition)] = (batch.sequence + len(batch.records)) & 0x7FFFFFFF
            batch.attempts += 1
            encoded = build_batch(
                batch.records,
                codec=self._settings.codec,
                producer_id=self._producer_id,
                producer_epoch=self._producer_epoch,
                base_sequence=batch.sequence,
                transactional=self._transaction is not None,
            )
            topics.setdefault(topic, []).append(Topic.PartitionProduceData(index=partition, records=encoded))
        data = []
        for name, partitions in topics.items():
            if version >= 13:
                data.append(Topic(topic_id=self._cluster.topic_id(name), partition_data=partitions))
            else:
                data.append(Topic(name=name, partition_data=partitions))
        return ProduceRequest(
            transactional_id=None if self._transaction is None else self._transaction.transactional_id,
            acks=self._settings.acks,
            timeout_ms=self._settings.request_timeout_ms,
            topic_data=data,
        )

    def _take(self, reply: ProduceResponse, names: Mapping[bytes, str]) -> bool:
        """Whether something has to go again that no new metadata would help."""
        again = False
        for topic in reply.responses:
            name = topic.name or names.get(topic.topic_id, "")
            for p in topic.partition_responses:
                key = (name, p.index)
                if p.error_code in (Error.NONE, Error.DUPLICATE_SEQUENCE_NUMBER):
                    self._delivered(key, p.base_offset, p.log_append_time_ms)
                    continue
                failure = error_of(p.error_code)
                if failure in STALE_METADATA:
                    self._cluster.forget_leader(name)
                else:
                    again = again or failure.retriable
                message = p.record_errors[0].batch_index_error_message if p.record_errors else p.error_message
                self._failed(key, KafkaError(failure, message))
        return again

    def _delivered(self, key: tuple[str, int], base_offset: int, append_time_ms: int) -> None:
        batch = self._queues[key].popleft()
        for index, future in enumerate(batch.outcomes):
            if isinstance(future, asyncio.Future) and not future.done():
                offset = base_offset + index if base_offset >= 0 else -1
                future.set_result(Delivered(*key, offset, append_time_ms if append_time_ms >= 0 else batch.records[index].timestamp))
        self._release(batch)

    def _failed(self, key: tuple[str, int], error: KafkaError) -> None:
        """Keeps the batch for another attempt, or gives it up."""
        queue = self._queues.get(key)
        if not queue:
            return
        batch = queue[0]
        late = time.monotonic() - batch.born_s > self._settings.delivery_timeout_ms / 1000
        if not error.retriable or batch.attempts > self._settings.retries or late:
            self._finish(key, error)

    def _finish(self, key: tuple[str, int], error: KafkaError) -> None:
        """The first batch is lost: its records fail, and the sequence it held is a gap that only a new identity closes."""
        batch = self._queues[key].popleft()
        for outcome in batch.outcomes:
            if isinstance(outcome, asyncio.Future):
                if not outcome.done():
                    outcome.set_exception(error)
            elif outcome is not None:
                outcome(error)
        if self._transaction is not None:
            self._transaction.lost(error, gap=batch.sequence >= 0)
        elif batch.sequence >= 0:
            self._producer_id = self._producer_epoch = -1
            self._sequences.clear()
            for queue in self._queues.values():
                for waiting in queue:
                    waiting.sequence = -1
        self._release(batch)

    def _release(self, batch: _Batch) -> None:
        self._buffered -= batch.size
        self._room.set()
