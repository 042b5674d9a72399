"""Prepared batches out, for load: what is sent is made once, and each batch costs a header, a checksum and its part of a request.

Owns: several requests in flight a leader, sequences, retries in order (KIP-98), the end of a batch's time. Doesn't own what is in a batch, nor when there is
one: `take` is asked for the next whenever a request may leave. `producer` is the producer for records that come one by one.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from barnabas.wire.errors import Error
from barnabas.wire.messages.produce import ProduceRequest
from barnabas.wire.records.builder import assemble

from .errors import ConnectionLost, KafkaError, TimedOut, error_of
from .producer import STALE_METADATA, find_partitions, identity

if TYPE_CHECKING:
    from collections.abc import Callable

    from .cluster import Cluster
    from .connection import Connection
    from .producer import ProducerSettings

SEQUENCES = 0x7FFFFFFF
_Topic = ProduceRequest.TopicProduceData
_Partition = _Topic.PartitionProduceData


class Load(NamedTuple):
    """The records of one batch: `body` as they go to disk, from offset delta 0 on, compressed with `codec`."""

    body: bytes | memoryview
    record_count: int
    codec: int = 0
    note: Any = None
    """Whatever the source wants back with the outcome."""


class Source(Protocol):
    def take(self) -> Load | None:
        """The next batch; None if there is none at the moment."""


class _Batch:
    __slots__ = ("born_s", "load", "sequence", "timestamp_ms")

    def __init__(self, load: Load, sequence: int) -> None:
        self.load = load
        self.sequence = sequence
        self.born_s = time.monotonic()
        self.timestamp_ms = int(time.time() * 1000)


class _Lane:
    """One partition: its place in the sequence, and what has to be sent again, in order."""

    __slots__ = ("again", "flying", "index", "sequence")

    def __init__(self, index: int) -> None:
        self.index = index
        self.sequence = 0
        self.flying = 0
        self.again: list[_Batch] = []


class _Request(NamedTuple):
    leader: int
    connection: Connection
    sent_s: float
    batches: list[tuple[_Lane, _Batch]]


class BulkProducer:
    """`start`, then `pump` whenever the source has something; replies pump by themselves. `done(load, error)` hears of every batch, from the loop."""

    def __init__(
        self,
        cluster: Cluster,
        settings: ProducerSettings,
        topic: str,
        source: Source,
        done: Callable[[Load, KafkaError | None], object],
        *,
        max_in_flight: int = 5,
    ) -> None:
        self._cluster = cluster
        self._settings = settings
        self._topic = topic
        self._source = source
        self._done = done
        self._max_in_flight = max_in_flight
        self._lanes: dict[int, _Lane] = {}
        self._leaders: dict[int, list[_Lane]] = {}
        self._connections: dict[int, Connection] = {}
        self._identity = (-1, -1)
        self._requests: dict[int, _Request] = {}
        self._serial = 0
        self._busy: dict[int, int] = {}
        self._turn = 0
        self._mending: asyncio.Task[None] | None = None
        self._stale = False
        self.idle = asyncio.Event()
        self.idle.set()
        self.failure: BaseException | None = None
        """What ended the mending of leaders, if anything did: nothing more is sent then."""
        self.retries = self.requests = self.sent_bytes = 0

    async def start(self) -> None:
        """Raises KafkaError, TimedOut."""
        settings = self._settings
        found = await find_partitions(self._cluster, self._topic, max_block_ms=settings.max_block_ms, retry_backoff_ms=settings.retry_backoff_ms)
        self._lanes = {index: _Lane(index) for index in sorted(found)}
        await self._mend()

    @property
    def in_flight(self) -> int:
        return len(self._requests)

    def pump(self) -> None:
        """Sends what there is, as far as requests may leave."""
        if self._stale or self._mending is not None:
            return
        for leader, lanes in self._leaders.items():
            while self._busy[leader] < self._max_in_flight:
                batches = self._gather(lanes)
                if not batches or not self._send(leader, batches):
                    break

    def watch(self) -> None:
        """Call now and then: ends connections whose oldest request has waited for too long."""
        limit_s = time.monotonic() - self._settings.request_timeout_ms / 1000
        for request in list(self._requests.values()):
            if request.sent_s < limit_s:
                request.connection.close()

    def _gather(self, lanes: list[_Lane]) -> list[tuple[_Lane, _Batch]]:
        """One batch of each partition, up to max.request.size; the partitions take turns at being first."""
        batches: list[tuple[_Lane, _Batch]] = []
        room = self._settings.max_request_size
        self._turn += 1
        for position in range(len(lanes)):
            lane = lanes[(self._turn + position) % len(lanes)]
            if lane.again:
                if lane.flying:
                    continue  # the later ones come back first, then all go again in order
                batch = lane.again.pop(0)
            else:
                load = self._source.take()
                if load is None:
                    break
                batch = _Batch(load, lane.sequence)
                lane.sequence = (lane.sequence + load.record_count) & SEQUENCES
            lane.flying += 1
            batches.append((lane, batch))
            room -= len(batch.load.body)
            if room < self._settings.batch_size:
                break
        return batches

    def _send(self, leader: int, batches: list[tuple[_Lane, _Batch]]) -> bool:
        connection = self._connections[leader]
        self._serial += 1
        serial = self._serial
        self._requests[serial] = _Request(leader, connection, time.monotonic(), batches)
        self._busy[leader] += 1
        self.idle.clear()
        try:
            version = connection.version_of(ProduceRequest)
            request = self._request([(lane.index, self._encode(batch)) for lane, batch in batches], version)
            if self._settings.acks == 0:
                connection.send_only(request)
                asyncio.ensure_future(connection.drain()).add_done_callback(lambda drained: self._answered(serial, drained))
            else:
                connection.submit(request, version).add_done_callback(lambda reply: self._answered(serial, reply))
        except KafkaError as error:
            self._returned(serial, error)
            return False
        return True

    def _encode(self, batch: _Batch) -> bytes:
        load = batch.load
        place = (batch.timestamp_ms, batch.timestamp_ms, *self._identity, batch.sequence if self._identity[0] >= 0 else -1)
        encoded = assemble(load.body, 0, -1, load.codec, load.record_count - 1, *place, load.record_count)
        self.sent_bytes += len(encoded)
        return encoded  # type: ignore[return-value] # a bytearray that nobody changes

    def _request(self, parts: list[tuple[int, bytes]], version: int) -> ProduceRequest:
        self.requests += 1
        data = [_Partition(index=index, records=records) for index, records in parts]
        topic = (
            _Topic(topic_id=self._cluster.topic_id(self._topic), partition_data=data)
            if version >= 13
            else _Topic(name=self._topic, partition_data=data)
        )
        return ProduceRequest(acks=self._settings.acks, timeout_ms=self._settings.request_timeout_ms, topic_data=[topic])

    # Replies

    def _answered(self, serial: int, reply: asyncio.Future[Any]) -> None:
        if reply.cancelled():
            self._returned(serial, ConnectionLost())
            return
        failure = reply.exception()
        if failure is not None:
            self._returned(serial, failure if isinstance(failure, KafkaError) else KafkaError(Error.UNKNOWN_SERVER_ERROR, repr(failure)))
            return
        request = self._land(serial)
        found = {p.index: p for topic in reply.result().responses for p in topic.partition_responses} if self._settings.acks else {}
        for lane, batch in request.batches:
            answer = found.get(lane.index)
            code = answer.error_code if answer is not None else 0
            if code in (Error.NONE, Error.DUPLICATE_SEQUENCE_NUMBER):
                self._done(batch.load, None)
            else:
                assert answer is not None
                message = answer.record_errors[0].batch_index_error_message if answer.record_errors else answer.error_message
                self._failed(lane, batch, KafkaError(error_of(code), message))
        self._go_on()

    def _returned(self, serial: int, error: KafkaError) -> None:
        """The request never got its answer: every batch of it may go again."""
        request = self._land(serial)
        self._stale = True
        for lane, batch in request.batches:
            self._failed(lane, batch, error)
        self._go_on()

    def _land(self, serial: int) -> _Request:
        request = self._requests.pop(serial)
        self._busy[request.leader] -= 1
        for lane, _ in request.batches:
            lane.flying -= 1
        return request

    def _failed(self, lane: _Lane, batch: _Batch, error: KafkaError) -> None:
        late = time.monotonic() - batch.born_s > self._settings.delivery_timeout_ms / 1000
        # Behind a batch that failed, the next are out of order for the broker: they go again too.
        behind = error.error is Error.OUT_OF_ORDER_SEQUENCE_NUMBER and bool(lane.again)
        if (error.retriable or behind) and not late and self._settings.retries > 0:
            self.retries += 1
            lane.again.append(batch)
            lane.again.sort(key=lambda one: one.born_s)
            self._stale = self._stale or error.error in STALE_METADATA
            return
        if late:
            waited = f"{self._settings.delivery_timeout_ms} ms has passed since batch creation"
            error = TimedOut(f"Expiring {batch.load.record_count} record(s) for {self._topic}-{lane.index}:{waited}")
        if self._identity[0] >= 0:
            self._identity = (-1, -1)  # its sequence is a gap that only a new identity closes
            self._stale = True
        self._done(batch.load, error)

    def _go_on(self) -> None:
        if not self._requests:
            self.idle.set()
            if self._stale and self._mending is None and self.failure is None:
                self._mending = asyncio.ensure_future(self._mend_slowly())
                return
        self.pump()

    # Leaders

    async def _mend_slowly(self) -> None:
        """Once nothing is in flight: leaders, connections and identity anew, then what failed goes again."""
        self.idle.clear()
        try:
            await asyncio.sleep(self._settings.retry_backoff_ms / 1000)
            self._cluster.forget_leader(self._topic)
            await self._mend()
        except (KafkaError, OSError) as error:
            self.failure = error
            for lane in self._lanes.values():
                for batch in lane.again:
                    self._done(batch.load, error if isinstance(error, KafkaError) else ConnectionLost(str(error)))
                lane.again.clear()
        finally:
            self._mending = None
            self.idle.set()
        if self.failure is None:
            self.pump()

    async def _mend(self) -> None:
        leaders: dict[int, list[_Lane]] = {}
        for index, lane in self._lanes.items():
            leaders.setdefault(await self._cluster.leader(self._topic, index), []).append(lane)
        self._connections = {leader: await self._cluster.connection(leader) for leader in leaders}
        if self._settings.idempotence and self._settings.acks == -1 and self._identity[0] < 0:
            self._identity = await identity(self._cluster)
            for lane in self._lanes.values():
                lane.sequence = 0
                for batch in lane.again:
                    batch.sequence, lane.sequence = lane.sequence, (lane.sequence + batch.load.record_count) & SEQUENCES
        self._leaders = leaders
        self._busy = dict.fromkeys(leaders, 0)
        self._stale = False
