"""kafka-consumer-perf-test: how fast a topic gives its records. Flags, columns and exit codes of Apache Kafka's ConsumerPerformance.

Owns the options, the run and the columns. Records are counted where they lie (`client.counting`), none becomes an object. The group it reads in is a real one.
"""

from __future__ import annotations

import random
import sys
import time
from typing import TYPE_CHECKING

from .console_consumer import consumer_settings
from .java import java_message, java_regex, java_text
from .java_dates import formatted
from .options import Option, OptionError, Parser, exactly_one, exclude, help_or_version, key_values, require, usage_and_exit
from .session import ConfigException, load_properties, open_cluster, run

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping, Sequence

    from barnabas.client.consumer import Consumer
    from barnabas.client.subscription import Partitions

PURPOSE = "This tool is used to verify the consumer performance."
COLUMNS = "data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec"
MB = 1024.0 * 1024.0
POLL_MS = 100
POLL_RECORDS = 500
"""max.poll.records, by which Apache's tool overshoots the number asked for."""


class PerfOptions:
    """Raises SystemExit."""

    def __init__(self, arguments: Sequence[str]) -> None:
        parser = Parser()
        self.bootstrap = parser.required("bootstrap-server", "REQUIRED: The brokers to start from.", "server to connect to")
        self.topic = parser.required("topic", "The topic to read.", "topic")
        self.include = parser.required("include", "The topics to read, as a regular expression.", "Java regex (String)")
        group = f"perf-consumer-{random.randrange(100_000)}"
        self.group = parser.required("group", "The group to read in.", "gid", default=group)
        self.fetch_size = parser.required("fetch-size", "Most bytes of a partition in one fetch.", "size", "Integer", str(1024 * 1024))
        self.command_property = parser.required(
            "command-property", "Settings of the consumer, key=value; they go before those of --command-config.", "prop1=val1"
        )
        self.from_latest = parser.flag("from-latest", "Where the group has no offset yet, begin with the newest record rather than the oldest.")
        self.socket_buffer = parser.required("socket-buffer-size", "Bytes of the socket's buffer.", "size", "Integer", str(2 * 1024 * 1024))
        self.consumer_config = parser.required("consumer.config", "(DEPRECATED) As --command-config.", "config file")
        self.command_config = parser.required("command-config", "File of consumer settings.", "config file")
        self.print_metrics = parser.flag("print-metrics", "Print the consumer's metrics at the end.")
        self.detailed = parser.flag("show-detailed-stats", "A line for each reporting interval.")
        self.timeout = parser.optional("timeout", "Stop when no record came for so many milliseconds.", "milliseconds", "10000")
        self.timeout.kind = "Long"
        self.messages = parser.required("messages", "(DEPRECATED) As --num-records.", "count", "Long")
        self.num_records = parser.required("num-records", "REQUIRED: How many records to read.", "count", "Long")
        self.interval = parser.required("reporting-interval", "Milliseconds between lines about the progress.", "interval_ms", "Long", "5000")
        self.date_format = parser.required(
            "date-format", "How times are written: a pattern of java.text.SimpleDateFormat.", "date format", "String", "yyyy-MM-dd HH:mm:ss:SSS"
        )
        self.hide_header = parser.flag("hide-header", "Leave out the line that names the columns.")
        try:
            self.given = given = parser.parse(arguments)
        except OptionError as error:
            usage_and_exit(parser, str(error))
        help_or_version(parser, given, arguments, PURPOSE)
        require(parser, given, self.bootstrap)
        exactly_one(parser, given, self.topic, self.include)
        exactly_one(parser, given, self.messages, self.num_records)
        exclude(parser, given, self.consumer_config, self.command_config)
        for old, new in ((self.messages, self.num_records), (self.consumer_config, self.command_config)):
            if given.has(old):
                print(f"Warning: --{old.name} is deprecated. Use --{new.name} instead.")

    def has(self, option: Option) -> bool:
        return self.given.has(option)

    def properties(self) -> dict[str, str]:
        """Raises OSError, OptionError, ConfigException."""
        given = self.given
        config = given.value(self.consumer_config) if self.has(self.consumer_config) else given.value(self.command_config)
        properties = load_properties(config) if config else {}
        properties |= key_values(given.values(self.command_property))
        given.number(self.socket_buffer)
        properties |= {
            "bootstrap.servers": given.text(self.bootstrap),
            "group.id": given.text(self.group),
            "max.partition.fetch.bytes": str(given.number(self.fetch_size)),
            "auto.offset.reset": "latest" if self.has(self.from_latest) else "earliest",
        }
        properties.setdefault("client.id", "perf-consumer-client")
        return properties


def main(argv: Sequence[str]) -> int:
    from barnabas.client.consumer import NoOffset
    from barnabas.client.errors import InvalidBootstrap, KafkaError, TimedOut

    options = PerfOptions(argv)
    if not options.has(options.hide_header):
        print(("time, threadId, " if options.has(options.detailed) else "start.time, end.time, ") + COLUMNS)
    try:
        return run(_measure(options, options.properties()))
    except InvalidBootstrap as error:
        failed = "Failed to construct kafka consumer"
        sys.stdout.flush()
        sys.stderr.write(f"{failed}\norg.apache.kafka.common.KafkaException: {failed}\nCaused by: {java_text(error)}\n")
    except (OptionError, KafkaError, TimedOut, NoOffset, OSError, ValueError) as error:
        sys.stdout.flush()
        sys.stderr.write(f"{java_message(error)}\n{java_text(error)}\n")
    return 1


async def _measure(options: PerfOptions, properties: Mapping[str, str]) -> int:
    from barnabas.client.consumer import Consumer

    settings = consumer_settings(properties, properties["group.id"])
    async with open_cluster(properties, client_id="perf-consumer-client", kind="Consumer") as cluster:
        consumer = Consumer(cluster, settings)
        work = _Run(options, consumer, max_poll_records(properties))
        try:
            await work.go()
        finally:
            await consumer.close()
        work.print_total()
        if options.has(options.print_metrics):
            work.print_metrics(properties["client.id"])
    return 0


def max_poll_records(properties: Mapping[str, str]) -> int:
    text = properties.get("max.poll.records", str(POLL_RECORDS)).strip()
    if not text.isdecimal() or not int(text):
        raise ConfigException(f"Invalid value {text} for configuration max.poll.records: Value must be at least 1")
    return int(text)


def _now_ms() -> int:
    return int(time.time() * 1000)


def _quotient(amount: float, by: float) -> str:
    """To four places, as Java divides."""
    if by:
        return f"{amount / by:.4f}"
    return "Infinity" if amount else "NaN"


class _Run:
    """One measurement: what was read, and when the group let it."""

    def __init__(self, options: PerfOptions, consumer: Consumer, poll_records: int) -> None:
        self._options = options
        self._consumer = consumer
        self._poll_records = poll_records
        self._records = self._bytes = self._polls = 0
        self._start_ms = self._end_ms = self._join_start_ms = _now_ms()
        self._join_ms = self._round_join_ms = 0
        self._held: set[tuple[str, int]] = set()
        self._last_ms = self._last_records = self._last_bytes = 0

    async def go(self) -> None:
        """Raises KafkaError, NoOffset, OptionError, ValueError."""
        options, given = self._options, self._options.given
        wanted = given.number(options.messages if options.has(options.messages) else options.num_records)
        timeout_ms, interval_ms = given.number(options.timeout), given.number(options.interval)
        if interval_ms <= 0:
            raise ValueError("Reporting interval must be greater than 0.")
        formatted(given.text(options.date_format), 0)
        self._subscribe()
        self._last_ms = idle_since_ms = now_ms = _now_ms()
        polling: asyncio.Task[tuple[int, int]] | None = None
        while self._records < wanted and now_ms - idle_since_ms <= timeout_ms:
            polling = polling or self._poll(wanted)
            found = await _within(polling, POLL_MS)
            now_ms = _now_ms()
            if found is None:
                continue
            polling = None
            if found[0]:
                idle_since_ms = now_ms
                self._take(*found, now_ms, interval_ms)
        if polling is not None:
            await _ended(polling)
        if self._records < wanted:
            print(
                f"WARNING: Exiting before consuming the expected number of records: timeout ({timeout_ms} ms) exceeded. "
                "You can use the --timeout option to increase the timeout."
            )
        self._end_ms = _now_ms()

    def _subscribe(self) -> None:
        import re

        options, given = self._options, self._options.given
        topic = given.value(options.topic)
        pattern = re.compile(re.escape(topic) if topic is not None else java_regex(given.text(options.include)))
        self._consumer.subscribe(
            lambda name: pattern.fullmatch(name) is not None and (name == topic or not name.startswith("__")),
            names=None if topic is None else [topic],
            on_assigned=self._assigned,
            on_revoked=self._revoked,
        )

    def _poll(self, wanted: int) -> asyncio.Task[tuple[int, int]]:
        import asyncio

        from barnabas.client.counting import Counter

        left = wanted - self._records
        self._polls += 1
        return asyncio.ensure_future(Counter(self._consumer, -(-left // self._poll_records) * self._poll_records).poll(POLL_MS))

    def _take(self, records: int, payload_bytes: int, now_ms: int, interval_ms: int) -> None:
        self._records += records
        self._bytes += payload_bytes
        if now_ms - self._last_ms >= interval_ms:
            if self._options.has(self._options.detailed):
                self._print_progress(now_ms)
            self._round_join_ms = 0
            self._last_ms, self._last_records, self._last_bytes = now_ms, self._records, self._bytes

    def _assigned(self, partitions: Partitions) -> None:
        if not self._held:
            elapsed_ms = _now_ms() - self._join_start_ms
            self._join_ms += elapsed_ms
            self._round_join_ms += elapsed_ms
        self._held.update(partitions)

    def _revoked(self, partitions: Partitions) -> None:
        self._held.difference_update(partitions)
        if not self._held:
            self._join_start_ms = _now_ms()

    # Lines

    def _time(self, time_ms: int) -> str:
        return formatted(self._options.given.text(self._options.date_format), time_ms)

    def _print_progress(self, now_ms: int) -> None:
        elapsed_s = (now_ms - self._last_ms) / 1000
        mb, records = (self._bytes - self._last_bytes) / MB, self._records - self._last_records
        fetch_ms = now_ms - self._last_ms - self._round_join_ms
        rates = f"{mb / fetch_ms * 1000:.4f}, {records / fetch_ms * 1000:.4f}" if fetch_ms > 0 else "0.0000, 0.0000"
        print(
            f"{self._time(now_ms)}, 0, {self._bytes / MB:.4f}, {_quotient(mb, elapsed_s)}, {self._records}, {_quotient(records, elapsed_s)}, "
            f"{self._round_join_ms}, {fetch_ms}, {rates}",
            flush=True,
        )

    def print_total(self) -> None:
        if self._options.has(self._options.detailed):
            return
        elapsed_ms, mb = self._end_ms - self._start_ms, self._bytes / MB
        fetch_ms = elapsed_ms - self._join_ms
        print(
            f"{self._time(self._start_ms)}, {self._time(self._end_ms)}, {mb:.4f}, {_quotient(mb, elapsed_ms / 1000)}, {self._records}, "
            f"{_quotient(self._records, elapsed_ms / 1000)}, {self._join_ms}, {fetch_ms}, {_quotient(mb, fetch_ms / 1000)}, "
            f"{_quotient(self._records, fetch_ms / 1000)}"
        )

    def print_metrics(self, client_id: str) -> None:
        """Those of Kafka's metrics that this consumer has."""
        from .load_stats import print_metrics

        elapsed_s = max(self._end_ms - self._start_ms, 1) / 1000
        group, tags = "consumer-fetch-manager-metrics", f"{{client-id={client_id}}}"
        print_metrics(
            {
                f"{group}:records-consumed-total:{tags}": float(self._records),
                f"{group}:records-consumed-rate:{tags}": self._records / elapsed_s,
                f"{group}:bytes-consumed-total:{tags}": float(self._bytes),
                f"{group}:bytes-consumed-rate:{tags}": self._bytes / elapsed_s,
            }
        )


async def _within(task: asyncio.Task[tuple[int, int]], timeout_ms: int) -> tuple[int, int] | None:
    """What the task came to, if it does within the time; it goes on otherwise. A group takes longer to join than a poll may."""
    import asyncio

    done, _ = await asyncio.wait({task}, timeout=timeout_ms / 1000)
    return task.result() if done else None


async def _ended(task: asyncio.Task[tuple[int, int]]) -> None:
    import asyncio

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
