"""kafka-replica-verification: reads every replica of a partition and compares them, batch by batch, until it is stopped.

Flags, output and exit codes of Apache Kafka's ReplicaVerificationTool, which is deprecated there. What is compared is `Verification`, without a cluster.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

from .admin_tool import guarded
from .get_offsets import is_bootstrap
from .java import EXECUTION, Thrown, hash_order, log_line, partition_hash, wrapped
from .options import Parser, help_or_version, require, usage_and_exit
from .topic_names import InvalidFilter, include

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from barnabas.client.cluster import Cluster
    from barnabas.wire.messages.fetch import FetchResponse
    from barnabas.wire.records.batch import BatchHeader

PURPOSE = "Validate that all replicas for a set of topics have the same data."
DEBUGGING_CONSUMER = -2
"""The replica id of who may read any replica, and to its very end."""
LOGGER = "org.apache.kafka.tools.ReplicaVerificationTool"

Key = tuple[str, int]


class Fetched(NamedTuple):
    """What one replica answered."""

    high_watermark: int
    batches: Sequence[BatchHeader]


class Mismatch(Exception):
    """Two replicas have their batches at different offsets; the comparison ends."""


class Plan(NamedTuple):
    bootstrap: str
    fetch_size: int
    max_wait_ms: int
    chosen: Callable[[str], bool]
    start: int
    report_interval_ms: int


def main(argv: Sequence[str]) -> int:
    from .session import run

    log_line("WARN", "This tool is deprecated and may be removed in a future major release.", LOGGER)
    return guarded(lambda: run(_verify(_options(argv))))


def _options(argv: Sequence[str]) -> Plan:
    parser = Parser()
    brokers = parser.required("broker-list", "REQUIRED: the brokers to start from.", "hostname:port,...,hostname:port")
    fetch_size = parser.required("fetch-size", "Bytes of a partition in one fetch.", "bytes", "Integer", "1048576")
    max_wait = parser.required("max-wait-ms", "How long a fetch may wait for records.", "ms", "Integer", "1000")
    topics = parser.required("topics-include", "Which topics, as a regular expression.", "Java regex (String)", default=".*")
    start = parser.required("time", "From which time on.", "timestamp/-1(latest)/-2(earliest)", "Long", "-1")
    interval = parser.required("report-interval-ms", "How often to report.", "ms", "Long", "30000")
    given = parser.parse(argv)
    help_or_version(parser, given, argv, PURPOSE)
    require(parser, given, brokers)
    bootstrap = given.text(brokers)
    if not bootstrap.strip():
        usage_and_exit(parser, "Error while validating the bootstrap address\n")
    if not is_bootstrap(bootstrap):
        usage_and_exit(parser, "Please provide valid host:port like host1:9091,host2:9092\n")
    try:
        chosen = include(given.text(topics))
    except InvalidFilter:
        raise Thrown(f"{given.text(topics)} is an invalid regex", InvalidFilter.java_class) from None
    return Plan(bootstrap, given.number(fetch_size), given.number(max_wait), chosen, given.number(start), given.number(interval))


# --- comparing


class Verification:
    """How far all replicas of each partition agree. Changes by `step` alone."""

    def __init__(self, replicas: Mapping[Key, Sequence[int]], offsets: Mapping[Key, int]) -> None:
        self.replicas = replicas
        self.offsets = dict(offsets)
        self.max_lag, self.lagging, self.lagging_at = -1, ("", -1), -1

    def step(self, fetched: Mapping[Key, Mapping[int, Fetched]], say: Callable[[str], None]) -> None:
        """Compares what was fetched from `offsets` on, and moves those. Raises Mismatch."""
        self.max_lag = -1
        for key in hash_order(self.replicas, partition_hash):
            answers = fetched.get(key, {})
            if len(answers) == len(self.replicas[key]):
                self._compare(key, answers, say)
            lag = max((answer.high_watermark for answer in answers.values()), default=-1) - self.offsets[key]
            if lag > self.max_lag:
                self.max_lag, self.lagging, self.lagging_at = lag, key, self.offsets[key]

    def _compare(self, key: Key, answers: Mapping[int, Fetched], say: Callable[[str], None]) -> None:
        """One batch of every replica at a time, as far as all of them have committed."""
        name = f"{key[0]}-{key[1]}"
        (first, leading), *others = answers.items()
        for position, batch in enumerate(leading.batches):
            if batch.last_offset >= leading.high_watermark:
                return
            for replica, answer in others:
                if position >= len(answer.batches) or answer.batches[position].last_offset >= answer.high_watermark:
                    return
                theirs = answer.batches[position]
                if theirs.last_offset != batch.last_offset:
                    offsets = f"replica {first}'s offset {batch.last_offset} doesn't match replica {replica}'s offset {theirs.last_offset}"
                    say(f"partition {name}: {offsets}")
                    raise Mismatch
                if theirs.crc != batch.crc:
                    checksums = f"replica {first}'s checksum {batch.crc}; replica {replica}'s checksum {theirs.crc}"
                    say(f"partition {name} has unmatched checksum at offset {batch.last_offset}; {checksums}")
            self.offsets[key] = batch.next_offset

    def report(self) -> str:
        topic, partition = self.lagging
        return f"max lag is {self.max_lag} for partition {topic}-{partition} at offset {self.lagging_at} among {len(self.replicas)} partitions"


# --- reading


async def _verify(plan: Plan) -> None:
    from barnabas.client.admin import offsets, topics
    from barnabas.client.errors import KafkaError

    from .session import open_cluster

    async with open_cluster({"bootstrap.servers": plan.bootstrap}) as cluster:
        try:
            names = [name for name in await topics.names(cluster) if plan.chosen(name)]
            if not names:
                log_line("ERROR", "No topics found. [topics-include] if specified, is either filtering out all topics or there is no topic.", LOGGER)
                raise SystemExit(1)
            described = await topics.describe(cluster, names)
            replicas = {(name, p.partition): p.replicas for name in names for p in described[name].partitions}
            await cluster.refresh(names)
            found = await offsets.find(cluster, dict.fromkeys(replicas, plan.start))
        except KafkaError as error:
            raise wrapped(error, EXECUTION) from None
        starts = {}
        for key, place in found.items():
            if isinstance(place, KafkaError):
                raise place
            starts[key] = place.offset
        verification = Verification(replicas, starts)
        _say("verification process is started")
        await _run(cluster, plan, verification)


async def _run(cluster: Cluster, plan: Plan, verification: Verification) -> None:
    by_broker: dict[int, list[Key]] = {}
    for key, brokers in verification.replicas.items():
        for broker in brokers:
            by_broker.setdefault(broker, []).append(key)
    reported_s = time.monotonic()
    while True:
        answers = await asyncio.gather(*(_fetch(cluster, plan, broker, keys, verification.offsets) for broker, keys in by_broker.items()))
        fetched: dict[Key, dict[int, Fetched]] = {}
        for broker, answer in zip(by_broker, answers, strict=True):
            for key, found in answer.items():
                fetched.setdefault(key, {})[broker] = found
        try:
            verification.step(fetched, _say)
        except Mismatch:
            raise SystemExit(1) from None
        if (time.monotonic() - reported_s) * 1000 > plan.report_interval_ms:
            _say(verification.report())
            reported_s = time.monotonic()


async def _fetch(cluster: Cluster, plan: Plan, broker: int, keys: Sequence[Key], offsets: Mapping[Key, int]) -> dict[Key, Fetched]:
    """What the broker has of its replicas; nothing while it can't be reached."""
    from barnabas.client.errors import KafkaError
    from barnabas.wire.messages.fetch import FetchRequest

    try:
        connection = await cluster.connection(broker)
        version = connection.version_of(FetchRequest)
        topics: dict[str, list[FetchRequest.Topic.Partition]] = {}
        for name, partition in keys:
            asked = FetchRequest.Topic.Partition(
                partition=partition, fetch_offset=offsets[(name, partition)], partition_max_bytes=plan.fetch_size, log_start_offset=0
            )
            topics.setdefault(name, []).append(asked)
        by_id = version >= 13
        ids = {cluster.topic_id(name): name for name in topics} if by_id else {}
        request = FetchRequest(
            max_wait_ms=plan.max_wait_ms,
            min_bytes=1,
            topics=[
                FetchRequest.Topic(topic_id=cluster.topic_id(name), partitions=parts) if by_id else FetchRequest.Topic(topic=name, partitions=parts)
                for name, parts in topics.items()
            ],
        )
        if version >= 15:
            request.replica_state = FetchRequest.ReplicaState(replica_id=DEBUGGING_CONSUMER, replica_epoch=-1)
        else:
            request.replica_id = DEBUGGING_CONSUMER
        reply = await connection.call(request, version=version, timeout_s=plan.max_wait_ms / 1000 + cluster.settings.request_timeout_ms / 1000)
    except KafkaError:
        await asyncio.sleep(cluster.settings.retry_backoff_max_ms / 1000)
        return {}
    return _answers(reply, ids)


def _answers(reply: FetchResponse, ids: Mapping[bytes, str]) -> dict[Key, Fetched]:
    from barnabas.wire.records.batch import iterate_headers

    return {
        (topic.topic or ids.get(topic.topic_id, ""), p.partition_index): Fetched(
            p.high_watermark, [header for _, header in iterate_headers(p.records or b"")]
        )
        for topic in reply.responses
        for p in topic.partitions
    }


def _say(text: str) -> None:
    now = time.time()
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
    print(f"{stamp},{int(now * 1000) % 1000:03d}: {text}")
    sys.stdout.flush()
