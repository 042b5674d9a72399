"""What a leader checks and corrects in what a producer sent for one partition, before the log assigns offsets (D87-D93, T8, T9).

Owns every rule that needs nothing but the bytes and the topic's configuration, in Apache Kafka's order, with its error codes, its record errors (KIP-467) and
the bytes that it leaves. Doesn't own: zstd before Produce 7 (the handler: `Valid.codec`, or the raw attributes, against the request's version), sequences and
epochs (`core.partition.producers`), offsets (the log stamps base offset and leader epoch in place, `batch.stamp`: they lie outside the CRC).

`examine` is the definition. Native code answers the common case, an uncompressed batch that stays as it is, in one call, and hands all others to `examine`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, NoReturn

from barnabas.wire.errors import Error
from barnabas.wire.records import batch as layout
from barnabas.wire.records.builder import assemble
from barnabas.wire.records.compression import DEFAULT_MAX_BYTES, Codec, DecompressionError, TooLarge, compress, decompress
from barnabas.wire.records.native import crc32c, quick, returns, skim
from barnabas.wire.records.record import encode_record, iterate_records, wrap64
from barnabas.wire.records.skim import NEGATIVE_TIME, NOT_CANONICAL, OK, OUT_OF_LINE, REJECTED, RULES, UNREADABLE, is_in_window, outlines
from barnabas.wire.types import DecodeError

if TYPE_CHECKING:
    from barnabas.wire.records.batch import BatchHeader

    Buffer = bytes | bytearray | memoryview

SMALLEST_LENGTH = 14  # of any magic; below it not even the next batch can be found (D50)
ATTRIBUTES_KEPT = 0x77  # a rewritten header keeps no bit beyond those that mean something
SPARE: list[bytearray] = []  # memory to decompress into, one for each thread that is at it; a list's pop and append are atomic
SPARE_SIZE = 1 << 20
SPARE_MOST = 4
MOST_INT64 = 0x7FFF_FFFF_FFFF_FFFF


KEYLESS = "Compacted topic cannot accept message without key in topic partition"
SHOWN_ERRORS = 3
_WITHOUT_LOG_START = (Error.CORRUPT_MESSAGE, Error.MESSAGE_TOO_LARGE, Error.RECORD_LIST_TOO_LARGE)


class InvalidBatch(Exception):
    """A partition's records were refused. `record_errors` are (index, message) of each refused record.

    `is_early`: what came is no single batch, which Apache Kafka sees before it turns to the log. `reply_texts` is what goes into the response: it sends
    a text only along with record errors, and for corruption that it sees early; `tells_log_start`: it names the log's start offset, or -1.
    """

    def __init__(self, error: Error, message: str, record_errors: tuple[tuple[int, str], ...] = (), *, is_early: bool = False) -> None:
        super().__init__(message)
        self.error = error
        self.message = message
        self.record_errors = record_errors
        self.is_early = is_early

    def reply_texts(self, partition: str) -> tuple[str | None, list[tuple[int, str]]]:
        """The message and the record errors of a response, `partition` ("topic-0") being where the records were to go."""
        if not self.record_errors:
            return (self.message if self.is_early and self.error == Error.CORRUPT_MESSAGE else None), []
        errors = [(index, f"{text} {partition}" if text == KEYLESS else text) for index, text in self.record_errors]
        if self.error == Error.INVALID_TIMESTAMP:
            return "One or more records have been rejected due to invalid timestamp", errors
        first = ", ".join(f"RecordError(batchIndex={index}, message='{text}')" for index, text in errors[:SHOWN_ERRORS])
        counted = f"{len(errors)} record errors in total, and only showing the first three errors at most: [{first}]"
        return f"One or more records have been rejected due to {counted}", errors

    @property
    def tells_log_start(self) -> bool:
        return not self.is_early and self.error not in _WITHOUT_LOG_START


class AppendRules:
    """A topic's configuration as far as appending goes; made once for each change of it, shared by its partitions."""

    __slots__ = ("codec", "compacted", "level", "log_append_time", "max_decompressed_bytes", "max_message_bytes", "packed", "segment_bytes", "window")

    def __init__(
        self,
        *,
        compacted: bool = False,
        log_append_time: bool = False,
        timestamp_before_max_ms: int = MOST_INT64,
        timestamp_after_max_ms: int = 3_600_000,
        max_message_bytes: int = 1_048_588,
        segment_bytes: int = 1 << 30,
        codec: int | None = None,
        level: int | None = None,
        max_decompressed_bytes: int = DEFAULT_MAX_BYTES,
    ) -> None:
        """`codec` is compression.type, None for `producer`; `level` its compression.*.level, None for the default. `compacted`: cleanup.policy has compact.

        `max_decompressed_bytes` is ours: a batch that would inflate to more is refused as MESSAGE_TOO_LARGE, upon which producers split it.
        """
        self.compacted = compacted
        self.log_append_time = log_append_time
        self.window = (timestamp_before_max_ms, timestamp_after_max_ms)
        self.max_message_bytes = max_message_bytes
        self.segment_bytes = segment_bytes
        self.codec = codec
        self.level = level
        self.max_decompressed_bytes = max_decompressed_bytes
        most = min(max_message_bytes, segment_bytes)
        self.packed = RULES.pack(*self.window, most, -1 if codec is None else codec, compacted, log_append_time)


class Valid(NamedTuple):
    """One batch that may be appended, and what the caller needs of its header, which now says the truth."""

    buffer: memoryview  # exactly the batch, writable: the receive buffer itself unless the batch had to be rebuilt or the buffer was read-only
    size: int
    attributes: int
    count: int  # type: ignore[assignment]  # hides tuple.count; the last offset delta is one less
    base_timestamp: int
    max_timestamp: int
    producer_id: int  # -1: none
    producer_epoch: int
    base_sequence: int
    append_time_ms: int  # what the response says: -1 where the topic keeps the producers' times

    @property
    def codec(self) -> int:
        return self.attributes & layout.CODEC_MASK

    @property
    def is_transactional(self) -> bool:
        return self.attributes & layout.TRANSACTIONAL != 0


returns(Valid)


def validate(records: memoryview, rules: AppendRules, now_ms: int) -> Valid:
    """Check, and where needed correct in place or rebuild, what a producer sent for one partition. Raises InvalidBatch.

    `records` holds one batch; a cut-off second one is dropped. Nothing is copied unless the batch has to be rebuilt or `records` is read-only.
    """
    valid: Valid | None = quick(records, rules.packed, now_ms)
    if valid is None or (valid.attributes & layout.CODEC_MASK and not _holds(valid, rules, now_ms)):
        return examine(records, rules, now_ms)
    return valid


def _holds(valid: Valid, rules: AppendRules, now_ms: int) -> bool:
    """Whether the compressed records of a batch whose header is in order are so too, and nothing has to change."""
    codec, body = valid.attributes & layout.CODEC_MASK, valid.buffer[layout.HEADER_SIZE :]
    scratch = SPARE.pop() if SPARE else bytearray(SPARE_SIZE)
    try:
        data = decompress(codec, body, rules.max_decompressed_bytes, linked_blocks=False, scratch=scratch)
        status, flags, greatest = skim(data, valid.count, valid.base_timestamp, None, True, rules.packed, now_ms)
    except (DecompressionError, TooLarge):
        return False
    finally:
        if len(SPARE) < SPARE_MOST:
            SPARE.append(scratch)
    return status == OK and not flags & (REJECTED | OUT_OF_LINE) and greatest == valid.max_timestamp


def examine(records: Buffer, rules: AppendRules, now_ms: int) -> Valid:
    """`validate` by its definition. Raises InvalidBatch."""
    view = memoryview(records)
    batch = view[: _size_of_only_batch(view)]
    header = _check_envelope(batch, rules)
    _check_header(header)
    source = header.codec
    target = source if rules.codec is None else rules.codec
    stays = source == target
    append_time = header.max_timestamp if header.is_log_append_time else None
    data = _decompress(source, batch[layout.HEADER_SIZE :], rules.max_decompressed_bytes)
    skips = stays and source != Codec.NONE
    status, flags, greatest = skim(data, header.count, header.base_timestamp, append_time, skips, rules.packed, now_ms)
    if status != OK:
        if status == UNREADABLE and source == Codec.NONE:
            refuse(Error.UNKNOWN_SERVER_ERROR, "a record's size takes more than 5 bytes")
        refuse(Error.INVALID_RECORD, "the records don't have the structure of records, or there aren't as many as the header says")
    if flags & REJECTED:
        _refuse_records(data, header, append_time, skips, rules, now_ms)
    if skips and flags & OUT_OF_LINE:  # Apache Kafka wants to rebuild the batch but has skipped its keys and values by then
        refuse(Error.UNKNOWN_SERVER_ERROR, "offset deltas in a compressed batch must be 0, 1, 2 and so on")
    if not stays:
        batch, header = _rebuild(data, header, append_time, flags, greatest, target, rules, now_ms)
    else:
        batch, header = _correct(batch, header, greatest, rules, now_ms)
    if header.size > rules.segment_bytes:
        refuse(Error.RECORD_LIST_TOO_LARGE, f"a batch of {header.size} bytes doesn't fit a segment of {rules.segment_bytes} (segment.bytes)")
    producer = (header.producer_id, header.producer_epoch, header.base_sequence)
    times = (header.base_timestamp, header.max_timestamp)
    return Valid(batch, header.size, header.attributes, header.count, *times, *producer, now_ms if rules.log_append_time else -1)


def refuse(error: Error, message: str) -> NoReturn:
    raise InvalidBatch(error, message)


def _refuse_early(error: Error, message: str) -> NoReturn:
    raise InvalidBatch(error, message, is_early=True)


def _size_of_only_batch(view: memoryview) -> int:
    size = _size_of_batch(view, 0)
    if size is None:
        _refuse_early(Error.INVALID_RECORD, "no whole record batch for a partition; send exactly one")
    if view[layout.MAGIC_POSITION] != 2:
        _refuse_early(Error.INVALID_RECORD, f"record batches of magic {view[layout.MAGIC_POSITION]} can't be produced any more; send magic 2")
    if _size_of_batch(view, size) is not None:
        _refuse_early(Error.INVALID_RECORD, "more than one record batch for a partition; send exactly one")
    return size


def _size_of_batch(view: memoryview, position: int) -> int | None:
    """The size of the batch at `position`, None if it isn't whole."""
    left = len(view) - position
    if left < layout.LENGTH_END:
        return None
    (length,) = layout.LENGTH.unpack_from(view, position + 8)
    if length < SMALLEST_LENGTH:
        _refuse_early(Error.CORRUPT_MESSAGE, f"Record size {length} is less than the minimum record overhead ({SMALLEST_LENGTH})")
    if left <= layout.MAGIC_POSITION:
        return None
    magic = view[position + layout.MAGIC_POSITION]
    if magic > 2:
        _refuse_early(Error.CORRUPT_MESSAGE, f"Invalid magic found in record: {magic - 256 if magic > 127 else magic}")
    size: int = length + layout.LENGTH_END
    if size > 0x7FFFFFFF:
        _refuse_early(Error.UNKNOWN_SERVER_ERROR, f"a record batch of length {length}")
    return size if size <= left else None


def _check_envelope(batch: memoryview, rules: AppendRules) -> BatchHeader:
    """Base offset, size, CRC, codec: in this order, which decides the error where several are wrong."""
    (base_offset,) = layout.BASE_OFFSET.unpack_from(batch)
    if base_offset != 0:
        refuse(Error.INVALID_RECORD, f"a record batch's base offset must be 0 when it is produced, not {base_offset}")
    if len(batch) < 27:  # Apache Kafka reads the last offset delta before it looks at the size
        refuse(Error.UNKNOWN_SERVER_ERROR, f"a record batch of {len(batch)} bytes has no header")
    if len(batch) > rules.max_message_bytes:
        refuse(Error.MESSAGE_TOO_LARGE, f"a record batch of {len(batch)} bytes exceeds {rules.max_message_bytes} (max.message.bytes)")
    if len(batch) < layout.HEADER_SIZE:
        refuse(Error.CORRUPT_MESSAGE, f"a record batch of {len(batch)} bytes has no header")
    header = layout.BatchHeader._make(layout.HEADER.unpack_from(batch))
    computed = crc32c(batch[layout.ATTRIBUTES_POSITION :])
    if computed != header.crc:
        refuse(Error.CORRUPT_MESSAGE, f"the record batch is corrupt: its CRC says {header.crc}, its bytes {computed}")
    if header.codec > Codec.ZSTD:
        refuse(Error.UNKNOWN_SERVER_ERROR, f"codec {header.codec} isn't known; 0 to 4 are")
    return header


def _check_header(header: BatchHeader) -> None:
    if header.count <= 0 or header.last_offset_delta + 1 != header.count:
        refuse(Error.INVALID_RECORD, f"{header.count} records with a last offset delta of {header.last_offset_delta}")
    if header.is_control:
        refuse(Error.INVALID_RECORD, "control records are the brokers' own; clients can't write them")
    if header.has_producer_id and header.base_sequence < 0:
        refuse(Error.INVALID_RECORD, f"producer id {header.producer_id} with sequence {header.base_sequence}; sequences start at 0")


def _decompress(codec: int, data: memoryview, max_bytes: int) -> Buffer:
    try:
        return decompress(codec, data, max_bytes, linked_blocks=False)
    except TooLarge as error:
        refuse(Error.MESSAGE_TOO_LARGE, f"the records are too many bytes once decompressed: {error}")
    except DecompressionError as error:
        refuse(Error.UNKNOWN_SERVER_ERROR, f"the records can't be decompressed: {error}")


def _refuse_records(data: Buffer, header: BatchHeader, append_time: int | None, skips: bool, rules: AppendRules, now_ms: int) -> NoReturn:
    """Say of each record what is wrong with it; the timestamps' error wins."""
    errors: list[tuple[int, str]] = []
    shown: list[str] = []
    error = Error.INVALID_RECORD
    before_ms, after_ms = rules.window
    found = outlines(data, header.count, header.base_timestamp, append_time, skips)
    for index, (has_key, offset, timestamp, _) in enumerate(found):
        if rules.compacted and not has_key:
            errors.append((index, KEYLESS))
        elif timestamp != layout.NO_TIMESTAMP and not rules.log_append_time:
            if not is_in_window(timestamp, now_ms, before_ms, after_ms):
                error = Error.INVALID_TIMESTAMP
                limits = f"[{wrap64(now_ms - before_ms)}, {wrap64(now_ms + after_ms)}]"
                errors.append(
                    (
                        index,
                        f"Timestamp {timestamp} of message with offset {offset} is out of range. The timestamp should be within {limits}",
                    )
                )
        elif append_time is not None:
            error = Error.INVALID_TIMESTAMP
            shown = shown or _records_as_told(data, header, append_time, skips)
            errors.append((index, f"Invalid timestamp type in message {shown[index]}. Producer should not set timestamp type to LogAppendTime."))
    raise InvalidBatch(error, f"{len(errors)} records are refused, the first: {errors[0][1]}", tuple(errors))


def _records_as_told(data: Buffer, header: BatchHeader, append_time: int, skips: bool) -> list[str]:
    """Each record as Apache Kafka's texts show it."""
    kind, none = ("PartialDefaultRecord", -1) if skips else ("DefaultRecord", 0)
    try:
        return [
            f"{kind}(offset={record.offset}, timestamp={record.timestamp}, key={none if record.key is None else len(record.key)} bytes, "
            f"value={none if record.value is None else len(record.value)} bytes)"
            for record in iterate_records(data, header.count, 0, header.base_timestamp, append_time)
        ]
    except (DecodeError, IndexError):  # skipping over keys and values finds nothing wrong with records that reading them does
        return [kind] * header.count


def _correct(batch: memoryview, header: BatchHeader, greatest: int, rules: AppendRules, now_ms: int) -> tuple[memoryview, BatchHeader]:
    """Make maxTimestamp and the timestamp type true, in place. Nothing changes, and the CRC stays, if they are."""
    if batch.readonly:
        batch = memoryview(bytearray(batch))
    max_timestamp = now_ms if rules.log_append_time else greatest
    if header.is_log_append_time == rules.log_append_time and header.max_timestamp == max_timestamp:
        return batch, header
    attributes = header.attributes & ATTRIBUTES_KEPT | (layout.LOG_APPEND_TIME if rules.log_append_time else 0)
    layout.ATTRIBUTES.pack_into(batch, layout.ATTRIBUTES_POSITION, attributes)
    layout.BASE_OFFSET.pack_into(batch, layout.MAX_TIMESTAMP_POSITION, max_timestamp)
    layout.CRC.pack_into(batch, layout.CRC_POSITION, crc32c(batch[layout.ATTRIBUTES_POSITION :]))
    return batch, header._replace(attributes=attributes, max_timestamp=max_timestamp)


def _rebuild(
    data: Buffer, header: BatchHeader, append_time: int | None, flags: int, greatest: int, target: int, rules: AppendRules, now_ms: int
) -> tuple[memoryview, BatchHeader]:
    """The same records in a new batch of codec `target`, offset deltas from 0 on, as Apache Kafka would write them."""
    if flags & NEGATIVE_TIME:
        refuse(Error.UNKNOWN_SERVER_ERROR, "records with a negative timestamp can't be written again (compression.type)")
    if (header.is_transactional and not header.producer_id + 1) or (
        header.producer_id + 1 and (header.producer_epoch == -1 or header.base_sequence < 0)
    ):
        refuse(Error.UNKNOWN_SERVER_ERROR, "a batch without a whole producer identity can't be written again (compression.type)")
    base_timestamp = header.base_timestamp
    if flags & NOT_CANONICAL or append_time is not None:
        records = list(iterate_records(data, header.count, 0, base_timestamp, append_time))
        base_timestamp = records[0].timestamp
        parts = [encode_record(i, wrap64(r.timestamp - base_timestamp), r.key, r.value, r.headers) for i, r in enumerate(records)]
        data = b"".join(parts)
    attributes = target | header.attributes & layout.TRANSACTIONAL | (layout.LOG_APPEND_TIME if rules.log_append_time else 0)
    max_timestamp = now_ms if rules.log_append_time else greatest
    producer = (header.producer_id, header.producer_epoch, header.base_sequence)
    body = compress(target, data, rules.level)
    batch = assemble(body, 0, header.leader_epoch, attributes, header.count - 1, base_timestamp, max_timestamp, *producer, header.count)
    if len(batch) > rules.max_message_bytes:
        refuse(
            Error.MESSAGE_TOO_LARGE, f"a record batch of {len(batch)} bytes, compressed again, exceeds {rules.max_message_bytes} (max.message.bytes)"
        )
    return memoryview(batch), layout.read_header(batch)
