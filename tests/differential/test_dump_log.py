"""Apache Kafka's own DumpLogSegments reads what the log writes: batches, records, the three indexes and producer snapshots (D45-D63, T5, T7)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.differential.tools import by_apache
from tests.logs import NOW_MS, SMALL, Replica, batch, marker

pytestmark = pytest.mark.apache


@pytest.fixture(scope="module")
def written(apache_libs: Path, tmp_path_factory: pytest.TempPathFactory) -> Replica:
    directory = tmp_path_factory.mktemp("dump") / "topic-0"
    directory.mkdir()
    replica = Replica(directory, SMALL._replace(segment_bytes=20_000))
    sequences = {7: 0, 8: 0, 9: 0}
    for number in range(300):
        offset = replica.log.end_offset
        producer = 7 + number % 3
        if number % 10 == 9:
            replica.write(marker(offset, 8 + number // 10 % 2, commit=number % 4 == 1, epoch=number // 100))
        elif producer == 7:
            replica.write(batch(offset, 2, producer=(7, 0, sequences[7]), epoch=number // 100, timestamp=NOW_MS + number * 1000))
            sequences[7] += 2
        else:
            one = batch(offset, 1, size=number, producer=(producer, 0, sequences[producer]), transactional=True, epoch=number // 100)
            replica.write(one)
            sequences[producer] += 1
    assert len(replica.log.segments) > 2
    replica.log.close()
    return replica


def files(replica: Replica, suffix: str) -> str:
    found = sorted(str(path) for path in Path(replica.log.directory).glob(f"*{suffix}"))
    assert found
    return ",".join(found)


def dump(paths: str, *options: str) -> str:
    done = by_apache("kafka-dump-log", "--files", paths, *options)
    assert done.status == 0, done
    # The tool expects every file to begin at offset 0, and says so of later segments.
    said = re.sub(r"Non-consecutive offsets in \S+\n(  -1 is followed by \d+\n)", "", done.output + "".join(f"{line}\n" for line in done.complaints))
    assert not re.search(r"mismatch|corrupt|invalid|exception|non-consecutive|out of order|can't|could not", said, re.IGNORECASE), said[-3000:]
    return done.output


def test_batches_and_records(written: Replica) -> None:
    said = dump(files(written, ".log"), "--deep-iteration")
    bases = [int(found) for found in re.findall(r"baseOffset: (\d+) ", said)]
    assert bases == written.offsets(0)
    assert "isvalid: false" not in said


@pytest.mark.parametrize("option", ["--index-sanity-check", "--verify-index-only"])
def test_indexes(written: Replica, option: str) -> None:
    said = dump(files(written, ".index"), option)
    if option == "--index-sanity-check":
        assert said.count("passed sanity check") == len(written.log.segments)


@pytest.mark.parametrize("option", ["--index-sanity-check", "--verify-index-only"])
def test_time_indexes(written: Replica, option: str) -> None:
    dump(files(written, ".timeindex"), option)


def test_entries_point_at_batches(written: Replica) -> None:
    """At batches' starts, under their last offsets."""
    said = dump(files(written, ".index"))
    entries = [(int(offset), int(position)) for offset, position in re.findall(r"offset: (\d+) position: (\d+)", said)]
    headers = {header.last_offset: header for header in written.headers(0)}
    assert len(entries) > 20
    assert all(offset in headers for offset, position in entries if position)


def test_aborted_transactions(written: Replica) -> None:
    said = dump(files(written, ".txnindex"))
    found = [tuple(map(int, row)) for row in re.findall(r"producerId: (\d+) firstOffset: (\d+) lastOffset: (\d+) lastStableOffset: (\d+)", said)]
    assert found == [tuple(aborted) for aborted in written.log.aborted_transactions(0, written.log.end_offset)]
    assert len(found) > 3


def test_producers(written: Replica) -> None:
    path = max(Path(written.log.directory).glob("*.snapshot"))
    assert int(path.stem) == written.log.end_offset
    said = dump(str(path))
    pattern = r"producerId: (\d+) producerEpoch: (\d+) coordinatorEpoch: (-?\d+) .* lastTimestamp: (\d+) firstSequence: (\d+) lastSequence: (\d+)"
    found = {int(row[0]): tuple(map(int, row[1:])) for row in re.findall(pattern, said)}
    wanted = {
        entry.producer_id: (
            entry.producer_epoch,
            entry.coordinator_epoch,
            entry.timestamp,
            entry.last_sequence - entry.offset_delta,
            entry.last_sequence,
        )
        for entry in written.producers.entries()
    }
    assert found == wanted, said
