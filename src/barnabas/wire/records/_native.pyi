"""The C twin of `skim.py`, `tally.py`, `walk.py` and `newest.py`; see there for what each function means."""

from barnabas.wire.records.record import Record
from barnabas.wire.records.validation import Valid

def crc32c(buffer: bytes | bytearray | memoryview, value: int = 0, /) -> int: ...
def quick(records: bytes | bytearray | memoryview, rules: bytes, now_ms: int, /) -> Valid | None: ...
def skim(
    data: bytes | bytearray | memoryview,
    count: int,
    base_timestamp: int,
    append_time: int | None,
    skip: bool,
    rules: bytes,
    now_ms: int,
    /,
) -> tuple[int, int, int]: ...
def read_records(
    data: bytes | bytearray | memoryview,
    count: int,
    base_offset: int,
    base_timestamp: int,
    append_time: int | None,
    record: type[Record],
    /,
) -> list[Record] | None: ...
def tally(data: bytes | bytearray | memoryview, from_offset: int, /) -> tuple[int, int, int, int]: ...
def tally_records(data: bytes | bytearray | memoryview, count: int, base_offset: int, from_offset: int, /) -> tuple[int, int] | None: ...
def note_keys(
    data: bytes | bytearray | memoryview, count: int, base_offset: int, from_offset: int, table: bytearray | memoryview, room: int, /
) -> tuple[int, int, bool] | None: ...
def judge(
    data: bytes | bytearray | memoryview, count: int, base_offset: int, table: bytearray | memoryview, latest_offset: int, drops_tombstones: bool, /
) -> tuple[int, int, bytes] | None: ...
def thin(data: bytes | bytearray | memoryview, positions: bytes, before: bytes, /) -> bytes: ...
def walk(data: bytes | bytearray | memoryview, course: bytes, /) -> tuple[int, bytes, bytes, bytes, bytes]: ...
def returns(valid: type[Valid], /) -> None:
    """Name the class of what `quick` returns."""
