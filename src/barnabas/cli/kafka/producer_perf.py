"""kafka-producer-perf-test: how fast a topic takes records. Flags, lines and exit codes of Apache Kafka's ProducerPerformance.

Owns the options and the run. What is sent is `payloads`, how it leaves is `client.bulk`, the numbers are `load_stats`. Records are encoded beforehand and only
batches are handled while the clock runs; a batch is made when a request may leave, so latencies are the cluster's, not those of a full buffer.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from . import payloads
from .argparse4j import ArgumentError, HelpWanted
from .console_producer import producer_settings
from .flat_arguments import Argument, Given, help_page, parse
from .java import java_text
from .session import ConfigException, load_properties, open_cluster, run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from barnabas.client.bulk import Load
    from barnabas.client.errors import KafkaError
    from barnabas.client.producer import ProducerSettings

    from .load_stats import Stats

TOOL = "kafka-producer-perf-test"
DESCRIPTION = "Produces records as fast as told, or as fast as it goes, and says how fast that was and how long acknowledgements took."
GROUP_NOTE = "  Exactly one of --record-size, --payload-file and --payload-monotonic."
_PAIR = "PROP-NAME=PROP-VALUE"
ARGUMENTS = (
    Argument("--bootstrap-server", "The brokers to start from; goes before bootstrap.servers in properties.", "BOOTSTRAP-SERVER"),
    Argument("--topic", "The topic to produce to.", required=True),
    Argument("--num-records", "How many records.", "NUM-RECORDS", "Long", True),
    Argument("--payload-delimiter", "What stands between the payloads of --payload-file, a regular expression.", "PAYLOAD-DELIMITER", default="\\n"),
    Argument("--throughput", "Records a second, at most; -1 for as many as possible.", kind="Double", required=True),
    Argument("--producer-props", "(DEPRECATED) As --command-property.", _PAIR, many="+"),
    Argument("--command-property", "Settings of the producer; they go before those of --command-config.", _PAIR, many="+"),
    Argument("--producer.config", "(DEPRECATED) As --command-config.", "CONFIG-FILE"),
    Argument("--command-config", "File of producer settings.", "CONFIG-FILE"),
    Argument("--print-metrics", "Print the producer's metrics at the end.", kind="Flag"),
    Argument("--transactional-id", "Produce in transactions: not served yet.", "TRANSACTIONAL-ID"),
    Argument("--transaction-duration-ms", "How long a transaction lasts: not served yet.", "TRANSACTION-DURATION", "Long"),
    Argument("--warmup-records", "So many records at first, which a second summary leaves out.", "WARMUP-RECORDS", "Long", default="0"),
    Argument("--reporting-interval", "Milliseconds between lines about the progress.", "INTERVAL-MS", "Long", default="5000"),
    Argument("--record-size", "Bytes of each record, random letters.", "RECORD-SIZE", "Integer", in_group=True),
    Argument("--payload-file", "UTF-8 file with payloads, of which one is chosen at random for each record.", "PAYLOAD-FILE", in_group=True),
    Argument("--payload-monotonic", "Each record is its number, from 0.", kind="Flag", in_group=True),
)
TICK_S = 0.001
WATCH_S = 1.0


class Plan(NamedTuple):
    """What the options come to."""

    topic: str
    records: int
    warmup: int
    throughput: float
    interval_ms: int
    print_metrics: bool
    lines: list[bytes] | None
    record_size: int | None
    properties: dict[str, str]


class NotServed(ValueError):
    java_class = "java.lang.UnsupportedOperationException"


def main(argv: Sequence[str]) -> int:
    from barnabas.client.errors import InvalidBootstrap

    if not argv:
        print(help_page(TOOL, DESCRIPTION, ARGUMENTS, GROUP_NOTE), end="")
        return 0
    try:
        plan = _plan(parse(TOOL, DESCRIPTION, ARGUMENTS, argv, group_note=GROUP_NOTE))
        settings = producer_settings(plan.properties)
        return run(_Run(plan, settings).go())
    except HelpWanted as page:
        print(str(page), end="")
    except ArgumentError as error:
        sys.stderr.write(f"{error}\n")
    except InvalidBootstrap as error:
        failed = "org.apache.kafka.common.KafkaException: Failed to construct kafka producer"
        sys.stderr.write(f'Exception in thread "main" {failed}\nCaused by: {java_text(error)}\n')
    except (ConfigException, OSError, ValueError) as error:
        sys.stdout.flush()
        sys.stderr.write(f'Exception in thread "main" {java_text(error)}\n')
    return 1


def _plan(given: Given) -> Plan:
    records, warmup = given.number("--num-records"), max(0, given.number("--warmup-records"))
    size = given.optional_number("--record-size")
    _check(given, records, warmup, size)
    delimiter = given.text("--payload-delimiter")
    lines = _lines(given.text("--payload-file"), "\n" if delimiter == "\\n" else delimiter) if given.has("--payload-file") else None
    for old, new in (("--producer-props", "--command-property"), ("--producer.config", "--command-config")):
        if given.has(old):
            print(f"Option {old} has been deprecated and will be removed in a future version. Use {new} instead.")
    config = given.one("--producer.config") or given.one("--command-config")
    properties = load_properties(config) if config else {}
    for pair in given.all("--producer-props") or given.all("--command-property") or ():
        pieces = pair.split("=")
        if len([piece for piece in pieces if piece]) != 2:
            raise ValueError(f"Invalid property: {pair}")
        properties[pieces[0]] = pieces[1]
    properties.setdefault("client.id", "perf-producer-client")
    if given.has("--bootstrap-server"):
        properties["bootstrap.servers"] = given.text("--bootstrap-server")
    for name in ("--transactional-id", "--transaction-duration-ms"):
        if given.has(name):
            raise NotServed(f"{name}: transactions aren't served yet. Leave it out to measure without them.")
    if "transactional.id" in properties:
        raise NotServed("transactional.id: transactions aren't served yet. Leave it out to measure without them.")
    throughput, interval_ms = float(given.text("--throughput").rstrip("dDfF")), given.number("--reporting-interval")
    return Plan(given.text("--topic"), records, warmup, throughput, interval_ms, given.has("--print-metrics"), lines, size, properties)


def _check(given: Given, records: int, warmup: int, size: int | None) -> None:
    """Raises ArgumentError for what doesn't go together."""
    sources = ("--bootstrap-server", "--command-property", "--producer-props", "--producer.config", "--command-config")
    duration = given.optional_number("--transaction-duration-ms")
    for wrong, problem in (
        (records <= 0, "--num-records should be greater than zero."),
        (warmup >= records, "The value for --warmup-records must be strictly fewer than the number of records in the test, --num-records."),
        (size is not None and size <= 0, "--record-size should be greater than zero."),
        (not any(map(given.has, sources)), f"At least one of {', '.join(sources[:4])} or {sources[4]} must be specified."),
        (given.has("--command-property") and given.has("--producer-props"), "--command-property and --producer-props cannot be specified together."),
        (given.has("--command-config") and given.has("--producer.config"), "--command-config and --producer.config cannot be specified together."),
        (duration is not None and duration <= 0, "--transaction-duration-ms should be greater than zero."),
        (given.number("--reporting-interval") <= 0, "--reporting-interval should be greater than zero."),
    ):
        if wrong:
            raise given.fail(problem)


def _lines(path: str, delimiter: str) -> list[bytes]:
    print(f"Reading payloads from: {os.path.abspath(path)}")
    if not os.path.exists(path) or not os.path.getsize(path):
        raise ValueError("File does not exist or empty file provided.")
    with open(path, encoding="utf-8", errors="replace", newline="") as file:
        found = payloads.split(file.read(), delimiter)
    print(f"Number of records read: {len(found)}")
    return found


class _Run:
    """One measurement. It is the source of the bulk producer: `take` cuts the next batch from what is due by now."""

    def __init__(self, plan: Plan, settings: ProducerSettings) -> None:
        from barnabas.wire.records.batch import HEADER_SIZE

        self._plan = plan
        self._settings = settings
        self._linger_ms = settings.linger_ms
        self._payloads = _payloads(plan, settings)
        self._taken = 0
        self._finished = 0
        self._due: deque[tuple[int, int]] = deque()
        """(when they were due, in ms; how many) of paced records that wait for their batch."""
        self._waiting = 0
        self._made = 0
        self._start_s = 0.0
        self._most_waiting = max(1, settings.buffer_memory // max(1, (plan.record_size or 10) + HEADER_SIZE // 2))
        self._total: Stats
        self._steady: Stats | None = None

    async def go(self) -> int:
        import asyncio

        from barnabas.client.bulk import BulkProducer
        from barnabas.client.errors import KafkaError, TimedOut

        from .load_stats import Stats

        plan, settings = self._plan, self._settings
        async with open_cluster(plan.properties, client_id="perf-producer-client", kind="Producer") as cluster:
            bulk = BulkProducer(cluster, settings, plan.topic, self, self._done, max_in_flight=_in_flight(plan.properties, settings))
            if plan.warmup > 0:
                print(f"Warmup first {plan.warmup} records. Steady state results will print after the complete test summary.")
            self._total = Stats(plan.interval_ms)
            try:
                if self._too_large():
                    self._taken = self._finished = plan.records
                else:
                    await bulk.start()
            except (KafkaError, TimedOut) as error:
                self._report(error)
                self._taken = self._finished = plan.records
            self._start_s = watched_s = time.monotonic()
            while self._finished < plan.records and bulk.failure is None:
                self._make_due()
                bulk.pump()
                await asyncio.sleep(TICK_S if plan.throughput >= 0 else 0.01)
                if time.monotonic() - watched_s > WATCH_S:
                    watched_s = time.monotonic()
                    bulk.watch()
            await bulk.idle.wait()
            if bulk.failure is not None:
                self._report(bulk.failure)
            self._total.print_total()
            if self._steady is not None:
                self._steady.print_total()
            if plan.print_metrics:
                _print_metrics(plan.properties["client.id"], self._total, bulk)
        return 0

    def _too_large(self) -> bool:
        """Every record is refused before it is sent: said of each, as the producer that sends them one by one does."""
        from barnabas.wire.records.record import varint

        size = self._plan.record_size
        if size is None:
            return False
        bound = payloads.RECORD_OVERHEAD_BOUND + len(varint(size)) + size
        limit = self._settings.max_request_size
        if bound <= limit:
            return False
        for _ in range(self._plan.records):
            sys.stderr.write(
                f"org.apache.kafka.common.errors.RecordTooLargeException: The message is {bound} bytes when serialized which is larger than {limit}, "
                "which is the value of the max.request.size configuration.\n"
            )
        return True

    def _report(self, error: BaseException) -> None:
        sys.stdout.flush()
        sys.stderr.write(f"{java_text(error)}\n")

    # What is due

    def _make_due(self) -> None:
        plan = self._plan
        if plan.throughput < 0:
            return
        now_s = time.monotonic()
        wanted = min(plan.records, int((now_s - self._start_s) * plan.throughput) + 1)
        fresh = min(wanted - self._made, self._most_waiting - self._waiting)
        if fresh > 0:
            self._due.append((int(now_s * 1000), fresh))
            self._made += fresh
            self._waiting += fresh

    def take(self) -> Load | None:
        plan = self._plan
        limit = plan.records - self._taken
        if self._taken < plan.warmup:
            limit = min(limit, plan.warmup - self._taken)
        if limit <= 0:
            return None
        now_ms = int(time.monotonic() * 1000)
        room = min(limit, self._payloads.room())
        if plan.throughput >= 0:
            if not self._waiting or (self._waiting < room and now_ms - self._due[0][0] < self._linger_ms and self._made < plan.records):
                return None
            room = min(room, self._waiting)
        if plan.warmup and self._steady is None and self._taken >= plan.warmup:
            from .load_stats import Stats

            self._steady = Stats(plan.interval_ms, steady=True)
            self._total.silent = True
        cut = self._payloads.cut(self._taken, room)
        self._taken += cut.record_count
        births = self._births(cut.record_count) if plan.throughput >= 0 else [(now_ms, cut.record_count)]
        return _load(cut, self._payloads.codec, (births, cut.payload_bytes, self._steady))

    def _births(self, count: int) -> list[tuple[int, int]]:
        births = []
        self._waiting -= count
        while count:
            due_ms, there = self._due[0]
            part = min(there, count)
            births.append((due_ms, part))
            count -= part
            if part == there:
                self._due.popleft()
            else:
                self._due[0] = (due_ms, there - part)
        return births

    def _done(self, load: Load, error: KafkaError | None) -> None:
        self._finished += load.record_count
        if error is not None:
            for _ in range(load.record_count):
                self._report(error)
            return
        births, payload_bytes, steady = load.note
        now_ms = int(time.monotonic() * 1000)
        self._total.record(births, payload_bytes, now_ms)
        if steady is not None:
            steady.record(births, payload_bytes, now_ms)


def _load(cut: payloads.Cut, codec: int, note: object) -> Load:
    from barnabas.client.bulk import Load

    return Load(cut.body, cut.record_count, codec, note)


def _payloads(plan: Plan, settings: ProducerSettings) -> payloads.Payloads:
    if plan.lines is not None:
        return payloads.of_lines(plan.lines, settings.batch_size, settings.codec)
    if plan.record_size is not None:
        return payloads.letters(plan.record_size, settings.batch_size, settings.codec)
    return payloads.rising(settings.batch_size, settings.codec)


def _in_flight(properties: Mapping[str, str], settings: ProducerSettings) -> int:
    text = properties.get("max.in.flight.requests.per.connection", "5").strip()
    if not text.isdecimal() or not int(text):
        raise ConfigException(f"Invalid value {text} for configuration max.in.flight.requests.per.connection: Value must be at least 1")
    if int(text) > 5 and settings.idempotence and settings.acks == -1:
        raise ConfigException("Must set max.in.flight.requests.per.connection to at most 5 to use the idempotent producer.")
    return int(text)


def _print_metrics(client_id: str, total: Stats, bulk: object) -> None:
    """Those of Kafka's metrics that this producer has."""
    from .load_stats import print_metrics

    tags = f"{{client-id={client_id}}}"
    requests, sent = getattr(bulk, "requests", 0), getattr(bulk, "sent_bytes", 0)
    print_metrics(
        {
            f"producer-metrics:record-send-total:{tags}": float(total.count),
            f"producer-metrics:request-total:{tags}": float(requests),
            f"producer-metrics:outgoing-byte-total:{tags}": float(sent),
            f"producer-metrics:record-retry-total:{tags}": float(getattr(bulk, "retries", 0)),
            f"producer-metrics:batch-size-avg:{tags}": sent / requests if requests else float("nan"),
        }
    )
