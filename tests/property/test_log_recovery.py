"""A log cut or scribbled on at any byte recovers to its last whole batch; indexes are rebuilt whatever happened to them (D101, D85, O10, O13)."""

from __future__ import annotations

import shutil
import tempfile
from bisect import bisect_right
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barnabas.storage import batch_scan
from tests.logs import NOW_MS, Replica, batch, marker
from tests.property.examples import examples

if TYPE_CHECKING:
    from collections.abc import Iterator

    Original = tuple[Path, list[tuple[int, int, int]]]


def build(directory: Path) -> tuple[list[tuple[int, int, int]], Replica]:
    """Three segments or more of plain, idempotent and transactional batches over several leader epochs; [(segment base, end position, next offset)]."""
    replica = Replica(directory)
    sequences = {7: 0, 8: 0, 9: 0}
    ends = []
    for number in range(90):
        offset = replica.log.end_offset
        epoch = number // 25
        kind = number % 10
        if kind == 4:
            one = marker(offset, 8, commit=number % 20 == 4, epoch=epoch)
        elif kind in (1, 2, 3):
            one = batch(offset, 2, producer=(8, 0, sequences[8]), transactional=True, epoch=epoch, timestamp=NOW_MS + number * 7)
            sequences[8] += 2
        elif kind in (5, 6):
            one = batch(offset, 1, size=300, producer=(7, 0, sequences[7]), epoch=epoch, timestamp=NOW_MS - number)
            sequences[7] += 1
        else:
            one = batch(offset, 3, size=number, epoch=epoch, timestamp=NOW_MS + number)
        replica.write(one)
        ends.append((replica.log.active_base_offset, replica.log.segments[-1].size, replica.log.end_offset))
    assert len(replica.log.segments) >= 3
    return ends, replica


@pytest.fixture(scope="module")
def original() -> Iterator[Original]:
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="barnabas-", dir=memory if memory.is_dir() else None) as root:
        directory = Path(root) / "original" / "topic-0"
        directory.mkdir(parents=True)
        ends, replica = build(directory)
        replica.log.flush()
        replica.log.close_without_sync()
        yield directory, ends


def expected_end(ends: list[tuple[int, int, int]], base: int, position: int) -> int:
    """The log's end when everything from `position` of that segment on is gone."""
    found = [end for end in ends if (end[0], end[1]) <= (base, position)]
    return found[-1][2] if found and found[-1][0] == base else base


def fresh(original: Path) -> Path:
    copy = original.parent.parent / "copy" / "topic-0"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(original, copy)
    return copy


def twin(directory: Path, ends: list[tuple[int, int, int]], end_offset: int) -> tuple[object, ...]:
    """What the original was when it ended at `end_offset`: truncated there by the ordinary way."""
    copy = directory.parent.parent / "twin" / "topic-0"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(directory, copy)
    for snapshot in copy.glob("*.snapshot"):
        snapshot.unlink()
    replica = Replica(copy, clean=False)
    replica.log.truncate_to(end_offset)
    return replica.state()


@settings(max_examples=examples(75), deadline=None)
@given(data=st.data())
def test_cut_anywhere(data: st.DataObject, original: Original) -> None:
    source, ends = original
    copy = fresh(source)
    log = data.draw(st.sampled_from(sorted(copy.glob("*.log"))))
    position = data.draw(st.integers(0, log.stat().st_size - 1))
    with open(log, "r+b") as file:
        file.truncate(position)
    wanted = expected_end(ends, int(log.stem), position)
    replica = Replica(copy, clean=False)
    assert replica.log.end_offset == wanted
    assert replica.state() == twin(source, ends, wanted)
    replica.fill(3)
    assert replica.offsets()[-3:] == [wanted, wanted + 1, wanted + 2]


@pytest.mark.parametrize("window", [100, 700, 1500, 4000])
def test_read_in_windows_of_any_size(window: int, original: Original, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some windows have a marker or a new epoch, some have neither: producers, epochs and indexes come out the same."""
    source, ends = original
    copy = fresh(source)
    for snapshot in copy.glob("*.snapshot"):
        snapshot.unlink()
    monkeypatch.setattr(batch_scan, "_SURVEY_BYTES", window)
    assert Replica(copy, clean=False).state() == twin(source, ends, ends[-1][2])


@settings(max_examples=examples(75), deadline=None)
@given(data=st.data())
def test_scribbled_anywhere(data: st.DataObject, original: Original) -> None:
    source, ends = original
    copy = fresh(source)
    log = data.draw(st.sampled_from(sorted(copy.glob("*.log"))))
    content = bytearray(log.read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    junk = data.draw(st.binary(min_size=1, max_size=80))
    before = bytes(content)
    content[position : position + len(junk)] = junk
    log.write_bytes(content)
    differs = next((at for at in range(min(len(before), len(content))) if before[at] != content[at]), min(len(before), len(content)))
    replica = Replica(copy, clean=False)
    # A batch's base offset and leader epoch lie outside of its checksum: a change there alone may pass, or end the log.
    wanted = expected_end(ends, int(log.stem), differs)
    if replica.log.end_offset != wanted:
        assert _touches_only_unchecked(before, content, ends, int(log.stem))
    else:
        assert replica.offsets() == [offset for offset in replica.offsets() if offset < wanted]
    replica.fill(2)
    assert replica.offsets()[-1] == replica.log.end_offset - 1


def _touches_only_unchecked(before: bytes, after: bytearray, ends: list[tuple[int, int, int]], base: int) -> bool:
    """Whether the first batch that differs does so only in its first 8 (base offset) or bytes 12 to 16 (leader epoch), or at the file's end."""
    starts = [0, *[end[1] for end in ends if end[0] == base]]
    for at in range(max(len(before), len(after))):
        if at >= len(before) or (at < len(after) and before[at] != after[at]):
            start = starts[bisect_right(starts, at) - 1]
            return at >= len(before) or at - start < 8 or 12 <= at - start < 16
    return True


@settings(max_examples=examples(40), deadline=None)
@given(data=st.data())
def test_torn_tail_beside_a_clean_stop(data: st.DataObject, original: Original) -> None:
    """The file that promises a clean stop may lie (D85): the active segment's end is checked all the same."""
    source, ends = original
    copy = fresh(source)
    Replica(copy, clean=False).log.close()
    log = max(copy.glob("*.log"))
    position = data.draw(st.integers(0, log.stat().st_size))
    before = log.read_bytes()
    after = before[:position] + data.draw(st.binary(max_size=70))
    log.write_bytes(after)
    wanted = expected_end(ends, int(log.stem), sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False))))
    replica = Replica(copy, clean=True)
    assert replica.log.end_offset == wanted
    replica.fill(3)
    assert replica.offsets()[-3:] == [wanted, wanted + 1, wanted + 2]


@settings(max_examples=examples(40), deadline=None)
@given(data=st.data())
def test_indexes_whatever_happened_to_them(data: st.DataObject, original: Original) -> None:
    source, _ = original
    copy = fresh(source)
    untouched = Replica(fresh(source), clean=False)
    wanted = untouched.state()
    clean = data.draw(st.booleans())
    if clean:
        untouched.log.close()
    for path in sorted(copy.glob("*index")):
        what = data.draw(st.sampled_from(["keep", "remove", "zeroes", "empty"]))
        if what == "remove":
            path.unlink()
        elif path.suffix != ".txnindex" or not clean:
            if what == "zeroes":
                path.write_bytes(bytes(960))
            elif what == "empty":
                path.write_bytes(b"")
    replica = Replica(copy, clean=clean)
    if clean:  # an empty index, and a transaction index that is gone, are as good as true after a clean stop, for Apache Kafka too
        assert replica.offsets() == wanted[-1]
    else:
        assert replica.state() == wanted
    for offset in (0, 5, 50, replica.log.end_offset - 1):
        first = replica.headers(offset)[0]
        assert first.base_offset <= offset <= first.last_offset


@pytest.mark.parametrize("content", [None, b"", b"junk\n", b"0\n5\n0 0\n"])
def test_lost_epochs_come_back_from_headers(content: bytes | None, original: Original) -> None:
    source, _ = original
    copy = fresh(source)
    replica = Replica(copy, clean=False)
    wanted = replica.epochs.entries
    replica.log.close()
    path = copy / "leader-epoch-checkpoint"
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    assert Replica(copy, clean=True).epochs.entries == wanted
    assert path.read_text() == "0\n" + f"{len(wanted)}\n" + "".join(f"{epoch} {start}\n" for epoch, start in wanted)


def test_cut_at_every_byte(original: Original) -> None:
    """Thousands of cuts, one a byte of a segment; what is left of its indexes doesn't matter."""
    source, ends = original
    segment = min(source.glob("*.log"))
    data = segment.read_bytes()
    assert len(data) > 3000
    copy = source.parent.parent / "every" / "topic-0"
    for position in range(len(data)):
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir(parents=True)
        (copy / segment.name).write_bytes(data[:position])
        replica = Replica(copy, clean=False)
        assert (position, replica.log.end_offset) == (position, expected_end(ends, int(segment.stem), position))
        replica.log.close_without_sync()
