"""How the console consumer prints a record: Apache Kafka's formatters and deserializers, by the names of their classes."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from .java import log_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from barnabas.client.consumer import ConsumedRecord

    Write = Callable[["ConsumedRecord"], bytes]
    """A record's whole output."""

PACKAGE = "org.apache.kafka.tools.consumer."
DEFAULT = PACKAGE + "DefaultMessageFormatter"
_SERIALIZATION = "org.apache.kafka.common.serialization."


class UnknownFormatter(ValueError):
    java_class = "java.lang.ClassNotFoundException"


def formatter(name: str, settings: Mapping[str, str]) -> Write:
    """The formatter of this class. Raises UnknownFormatter."""
    if name in (DEFAULT, PACKAGE + "LoggingMessageFormatter"):
        return DefaultFormatter(settings).write
    if name == PACKAGE + "NoOpMessageFormatter":
        return lambda record: b""
    for short, log, types in (
        ("OffsetsMessageFormatter", "group", (0, 1)),
        ("GroupMetadataMessageFormatter", "group", (2,)),
        ("TransactionLogMessageFormatter", "transaction", None),
        ("group.share.ShareGroupStateMessageFormatter", "share", None),
    ):
        if name == PACKAGE + short:
            return _coordinator_formatter(log, types)
    raise UnknownFormatter(name)


def _coordinator_formatter(log: str, types: tuple[int, ...] | None) -> Write:
    from .record_json import UnknownRecordType, coordinator_record, dump, to_tree

    def write(record: ConsumedRecord) -> bytes:
        if record.key is None:
            return b""
        try:
            found = coordinator_record(log, record.key, record.value)
        except UnknownRecordType:
            return b""
        if types is not None and found.record_type not in types:
            return b""
        value = None if found.value is None else {"version": found.value_version, "data": to_tree(found.value, found.value_version)}
        return dump({"key": {"type": found.record_type, "data": to_tree(found.key, 0)}, "value": value}).encode()

    return write


class DefaultFormatter:
    """Columns by `print.*`, their separators and deserializers by the settings of those names."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        def flag(name: str, default: bool = False) -> bool:
            return settings[name].strip().lower() == "true" if name in settings else default

        def text(name: str, default: str) -> bytes:
            return settings.get(name, default).encode("utf-8", "replace")

        null = text("null.literal", "null")
        key = _deserializer(settings, "key.deserializer", null)
        value = _deserializer(settings, "value.deserializer", null)
        self._columns = [
            column
            for name, column, default in (
                ("timestamp", self._timestamp, False),
                ("partition", lambda r: b"Partition:%d" % r.partition, False),
                ("offset", lambda r: b"Offset:%d" % r.offset, False),
                ("delivery", lambda r: b"Delivery:NOT_PRESENT", False),
                ("epoch", lambda r: b"Epoch:NOT_PRESENT", False),  # Apache's tool loses it on the way to the formatter
                ("headers", self._headers, False),
                ("key", lambda r: key(r.key), False),
                ("value", lambda r: value(r.value), True),
            )
            if flag(f"print.{name}", default)
        ]
        self._separator = text("key.separator", "\t")
        self._end = text("line.separator", "\n")
        self._between_headers = text("headers.separator", ",")
        self._header = _deserializer(settings, "headers.deserializer", null)

    def write(self, record: ConsumedRecord) -> bytes:
        if not self._columns:
            return b""
        return self._separator.join([column(record) for column in self._columns]) + self._end

    def _timestamp(self, record: ConsumedRecord) -> bytes:
        if record.timestamp_ms < 0 and not record.append_time:
            return b"CreateTime:%d" % record.timestamp_ms
        return b"%s:%d" % (b"LogAppendTime" if record.append_time else b"CreateTime", record.timestamp_ms)

    def _headers(self, record: ConsumedRecord) -> bytes:
        if not record.headers:
            return b"NO_HEADERS"
        return self._between_headers.join(name.encode() + b":" + self._header(value) for name, value in record.headers)


def _deserializer(settings: Mapping[str, str], key: str, null: bytes) -> Callable[[bytes | None], bytes]:
    """Bytes to what is printed of them. A missing value is the null literal first, and is then deserialized like any other, as in Apache's tool."""
    name = settings.get(key)
    if name is None:
        return lambda data: null if data is None else data
    convert = _DESERIALIZERS.get(name.removeprefix(_SERIALIZATION) if name.startswith(_SERIALIZATION) else "")
    if convert is None:
        log_line("ERROR", f"Unable to instantiate a deserializer from {name}", PACKAGE + "DefaultMessageFormatter")
        return lambda data: null if data is None else data
    return lambda data: convert(null if data is None else data).encode("utf-8", "replace")


class SerializationError(ValueError):
    java_class = "org.apache.kafka.common.errors.SerializationException"


def _number(format_: str, name: str) -> Callable[[bytes], str]:
    size = struct.calcsize(format_)

    def convert(data: bytes) -> str:
        if len(data) != size:
            raise SerializationError(f"Size of data received by {name}Deserializer is not {size}")
        value = struct.unpack(format_, data)[0]
        if isinstance(value, float):
            from barnabas.core.configs.values import to_text

            return to_text(value) or ""
        return str(value)

    return convert


def _uuid(data: bytes) -> str:
    import uuid

    try:
        return str(uuid.UUID(data.decode()))
    except ValueError as error:
        raise SerializationError("Error parsing data into UUID") from error


def _boolean(data: bytes) -> str:
    if len(data) != 1 or data[0] > 1:
        raise SerializationError(
            "Size of data received by BooleanDeserializer is not 1"
            if len(data) != 1
            else f"Unexpected byte received by BooleanDeserializer: {data[0]}"
        )
    return "true" if data[0] else "false"


def _escaped(data: bytes) -> str:
    """How Kafka's Bytes prints itself."""
    return "".join(chr(b) if 32 <= b < 127 and b != 92 else "\\\\" if b == 92 else f"\\x{b:02X}" for b in data)


_DESERIALIZERS: dict[str, Callable[[bytes], str]] = {
    "StringDeserializer": lambda data: data.decode("utf-8", "replace"),
    "IntegerDeserializer": _number(">i", "Integer"),
    "LongDeserializer": _number(">q", "Long"),
    "ShortDeserializer": _number(">h", "Short"),
    "FloatDeserializer": _number(">f", "Float"),
    "DoubleDeserializer": _number(">d", "Double"),
    "UUIDDeserializer": _uuid,
    "BooleanDeserializer": _boolean,
    "BytesDeserializer": _escaped,
}
