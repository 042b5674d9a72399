"""kafka-console-consumer: records to standard output. Flags, formats and exit codes of Apache Kafka's ConsoleConsumer.

Without --group it reads partitions by hand instead of joining a group that nobody will see again: the same records, without the group's first delay.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from . import formatters
from .java import java_message, java_regex, java_text, log_line
from .options import Option, OptionError, Parser, exactly_one, help_or_version, key_values, require, usage_and_exit
from .session import ConfigException, load_properties, open_cluster, run

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping, Sequence

    from barnabas.client.consumer import ConsumedRecord, Consumer, ConsumerSettings
    from barnabas.client.group import GroupSettings

    from .client_values import Values

    Write = Callable[[ConsumedRecord], bytes]

PURPOSE = "This tool helps to read data from Kafka topics and outputs it to standard output."
LOGGER = "org.apache.kafka.tools.consumer.ConsoleConsumer"
EARLIEST = -2
LATEST = -1
FOREVER_MS = 1 << 62
POLL_MS = 60_000
_ISOLATION = {"read_uncommitted": 0, "read_committed": 1}
_ASSIGNORS = {
    "RangeAssignor": "range",
    "RoundRobinAssignor": "roundrobin",
    "StickyAssignor": "sticky",
    "CooperativeStickyAssignor": "cooperative-sticky",
}
_FORMATTER_HELP = (
    "Settings of the formatter, key=value: \n print.timestamp=true|false\n print.key=true|false\n print.offset=true|false\n print.epoch=true|false"
    "\n print.partition=true|false\n print.headers=true|false\n print.value=true|false\n key.separator=<key.separator>\n line.separator=<line.separator>"
    "\n headers.separator=<headers.separator>\n null.literal=<null.literal>\n key.deserializer=<key.deserializer>\n value.deserializer=<value.deserializer>"
    "\n headers.deserializer=<headers.deserializer>"
)


class ConsumerOptions:
    """Raises SystemExit."""

    def __init__(self, arguments: Sequence[str]) -> None:
        parser = self.parser = Parser()
        self.topic = parser.required("topic", "The topic to read.", "topic")
        self.include = parser.required("include", "The topics to read, as a regular expression.", "Java regex (String)")
        self.partition = parser.required("partition", "The partition to read, from its end unless --offset says otherwise.", "partition", "Integer")
        self.offset = parser.required("offset", "Where to begin: a number, 'earliest' or 'latest'.", "consume offset", "String", "latest")
        self.consumer_property = parser.required("consumer-property", "(DEPRECATED) As --command-property.", "consumer_prop")
        self.command_property = parser.required("command-property", "Settings of the consumer, key=value.", "consumer_prop")
        self.consumer_config = parser.required("consumer.config", "(DEPRECATED) As --command-config.", "config file")
        self.command_config = parser.required("command-config", "File of consumer settings; --command-property goes first.", "config file")
        self.formatter = parser.required("formatter", "The class that prints records.", "class", "String", formatters.DEFAULT)
        self.property = parser.required("property", "(DEPRECATED) As --formatter-property.", "prop")
        self.formatter_property = parser.required("formatter-property", _FORMATTER_HELP, "prop")
        self.formatter_config = parser.required("formatter-config", "File of such settings; --formatter-property goes first.", "config file")
        self.from_beginning = parser.flag("from-beginning", "Where the group has no offset yet, begin with the oldest record rather than the newest.")
        self.max_messages = parser.required("max-messages", "How many records to read; without end if left out.", "num_messages", "Integer")
        self.timeout = parser.required("timeout-ms", "Stop when no record came for this long.", "timeout_ms", "Long")
        self.skip_on_error = parser.flag("skip-message-on-error", "Skip a record that can't be printed instead of stopping.")
        self.bootstrap = parser.required("bootstrap-server", "REQUIRED: The brokers to start from.", "server to connect to")
        self.key_deserializer = parser.required("key-deserializer", "The class that reads keys.", "deserializer for keys")
        self.value_deserializer = parser.required("value-deserializer", "The class that reads values.", "deserializer for values")
        self.systest = parser.flag("enable-systest-events", "Also tell of the consumer's own life.")
        self.isolation = parser.required("isolation-level", "read_committed leaves aborted transactions out.", "", "String", "read_uncommitted")
        self.group = parser.required("group", "The consumer group to join.", "consumer group id")
        try:
            self.given = parser.parse(arguments)
        except OptionError as error:
            usage_and_exit(parser, str(error))
        help_or_version(parser, self.given, arguments, PURPOSE)
        self._check()

    def has(self, option: Option) -> bool:
        return self.given.has(option)

    def _check(self) -> None:
        parser = self.parser
        exactly_one(parser, self.given, self.topic, self.include)
        if self.has(self.partition):
            self.given.number(self.partition)
            if not self.has(self.topic):
                usage_and_exit(parser, "The topic is required when partition is specified.")
            if self.has(self.from_beginning) and self.has(self.offset):
                usage_and_exit(parser, "Options from-beginning and offset cannot be specified together.")
        elif self.has(self.offset):
            usage_and_exit(parser, "The partition is required when offset is specified.")
        require(parser, self.given, self.bootstrap)
        for old, new in ((self.consumer_property, self.command_property), (self.consumer_config, self.command_config)):
            if self.has(old) and self.has(new):
                usage_and_exit(parser, f"Options --{old.name} and --{new.name} cannot be specified together.")
        self.command_property = self._renamed(self.consumer_property, self.command_property)
        self.command_config = self._renamed(self.consumer_config, self.command_config)

    def _renamed(self, old: Option, new: Option) -> Option:
        if not self.has(old):
            return new
        print(f"Option --{old.name} is deprecated and will be removed in a future version. Use --{new.name} instead.")
        return old

    def properties(self) -> tuple[dict[str, str], str | None]:
        """The consumer's settings, and the group if one was named."""
        given = self.given
        from_file = load_properties(given.text(self.command_config)) if self.has(self.command_config) else {}
        extra = key_values(given.values(self.command_property))
        ids = list(dict.fromkeys([*given.values(self.group), *(source["group.id"] for source in (from_file, extra) if "group.id" in source)]))
        if len(ids) > 1:
            shown = ", ".join(f"'{group}'" for group in ids)
            usage_and_exit(
                self.parser,
                "The group ids provided in different places (directly using '--group', via '--consumer-property', or via '--consumer.config') do not match. "
                f"Detected group ids: {shown}",
            )
        if ids and self.has(self.partition):
            usage_and_exit(self.parser, "Options group and partition cannot be specified together.")
        properties = from_file | extra
        self._set_reset(properties)
        properties["bootstrap.servers"] = given.text(self.bootstrap)
        properties.setdefault("client.id", "console-consumer")
        if self.has(self.isolation) or "isolation.level" not in properties:
            properties["isolation.level"] = given.text(self.isolation)
        return properties, ids[0] if ids else None

    def _set_reset(self, properties: dict[str, str]) -> None:
        beginning = self.has(self.from_beginning)
        policy = properties.setdefault("auto.offset.reset", "earliest" if beginning else "latest")
        if beginning and policy != "earliest":
            sys.stderr.write(f"Can't simultaneously specify --from-beginning and 'auto.offset.reset={policy}', please remove one option\n")
            raise SystemExit(1)

    def place(self) -> int:
        """The offset asked for, or EARLIEST or LATEST."""
        if not self.has(self.offset):
            return EARLIEST if self.has(self.from_beginning) else LATEST
        text = self.given.text(self.offset)
        named = {"earliest": EARLIEST, "latest": LATEST}.get(text.lower())
        if named is not None:
            return named
        if not text.lstrip("+").isdecimal() or int(text) >= 1 << 63:
            usage_and_exit(
                self.parser, f"The provided offset value '{text}' is incorrect. Valid values are 'earliest', 'latest', or a non-negative long."
            )
        return int(text)

    def timeout_ms(self) -> int:
        wanted = self.given.optional_number(self.timeout)
        return wanted if wanted is not None and wanted >= 0 else FOREVER_MS

    def build_formatter(self) -> Write:
        given = self.given
        if self.has(self.formatter_property) and self.has(self.property):
            usage_and_exit(self.parser, "Options --property and --formatter-property cannot be specified together.")
        self.formatter_property = self._renamed(self.property, self.formatter_property)
        try:
            settings = load_properties(given.text(self.formatter_config)) if self.has(self.formatter_config) else {}
            for key, option in (("key.deserializer", self.key_deserializer), ("value.deserializer", self.value_deserializer)):
                if given.value(option):
                    settings[key] = given.text(option)
            return formatters.formatter(given.text(self.formatter), settings | key_values(given.values(self.formatter_property)))
        except (formatters.UnknownFormatter, OSError) as error:
            usage_and_exit(self.parser, java_message(error))


def main(argv: Sequence[str]) -> int:
    from barnabas.client.errors import InvalidBootstrap

    try:
        options = ConsumerOptions(argv)
        properties, group = options.properties()
        place, timeout_ms, write = options.place(), options.timeout_ms(), options.build_formatter()
        limit = options.given.optional_number(options.max_messages)
    except (OptionError, OSError, ConfigException) as error:
        sys.stdout.flush()
        sys.stderr.write(f'Exception in thread "main" {java_text(error)}\n')
        return 1
    try:
        return run(
            _consume(
                options, properties, group, place, _Printer(write, -1 if limit is None else limit, timeout_ms, options.has(options.skip_on_error))
            )
        )
    except (InvalidBootstrap, ConfigException, formatters.SerializationError) as error:
        log_line("ERROR", "Unknown error when running consumer: ", LOGGER)
        if isinstance(error, InvalidBootstrap):
            sys.stderr.write("org.apache.kafka.common.KafkaException: Failed to construct kafka consumer\nCaused by: ")
        sys.stderr.write(f"{java_text(error)}\n")
        return 1


class _Printer:
    """Prints what a consumer brings until there is enough, nothing more comes, or nobody reads."""

    def __init__(self, write: Write, limit: int, timeout_ms: int, skip_on_error: bool) -> None:
        self._write = write
        self._limit = limit
        self._timeout_ms = timeout_ms
        self._skip_on_error = skip_on_error
        self.count = 0

    async def run(self, consumer: Consumer) -> None:
        import time

        last_s = time.monotonic()
        while self._limit < 0 or self.count < self._limit:
            left_ms = self._timeout_ms - int((time.monotonic() - last_s) * 1000)
            if left_ms <= 0:
                log_line("ERROR", "Error processing message, terminating consumer process: ", LOGGER)
                sys.stderr.write("org.apache.kafka.common.errors.TimeoutException\n")
                return
            records = await consumer.poll(min(left_ms, POLL_MS))
            if records:
                self._print(records, consumer)
                last_s = time.monotonic()

    def _print(self, records: list[ConsumedRecord], consumer: Consumer) -> None:
        if self._limit >= 0 and len(records) > self._limit - self.count:
            # Positions go back to what is left over: it wasn't consumed.
            left_over = records[self._limit - self.count :]
            records = records[: self._limit - self.count]
            for record in reversed(left_over):
                consumer.seek(record.topic, record.partition, record.offset)
        out = []
        try:
            for record in records:
                self.count += 1
                try:
                    out.append(self._write(record))
                except ValueError as error:
                    if not self._skip_on_error:
                        raise
                    log_line("ERROR", "Error processing message, skipping this message: ", LOGGER)
                    sys.stderr.write(f"{java_text(error)}\n")
        finally:
            sys.stdout.buffer.write(b"".join(out))
            sys.stdout.flush()


async def _consume(options: ConsumerOptions, properties: Mapping[str, str], group: str | None, place: int, printer: _Printer) -> int:
    import asyncio

    from barnabas.client.consumer import Consumer, NoOffset
    from barnabas.client.errors import KafkaError

    settings = consumer_settings(properties, group)
    status = 0
    async with open_cluster(properties, client_id="console-consumer", kind="Consumer") as cluster:
        consumer = Consumer(cluster, settings)
        _choose(options, consumer, place)
        work = asyncio.ensure_future(printer.run(consumer))
        received = _stop_on_signals(work)
        try:
            await work
        except asyncio.CancelledError:
            status = 128 + received[0] if received else 1
        except BrokenPipeError:
            sys.stderr.write("Unable to write to standard out, closing consumer.\n")
            _silence()
        except (KafkaError, NoOffset) as error:
            log_line("ERROR", "Error processing message, terminating consumer process: ", LOGGER)
            sys.stderr.write(f"{java_text(error)}\n")
        finally:
            await consumer.close()
            sys.stderr.write(f"Processed a total of {printer.count} messages\n")
    if options.has(options.systest):
        print("shutdown_complete")
    return status


def _choose(options: ConsumerOptions, consumer: Consumer, place: int) -> None:
    import re

    given = options.given
    topic = given.value(options.topic)
    if topic is None:
        pattern = re.compile(java_regex(given.text(options.include)))
        consumer.subscribe(lambda name: pattern.fullmatch(name) is not None and not name.startswith("__"))
    elif options.has(options.partition):
        consumer.assign({(topic, given.number(options.partition)): place})
    else:
        consumer.subscribe(lambda name: name == topic, names=[topic])


def _stop_on_signals(work: asyncio.Future[None]) -> list[int]:
    """SIGINT and SIGTERM end the reading, not the process: it says goodbye to its group first."""
    import asyncio
    import signal

    received: list[int] = []

    def stop(number: int) -> None:
        received.append(number)
        work.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop, number)
    return received


def _silence() -> None:
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def consumer_settings(properties: Mapping[str, str], group: str | None) -> ConsumerSettings:
    """Raises ConfigException."""
    from barnabas.client.consumer import ConsumerSettings

    from .client_values import consumer_values
    from .reset_times import parse_duration

    values = consumer_values(properties, in_group=group is not None)
    policy, _, duration = values.text("auto.offset.reset").partition(":")
    return ConsumerSettings(
        isolation_level=_ISOLATION[values.text("isolation.level")],
        auto_offset_reset=policy,
        reset_age_ms=parse_duration(duration) if duration else 0,
        enable_auto_commit=values.flag("enable.auto.commit"),
        auto_commit_interval_ms=values.number("auto.commit.interval.ms"),
        fetch_min_bytes=values.number("fetch.min.bytes"),
        fetch_max_wait_ms=values.number("fetch.max.wait.ms"),
        fetch_max_bytes=values.number("fetch.max.bytes"),
        max_partition_fetch_bytes=values.number("max.partition.fetch.bytes"),
        group=None if group is None else _group_settings(properties, values, group),
    )


def _group_settings(properties: Mapping[str, str], values: Values, group: str) -> GroupSettings:
    from barnabas.client.group import GroupSettings

    defaults = GroupSettings(group)
    if values.text("group.protocol").lower() != "classic":
        raise ConfigException(
            f"Invalid value {values.text('group.protocol')} for configuration group.protocol: this tool speaks the classic protocol only"
        )
    classes = [name.strip().rpartition(".")[2] for name in properties.get("partition.assignment.strategy", "").split(",") if name.strip()]
    unknown = [name for name in classes if name not in _ASSIGNORS]
    if unknown:
        raise ConfigException(f"Invalid value {unknown[0]} for configuration partition.assignment.strategy: one of {', '.join(_ASSIGNORS)}")
    return GroupSettings(
        group,
        session_timeout_ms=values.number("session.timeout.ms"),
        heartbeat_interval_ms=values.number("heartbeat.interval.ms"),
        max_poll_interval_ms=values.number("max.poll.interval.ms"),
        instance_id=properties.get("group.instance.id"),
        assignors=tuple(_ASSIGNORS[name] for name in classes) or defaults.assignors,
    )
