"""Going over batches that lie back to back, header by header, as recovery does: the pure Python twin of `_native.c`'s `walk`, and its definition.

Owns which batches are valid (D103), which index entries they get (D54, D56) and which of them must be looked at one by one. Doesn't read files nor write
indexes (`storage`), and knows neither what producers' states nor leader epochs are made of. `native.py` chooses between the twins; property tests hold them
equal.

A log has millions of batches, so those that a producer's state wouldn't show are not reported. A *run* is one producer's batches with one epoch, whatever
others lie between them. A state keeps the producer's epoch, its last five batches, and where its open transaction began. So of a run are reported: the first
batch, markers, each batch that begins a transaction, and the last five; told of these in order, the state is what the whole run makes of it.
"""

from __future__ import annotations

from array import array
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from barnabas.wire.records.batch import ATTRIBUTES_POSITION, CONTROL, HEADER, HEADER_SIZE, LENGTH_END, TRANSACTIONAL
from barnabas.wire.records.skim import crc32c

if TYPE_CHECKING:
    Buffer = bytes | bytearray | memoryview

COURSE = Struct("=12q")
_OFFSET_ENTRY = Struct(">ii")
_TIME_ENTRY = Struct(">qi")

MAGIC = 2
RUNS = 4096  # are followed at a time: a producer's place is its id's remainder, and a newcomer ends the run that it displaces
REMEMBERED_BATCHES = 5


class Course(NamedTuple):
    """How far the walk over a segment is, and by what rules it goes. All int64; positions are in the file and below 2^31."""

    base_offset: int  # the segment's, to which entries' offsets are relative
    next_offset: int  # the least that the next batch may begin with
    largest_offset: int  # the greatest that a batch may end with, at most base_offset + 2^31 - 1 where there is room for entries
    first_offset: int = 0  # producers' batches that end below aren't reported
    epoch: int = -1  # the greatest leader epoch so far: a batch with a greater one is reported
    room: int = 0  # how many more entries the offset index takes
    interval_bytes: int = 0  # an entry is due for a batch that starts more than this behind the last one that got an entry
    entry_position: int = 0  # where that one starts
    entry_timestamp: int = -1  # of the last time entry
    position: int = 0  # of the window that is walked; afterwards, where valid batches end
    max_timestamp: int = -1
    offset_of_max: int = 0  # the last offset of the first batch that has it

    @classmethod
    def unpack(cls, packed: bytes) -> Course:
        return cls._make(COURSE.unpack(packed))

    def pack(self) -> bytes:
        return COURSE.pack(*self)


def walk(data: Buffer, course: bytes, /) -> tuple[int, bytes, bytes, bytes, bytes]:
    """Go over the whole batches in `data`, a window of a segment, up to the first that isn't valid.

    (1: all were valid, 0: the one at the new position isn't; the packed course; entries for the offset index; for the time index; where in `data` the
    batches lie that must be looked at, int32 each). Those are the first batch of a greater leader epoch, and what is reported of runs.
    """
    c = Course.unpack(course)
    _, next_offset, _, _, epoch, room, _, entry_position, entry_timestamp, position, max_timestamp, offset_of_max = c
    entries, times, told, runs = bytearray(), bytearray(), array("i"), _Runs()
    view, at, sound = memoryview(data), 0, 1
    while len(view) - at >= HEADER_SIZE:
        base, length, leader_epoch, magic, crc, attributes, delta, _, timestamp, producer_id, producer_epoch, _, _ = HEADER.unpack_from(view, at)
        size, last = length + LENGTH_END, base + delta
        if size > len(view) - at:
            break
        valid = size >= HEADER_SIZE and magic == MAGIC and delta >= 0 and base >= next_offset and last <= c.largest_offset
        if not valid or crc32c(view[at + ATTRIBUTES_POSITION : at + size]) != crc:
            sound = 0
            break
        if timestamp > max_timestamp:
            max_timestamp, offset_of_max = timestamp, last
        if position - entry_position > c.interval_bytes and room > 0:
            entries += _OFFSET_ENTRY.pack(last - c.base_offset, position)
            if max_timestamp > entry_timestamp:
                times += _TIME_ENTRY.pack(max_timestamp, offset_of_max - c.base_offset)
                entry_timestamp = max_timestamp
            entry_position = position
            room -= 1
        is_newer, has_producer = leader_epoch > epoch, producer_id >= 0 and last >= c.first_offset
        if is_newer:
            epoch = leader_epoch
        if has_producer:
            runs.tell(told, at, producer_id, producer_epoch, attributes, is_newer)
        elif is_newer:
            told.append(at)
        next_offset = last + 1
        at += size
        position += size
    after = c._replace(next_offset=next_offset, epoch=epoch, room=room, entry_position=entry_position, entry_timestamp=entry_timestamp)
    after = after._replace(position=position, max_timestamp=max_timestamp, offset_of_max=offset_of_max)
    return sound, after.pack(), bytes(entries), bytes(times), array("i", [where for where in told if where >= 0]).tobytes()


def thin(data: Buffer, positions: bytes, before: bytes, /) -> bytes:
    """The headers, back to back, of those among the batches of `before`, and then among those at `positions` of `data`, that matter when all are one log.

    `before` is such headers of earlier windows, `positions` what `walk` said of the next one: so runs go on from window to window, and a log of any length
    is a few batches a producer. ValueError where there are no headers.
    """
    view, told, runs = memoryview(data), array("i"), _Runs()
    places = memoryview(positions).cast("i")
    if len(before) % HEADER_SIZE or any(not 0 <= at <= len(view) - HEADER_SIZE for at in places):
        raise ValueError("no whole headers are there")
    headers = [before[at : at + HEADER_SIZE] for at in range(0, len(before), HEADER_SIZE)]
    headers += [bytes(view[at : at + HEADER_SIZE]) for at in places]
    for row, header in enumerate(headers):
        _, _, _, _, _, attributes, _, _, _, producer_id, producer_epoch, _, _ = HEADER.unpack(header)
        runs.tell(told, row, producer_id, producer_epoch, attributes, False)
    return b"".join([headers[row] for row in told if row >= 0])


class _Run:
    __slots__ = ("is_open", "key", "latest")

    def __init__(self, key: tuple[int, int]) -> None:
        self.key = key  # producer id and epoch
        self.is_open = False  # a transaction began since the run did, or since its last marker
        self.latest: list[int] = []  # the rows in `told` that may fall out again, oldest first


class _Runs:
    """The runs that are followed, each at its producer's place."""

    __slots__ = ("_places",)

    def __init__(self) -> None:
        self._places: dict[int, _Run] = {}

    def tell(self, told: array[int], at: int, producer_id: int, epoch: int, attributes: int, is_kept: bool) -> None:
        """Add a batch to `told`, where what falls out of its run again becomes -1. `is_kept`: this one doesn't."""
        run = self._places.get(producer_id % RUNS)
        if run is None or run.key != (producer_id, epoch):
            run = self._places[producer_id % RUNS] = _Run((producer_id, epoch))
            is_kept = True
        is_control, is_transactional = bool(attributes & CONTROL), bool(attributes & TRANSACTIONAL)
        is_kept = is_kept or is_control or (is_transactional and not run.is_open)
        run.is_open = not is_control and (is_transactional or run.is_open)
        if not is_kept:
            run.latest.append(len(told))
            if len(run.latest) > REMEMBERED_BATCHES:
                told[run.latest.pop(0)] = -1
        told.append(at)
