"""A metadata log cut or damaged anywhere is continued from its last whole batch, with a new epoch (D24, D37, O9)."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from barnabas.core.quorum.voters import Voter, VoterSet
from barnabas.node.loop import Loop
from barnabas.node.metadata_batches import MetadataBatch
from barnabas.node.metadata_files import MetadataLogSettings
from barnabas.node.metadata_log import MetadataLog
from barnabas.node.metadata_start import DIRECTORY
from barnabas.wire.logs.cluster_metadata import NoOpRecord, TopicRecord
from barnabas.wire.records.batch import iterate_headers
from barnabas.wire.schema import Message
from tests.property.examples import examples

STATIC = VoterSet([Voter(1)])


class Recorder:
    def __init__(self) -> None:
        self.ends: list[int] = []
        self.committed_offset = -1

    def load_snapshot(self, records: Iterator[Message], last_offset: int, epoch: int, timestamp_ms: int) -> None:
        raise AssertionError

    def loaded(self, batch: MetadataBatch) -> None:
        self.ends.append(batch.last_offset + 1)

    def appended(self, batch: MetadataBatch) -> None:
        pass

    def committed(self, last_offset: int, batches: Sequence[MetadataBatch]) -> None:
        self.committed_offset = last_offset

    def leading(self, epoch: int) -> None:
        pass

    def resigned(self, epoch: int) -> None:
        pass

    def leader_changed(self, leader_id: int, epoch: int) -> None:
        pass


def opened(folder: Path) -> tuple[MetadataLog, Recorder]:
    recorder = Recorder()
    log = MetadataLog(str(folder), Voter(1, b"d" * 16), STATIC, MetadataLogSettings(), recorder, Loop("control"), lambda: 1_000, print)
    return log, recorder


def written(folder: Path) -> bytes:
    log, _ = opened(folder)
    log.start()
    for number in range(12):
        record = NoOpRecord() if number % 3 else TopicRecord(name=f"t{number}", topic_id=number.to_bytes(16, "big"))
        log.append([record] * (1 + number % 2), lambda record: 0)
    log.stop()
    return (folder / DIRECTORY / f"{0:020d}.log").read_bytes()


@settings(max_examples=examples(30), deadline=None)
@given(st.data())
def test_any_cut_is_survived(data: st.DataObject) -> None:
    folder = Path(tempfile.mkdtemp(prefix="barnabas-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    try:
        whole = written(folder)
        cut = data.draw(st.integers(0, len(whole)))
        tail = data.draw(st.one_of(st.just(b""), st.binary(max_size=80), st.just(bytes(100))))
        damaged = whole[:cut] + tail
        (folder / DIRECTORY / f"{0:020d}.log").write_bytes(damaged)
        places = [(position, position + header.size, header.next_offset) for position, header in iterate_headers(whole)]
        kept = [next_offset for start, end, next_offset in places if damaged[start:end] == whole[start:end]]  # zeros may complete a cut batch
        log, recorder = opened(folder)
        assert log.end_offset == (kept[-1] if kept else 0)
        assert (recorder.ends[-1] if recorder.ends else 0) == log.end_offset
        log.start()
        assert log.quorum.epoch == 2 and recorder.committed_offset == log.end_offset - 1
        log.stop()
        _, again = opened(folder)
        assert again.ends[-1] == recorder.committed_offset + 1
    finally:
        shutil.rmtree(folder)
