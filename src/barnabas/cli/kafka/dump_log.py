"""kafka-dump-log: what stands in segments, indexes and snapshots. Flags and lines of Apache Kafka's DumpLogSegments.

Owns: the options, logs and metadata snapshots, batch by batch. Indexes and producer snapshots are `dump_index`. Files are only read, also those of a running node.
"""

from __future__ import annotations

import mmap
import os
import sys
from typing import TYPE_CHECKING

from barnabas.wire.records.batch import HEADER_SIZE, LENGTH_END, BatchHeader, read_header
from barnabas.wire.types import DecodeError

from .java import java_text
from .options import OptionError, Options, Parser, help_or_version, require

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from barnabas.wire.records.record import Record
    from barnabas.wire.schema import Message

    ParseRecord = Callable[[Record], tuple[str | None, str | None]]
    """A record's key and value as they are printed; None is left out."""

PURPOSE = "This tool helps to parse a log file and dump its contents to the console, useful for debugging a seemingly corrupt log segment."
STRING_DECODER = "org.apache.kafka.tools.api.StringDecoder"
MAX_INT = 2**31 - 1
SMALLEST_RECORD = 14
MAGIC_END = 17
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


class DumpFailed(ValueError):
    """What ends the whole command."""

    def __init__(self, message: str, java_class: str = "java.lang.RuntimeException") -> None:
        super().__init__(message)
        self.java_class = java_class


def _number(data: bytes, size: int) -> str:
    """Bytes behind the number are left alone."""
    if len(data) < size:
        raise DumpFailed(f"{len(data)} bytes are no number of {size}: use another decoder", "java.nio.BufferUnderflowException")
    return str(int.from_bytes(data[:size], "big", signed=True))


_DECODERS: dict[str, Callable[[bytes], str]] = {
    STRING_DECODER: lambda data: data.decode("utf-8", "replace"),
    "org.apache.kafka.tools.api.IntegerDecoder": lambda data: _number(data, 4),
    "org.apache.kafka.tools.api.LongDecoder": lambda data: _number(data, 8),
}


class DumpOptions:
    """Raises OptionError, SystemExit."""

    def __init__(self, arguments: Sequence[str]) -> None:
        parser = Parser()
        self.print = parser.flag("print-data-log", "Print records' contents; set by itself with any decoder.")
        self.verify_index = parser.flag("verify-index-only", "Check indexes without printing them.")
        self.index_sanity = parser.flag("index-sanity-check", "Check indexes as a broker does when it starts, without printing them.")
        self.files = parser.required("files", "REQUIRED: the files, by commas.", "file1, file2, ...")
        self.max_message_size = parser.required("max-message-size", "Bytes of the largest message.", "size", "Integer", str(5 * 1024 * 1024))
        self.max_bytes = parser.required("max-bytes", "Read no more than so many bytes of batches.", "size", "Integer", str(MAX_INT))
        self.deep = parser.flag("deep-iteration", "Go through records, not only batches; set by itself with --print-data-log.")
        self.value_decoder = parser.optional("value-decoder-class", "The class that reads values.", default=STRING_DECODER)
        self.key_decoder = parser.optional("key-decoder-class", "The class that reads keys.", default=STRING_DECODER)
        self.offsets = parser.flag("offsets-decoder", "Records are those of __consumer_offsets.")
        self.transactions = parser.flag("transaction-log-decoder", "Records are those of __transaction_state.")
        self.metadata = parser.flag("cluster-metadata-decoder", "Records are the cluster's metadata.")
        self.remote = parser.flag("remote-log-metadata-decoder", "Records are those of __remote_log_metadata.")
        self.share = parser.flag("share-group-state-decoder", "Records are those of __share_group_state.")
        self.skip_metadata = parser.flag("skip-record-metadata", "Print records without offsets and sizes; control records not at all.")
        self.given: Options = parser.parse(arguments)
        help_or_version(parser, self.given, arguments, PURPOSE)
        require(parser, self.given, self.files)

    @property
    def prints_contents(self) -> bool:
        return any(
            map(
                self.given.has,
                (self.print, self.offsets, self.transactions, self.metadata, self.remote, self.value_decoder, self.key_decoder, self.share),
            )
        )

    @property
    def is_deep(self) -> bool:
        return self.given.has(self.deep) or self.prints_contents

    def record_parser(self) -> ParseRecord:
        """Raises DumpFailed."""
        given = self.given
        for option, log in ((self.offsets, "group"), (self.transactions, "transaction"), (self.share, "share")):
            if given.has(option):
                return _coordinator_parser(log)
        if given.has(self.metadata):
            return _parse_metadata
        if given.has(self.remote):
            raise DumpFailed("--remote-log-metadata-decoder isn't supported: Barnabas keeps no tiered storage yet.")
        decoders = []
        for option in (self.key_decoder, self.value_decoder):
            name = given.text(option)
            if name not in _DECODERS:
                raise DumpFailed(f"Failed to load decoder class {name}. Known are: {', '.join(_DECODERS)}")
            decoders.append(_DECODERS[name])
        key, value = decoders
        return lambda record: (None if record.key is None else key(record.key), None if record.value is None else value(record.value))


def _parse_metadata(record: Record) -> tuple[str | None, str | None]:
    from .record_json import dump, metadata_record

    try:
        return None, dump(metadata_record(record.value or b""))
    except DecodeError as error:
        return None, f"Error at {record.offset}, skipping. {error}"


def _coordinator_parser(log: str) -> ParseRecord:
    from .record_json import GROUP_METADATA, UnknownRecordType, coordinator_record, dump, group_metadata_tree, to_tree

    def parse(record: Record) -> tuple[str | None, str | None]:
        if record.key is None:
            raise DumpFailed(f"Failed to decode message at offset {record.offset} using the specified decoder (message had a missing key)")
        try:
            found = coordinator_record(log, record.key, record.value)
        except UnknownRecordType as error:
            return f"Unknown record type {error.record_type} at offset {record.offset}, skipping.", None
        except DecodeError as error:
            return f"Error at offset {record.offset}, skipping. {error}", None
        key = dump({"type": str(found.record_type), "data": to_tree(found.key, 0)})
        if found.value is None:
            return key, "<DELETE>"
        opened = log == "group" and found.record_type == GROUP_METADATA
        tree = group_metadata_tree(found.value, found.value_version) if opened else to_tree(found.value, found.value_version)
        return key, dump({"version": str(found.value_version), "data": tree})

    return parse


def main(argv: Sequence[str]) -> int:
    try:
        options = DumpOptions(argv)
        _dump_files(options)
    except (OptionError, DumpFailed, DecodeError, OSError, ValueError) as error:
        sys.stdout.flush()
        sys.stderr.write(f'Exception in thread "main" {java_text(error)}\n')
        return 1
    return 0


def _dump_files(options: DumpOptions) -> None:
    from .dump_index import IndexProblems, dump_offset_index, dump_producers, dump_time_index, dump_transactions

    given = options.given
    problems = IndexProblems()
    gaps: dict[str, dict[int, int]] = {}
    for path in given.text(options.files).split(","):
        print(f"Dumping {path}")
        suffix = os.path.splitext(path)[1]
        if suffix in (".log", ".checkpoint"):
            _dump_log(options, path, gaps)
        elif suffix == ".index":
            dump_offset_index(
                path, given.has(options.index_sanity), given.has(options.verify_index), problems, given.number(options.max_message_size)
            )
        elif suffix == ".timeindex":
            dump_time_index(path, given.has(options.index_sanity), given.has(options.verify_index), problems)
        elif suffix == ".snapshot":
            dump_producers(path)
        elif suffix == ".txnindex":
            dump_transactions(path)
        else:
            sys.stdout.flush()
            sys.stderr.write(f"Ignoring unknown file {path}\n")
    sys.stdout.flush()
    problems.print()
    for path, pairs in gaps.items():
        sys.stderr.write(f"Non-consecutive offsets in {path}\n")
        for before, after in sorted(pairs.items()):
            sys.stderr.write(f"  {before} is followed by {after}\n")


def base_offset_of(path: str) -> int:
    """The offset in a file's name. Raises DumpFailed."""
    first = os.path.basename(path).split(".")[0]
    if not first.isdecimal():
        raise DumpFailed(f'For input string: "{first}"', "java.lang.NumberFormatException")
    return int(first)


def _dump_log(options: DumpOptions, path: str, gaps: dict[str, dict[int, int]]) -> None:
    given = options.given
    name = os.path.basename(path)
    parse = options.record_parser()
    if name.endswith(".log"):
        print(f"Log starting offset: {base_offset_of(path)}")
    elif name == "bootstrap.checkpoint":
        print("KRaft bootstrap snapshot")
    else:
        end_offset, _, epoch = name.removesuffix(".checkpoint").partition("-")
        if not (end_offset.isdecimal() and epoch.isdecimal()):
            raise DumpFailed("No value present", "java.util.NoSuchElementException")
        print(f"Snapshot end offset: {int(end_offset)}, epoch: {int(epoch)}")
    max_bytes = given.number(options.max_bytes)
    skip = given.has(options.skip_metadata)
    with open(path, "rb") as file:
        size = min(os.fstat(file.fileno()).st_size, max_bytes)
        view = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        position, last_offset = 0, -1
        while (header := batch_at(path, view, position, size)) is not None:
            batch = bytes(view[position : position + header.size])
            sys.stdout.write(_batch_line(header, batch, position))
            if options.is_deep:
                last_offset = _dump_records(path, header, batch, last_offset, gaps, parse if options.prints_contents else None, skip)
            position += header.size
        if size > position and max_bytes == MAX_INT:
            print(f"Found {size - position} invalid bytes at the end of {name}")


def batch_at(path: str, view: mmap.mmap | bytes, position: int, end: int) -> BatchHeader | None:
    """The header of the batch at `position`, None where no whole one begins. Raises DumpFailed, DecodeError."""
    if position >= end - MAGIC_END:
        return None
    size = int.from_bytes(view[position + 8 : position + LENGTH_END], "big", signed=True)
    if size < SMALLEST_RECORD:
        raise DumpFailed(
            f"Found record size {size} smaller than minimum record overhead ({SMALLEST_RECORD}) in file {path}.",
            "org.apache.kafka.common.errors.CorruptRecordException",
        )
    if position > end - LENGTH_END - size:
        return None
    return read_header(bytes(view[position : position + HEADER_SIZE]))


def _timestamp_type(header: BatchHeader) -> str:
    return "LogAppendTime" if header.is_log_append_time else "CreateTime"


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _batch_line(header: BatchHeader, batch: bytes, position: int) -> str:
    from barnabas.wire.records.batch import ATTRIBUTES_POSITION
    from barnabas.wire.records.native import crc32c

    horizon = header.delete_horizon_ms
    valid = header.crc == crc32c(memoryview(batch)[ATTRIBUTES_POSITION:])
    codec = CODECS[header.codec] if header.codec < len(CODECS) else str(header.codec)
    return (
        f"baseOffset: {header.base_offset} lastOffset: {header.last_offset} count: {header.count} baseSequence: {header.base_sequence}"
        f" lastSequence: {header.last_sequence} producerId: {header.producer_id} producerEpoch: {header.producer_epoch}"
        f" partitionLeaderEpoch: {header.leader_epoch} isTransactional: {_flag(header.is_transactional)} isControl: {_flag(header.is_control)}"
        f" deleteHorizonMs: {'OptionalLong.empty' if horizon is None else f'OptionalLong[{horizon}]'} position: {position}"
        f" {_timestamp_type(header)}: {header.max_timestamp} size: {header.size} magic: {header.magic} compresscodec: {codec}"
        f" crc: {header.crc} isvalid: {_flag(valid)}\n"
    )


def _dump_records(
    path: str, header: BatchHeader, batch: bytes, last_offset: int, gaps: dict[str, dict[int, int]], parse: ParseRecord | None, skip_metadata: bool
) -> int:
    """Prints a batch's records; returns the last one's offset."""
    from barnabas.wire.records.batch import last_sequence
    from barnabas.wire.records.record import decode_records

    lines: list[str] = []
    kind = _timestamp_type(header)
    for record in decode_records(batch, check_crc=False):
        if record.offset != last_offset + 1:
            gaps.setdefault(os.path.abspath(path), {})[last_offset] = record.offset
        last_offset = record.offset
        line, prefix = "", "| "
        if not skip_metadata:
            key_size = -1 if record.key is None else len(record.key)
            value_size = -1 if record.value is None else len(record.value)
            sequence = last_sequence(header.base_sequence, record.offset - header.base_offset)
            keys = ",".join(name for name, _ in record.headers)
            line = f"| offset: {record.offset} {kind}: {record.timestamp} keySize: {key_size} valueSize: {value_size} sequence: {sequence} headerKeys: [{keys}]"
            prefix = " "
            if header.is_control:
                line += _control(record)
        if parse is not None and not header.is_control:
            try:
                key, value = parse(record)
            except DumpFailed:
                sys.stdout.write("".join(lines) + line)
                raise
            if key is not None:
                line += f"{prefix}key: {key}"
                prefix = " "
            if value is not None:
                line += f"{prefix}payload: {value}"
        lines.append(line + "\n")
    sys.stdout.write("".join(lines))
    return last_offset


def _control(record: Record) -> str:
    from barnabas.wire.logs import raft
    from barnabas.wire.records.control import ControlType, control_type, coordinator_epoch

    from .record_json import dump, to_tree

    kind = control_type(record.key)
    value = record.value or b""
    if kind in (ControlType.ABORT, ControlType.COMMIT):
        return f" endTxnMarker: {ControlType(kind).name} coordinatorEpoch: {coordinator_epoch(value)}"
    known: dict[int, tuple[str, type[Message]]] = {
        ControlType.LEADER_CHANGE: (" LeaderChange: ", raft.LeaderChangeMessage),
        ControlType.SNAPSHOT_HEADER: (" SnapshotHeader ", raft.SnapshotHeaderRecord),
        ControlType.SNAPSHOT_FOOTER: (" SnapshotFooter ", raft.SnapshotFooterRecord),
        ControlType.KRAFT_VERSION: (" KRaftVersion ", raft.KRaftVersionRecord),
        ControlType.KRAFT_VOTERS: (" KRaftVoters ", raft.VotersRecord),
    }
    if kind not in known:
        return f" controlType: UNKNOWN({kind})"
    text, cls = known[kind]
    version = int.from_bytes(value[:2], "big", signed=True)
    return text + dump(to_tree(cls.decode(value, version), version))
