"""kafka-console-producer: lines of standard input become records. Flags, line format and exit codes of Apache Kafka's ConsoleProducer."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

from barnabas.wire.records.record import Record

from .get_offsets import is_bootstrap
from .java import java_text, log_line
from .line_reader import LineFormat, LineReader, ReaderError
from .options import Option, OptionError, Parser, help_or_version, key_values, require, usage_and_exit
from .session import ConfigException, load_properties, open_cluster, run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from barnabas.client.producer import Producer, ProducerSettings

    from .line_reader import Line

PURPOSE = "This tool helps to read data from standard input and publish it to Kafka."
DEFAULT_READER = "org.apache.kafka.tools.LineMessageReader"
CHUNK_BYTES = 1 << 16
_CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
_READER_HELP = (
    (
        "Settings of the line reader, key=value:\\n parse.key=false\\n parse.headers=false\\n ignore.error=false\\n key.separator=\\\\t\\n headers.delimiter=\\\\t"
        "\\n headers.separator=,\\n headers.key.separator=:\\n null.marker=   a key, value or header value equal to this is null"
        "\\nA line is headers, key and value, as far as they are parsed: h1:v1,h2:v2...\\\\tkey\\\\tvalue"
    )
    .replace("\\n", "\n")
    .replace("\\\\t", "\\t")
)


class ProducerOptions:
    """Raises SystemExit."""

    def __init__(self, arguments: Sequence[str]) -> None:
        parser = self.parser = Parser()
        self.topic = parser.required("topic", "REQUIRED: The topic to write to.", "topic")
        self.bootstrap = parser.required("bootstrap-server", "REQUIRED: The brokers to start from, HOST1:PORT1,HOST2:PORT2.", "server to connect to")
        self.sync = parser.flag("sync", "Wait for each record's acknowledgement before the next is read.")
        self.codec = parser.optional("compression-codec", "none, gzip, snappy, lz4 or zstd; gzip if no value is given.", "compression-codec")
        self.batch_size = parser.required("batch-size", "Bytes of one partition's batch (batch.size).", "size", "Integer", "16384")
        self.retries = parser.required("message-send-max-retries", "How often a record is tried again (retries).", "", "Integer", "3")
        self.retry_backoff = parser.required("retry-backoff-ms", "Pause before a retry (retry.backoff.ms).", "", "Long", "100")
        self.timeout = parser.required("timeout", "How long a record waits for others to join its batch (linger.ms).", "timeout_ms", "Long", "1000")
        self.acks = parser.required(
            "request-required-acks", "Who must have a record before it counts as written (acks).", "request required acks", "String", "-1"
        )
        self.request_timeout = parser.required("request-timeout-ms", "How long a request may take.", "request timeout ms", "Integer", "1500")
        self.metadata_expiry = parser.required(
            "metadata-expiry-ms", "Age at which metadata is asked for anew (metadata.max.age.ms).", "metadata expiration interval", "Long", "300000"
        )
        self.max_block = parser.required(
            "max-block-ms", "How long to wait for metadata or for room in the buffer.", "max block on send", "Long", "60000"
        )
        self.max_memory = parser.required(
            "max-memory-bytes", "Bytes of records that may wait (buffer.memory).", "total memory in bytes", "Long", "33554432"
        )
        self.partition_memory = parser.required(
            "max-partition-memory-bytes", "(Deprecated) As --batch-size.", "memory in bytes per partition", "Integer", "16384"
        )
        self.reader = parser.required("line-reader", "What turns lines into records.", "reader_class", "String", DEFAULT_READER)
        self.socket_buffer = parser.required("socket-buffer-size", "Bytes of the socket's buffer (send.buffer.bytes).", "size", "Integer", "102400")
        self.property = parser.required("property", "(DEPRECATED) As --reader-property.", "prop")
        self.reader_property = parser.required("reader-property", _READER_HELP, "prop")
        self.reader_config = parser.required("reader-config", "File of such settings; --reader-property goes first.", "config file")
        self.producer_property = parser.required("producer-property", "(DEPRECATED) As --command-property.", "producer_prop")
        self.command_property = parser.required("command-property", "Settings of the producer, key=value.", "producer_prop")
        self.producer_config = parser.required("producer.config", "(DEPRECATED) As --command-config.", "config file")
        self.command_config = parser.required("command-config", "File of producer settings; --command-property goes first.", "config file")
        try:
            self.given = parser.parse(arguments)
        except OptionError as error:
            usage_and_exit(parser, str(error))
        help_or_version(parser, self.given, arguments, PURPOSE)
        self._check()

    def _check(self) -> None:
        given, parser = self.given, self.parser
        require(parser, given, self.topic)
        self._not_both(self.command_config, self.producer_config)
        self._not_both(self.command_property, self.producer_property)
        self._not_both(self.reader_property, self.property)
        self.command_property = self._renamed(self.producer_property, self.command_property)
        self.command_config = self._renamed(self.producer_config, self.command_config)
        self.reader_property = self._renamed(self.property, self.reader_property)
        if given.has(self.partition_memory):
            print("Warning: --max-partition-memory-bytes is deprecated and will be removed in Apache Kafka 5.0. Use --batch-size instead.")
        text = given.value(self.bootstrap)
        if text is None or not text.strip():
            usage_and_exit(parser, "Error while validating the bootstrap address\n")
        if not is_bootstrap(text):
            usage_and_exit(parser, "Please provide valid host:port like host1:9091,host2:9092\n")

    def _not_both(self, new: Option, old: Option) -> None:
        if self.given.has(new) and self.given.has(old):
            usage_and_exit(self.parser, f"Options --{new.name} and --{old.name} cannot be specified together.")

    def _renamed(self, old: Option, new: Option) -> Option:
        if not self.given.has(old):
            return new
        print(f"Warning: --{old.name} is deprecated and will be removed in a future version. Use --{new.name} instead.")
        return old

    def reader_settings(self) -> dict[str, str]:
        given = self.given
        settings = load_properties(given.text(self.reader_config)) if given.has(self.reader_config) else {}
        return settings | {"topic": given.text(self.topic)} | key_values(given.values(self.reader_property))

    def properties(self) -> dict[str, str]:
        """The producer's settings: an option given, else what files and --command-property say, else the option's default."""
        given = self.given
        properties = load_properties(given.text(self.command_config)) if given.has(self.command_config) else {}
        properties |= key_values(given.values(self.command_property))
        codec = (given.value(self.codec) or "gzip") if given.has(self.codec) else "none"
        properties |= {"bootstrap.servers": given.text(self.bootstrap), "compression.type": codec}
        properties.setdefault("client.id", "console-producer")
        for key, option in (
            ("linger.ms", self.timeout),
            ("acks", self.acks),
            ("request.timeout.ms", self.request_timeout),
            ("retries", self.retries),
            ("retry.backoff.ms", self.retry_backoff),
            ("send.buffer.bytes", self.socket_buffer),
            ("buffer.memory", self.max_memory),
            ("batch.size", self.batch_size),
            ("batch.size", self.partition_memory),
            ("metadata.max.age.ms", self.metadata_expiry),
            ("max.block.ms", self.max_block),
        ):
            if given.has(option) or key not in properties:
                properties[key] = given.text(option)
        return properties


def main(argv: Sequence[str]) -> int:
    from barnabas.client.errors import InvalidBootstrap, KafkaError

    try:
        options = ProducerOptions(argv)
        properties = options.properties()
        if options.given.text(options.reader) != DEFAULT_READER:
            raise ReaderError(options.given.text(options.reader), "java.lang.ClassNotFoundException")
        reader = LineReader(LineFormat.of(options.reader_settings()))
        settings = producer_settings(properties)
        return run(_copy(options, reader, properties, settings))
    except OptionError as error:
        sys.stderr.write(f"{error}\n")
    except InvalidBootstrap as error:
        sys.stderr.write(f"org.apache.kafka.common.KafkaException: Failed to construct kafka producer\nCaused by: {java_text(error)}\n")
    except (ReaderError, ConfigException, OSError) as error:
        sys.stdout.flush()
        sys.stderr.write(f"{java_text(error)}\n")
    except KafkaError as error:  # --sync
        sys.stderr.write(f"java.util.concurrent.ExecutionException: {java_text(error)}\nCaused by: {java_text(error)}\n")
    return 1


def producer_settings(properties: Mapping[str, str]) -> ProducerSettings:
    """Raises ConfigException."""
    from barnabas.client.producer import ProducerSettings

    from .client_values import producer_values

    values, idempotent = producer_values(properties)
    acks = values.text("acks")
    return ProducerSettings(
        acks=-1 if acks == "all" else int(acks),
        linger_ms=values.number("linger.ms"),
        batch_size=values.number("batch.size"),
        buffer_memory=values.number("buffer.memory"),
        max_request_size=values.number("max.request.size"),
        request_timeout_ms=values.number("request.timeout.ms"),
        delivery_timeout_ms=values.number("delivery.timeout.ms"),
        max_block_ms=values.number("max.block.ms"),
        retries=values.number("retries"),
        retry_backoff_ms=values.number("retry.backoff.ms"),
        codec=_CODECS[values.text("compression.type")],
        idempotence=idempotent,
    )


async def _copy(options: ProducerOptions, reader: LineReader, properties: Mapping[str, str], settings: ProducerSettings) -> int:
    from barnabas.client.errors import KafkaError
    from barnabas.client.producer import Producer

    topic, sync = options.given.text(options.topic), options.given.has(options.sync)
    prompt = sys.stdin.isatty() and sys.stdout.isatty()
    loop = asyncio.get_running_loop()
    async with open_cluster(properties, client_id="console-producer", kind="Producer") as cluster:
        producer = Producer(cluster, settings)
        try:
            ended = False
            while not ended:
                if prompt:
                    sys.stdout.write(">")
                    sys.stdout.flush()
                chunk = await _read_input(loop)
                ended = not chunk
                for line in reader.feed(chunk):
                    try:
                        await _write(producer, topic, line, sync)
                    except KafkaError as error:
                        if sync:
                            raise
                        _report(topic, line, error)
        finally:
            await producer.close()
    return 0


async def _read_input(loop: asyncio.AbstractEventLoop) -> bytes:
    """What standard input has next, empty at its end. No thread: one that waits for a terminal would outlive Ctrl-C."""
    ready = asyncio.Event()
    try:
        loop.add_reader(0, ready.set)
    except PermissionError:  # a plain file: always ready, and not for epoll
        await asyncio.sleep(0)
        return os.read(0, CHUNK_BYTES)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(0)
    return os.read(0, CHUNK_BYTES)


async def _write(producer: Producer, topic: str, line: Line, sync: bool) -> None:
    if sync:
        await (await producer.send(topic, line.value, line.key, line.headers))
        return
    record = Record(-1, int(time.time() * 1000), line.key, line.value, line.headers)
    await producer.put(topic, record, outcome=partial(_report, topic, line))


def _report(topic: str, line: Line, error: BaseException) -> None:
    """A record that got lost is told of; the others go on and the exit code stays 0, as with Apache's tool."""
    key, value = (f"{len(part)} bytes" if part is not None else "null" for part in (line.key, line.value))
    log_line(
        "ERROR",
        f"Error when sending message to topic {topic} with key: {key}, value: {value} with error:",
        "org.apache.kafka.clients.producer.internals.ErrorLoggingCallback",
    )
    sys.stderr.write(f"{java_text(error)}\n")
