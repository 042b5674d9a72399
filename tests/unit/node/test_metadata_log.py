"""The metadata log on a real directory: formatted, led, appended to, loaded again, snapshot, cleaned, refused (D22-D32, D39-D42, Q10, Q28, O9)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from barnabas.core.quorum.quorum import QuorumRefused
from barnabas.core.quorum.voters import Endpoint, Voter, VoterSet
from barnabas.node.loop import Loop
from barnabas.node.metadata_batches import MetadataBatch
from barnabas.node.metadata_files import MetadataLogSettings
from barnabas.node.metadata_loader import MetadataLoader
from barnabas.node.metadata_log import MetadataLog
from barnabas.node.metadata_snapshots import SnapshotRules
from barnabas.node.metadata_start import DIRECTORY, MetadataLogRefused, bootstrap_records, refuse_second_log, require_way_in
from barnabas.storage.format import FormatOrder, InitialController, format_directories
from barnabas.storage.meta_properties import read_meta_properties
from barnabas.storage.metadata_snapshot import BOOTSTRAP, SnapshotError, SnapshotId
from barnabas.storage.quorum_state import QuorumStateError, StoredQuorumState, read_quorum_state
from barnabas.wire.logs.cluster_metadata import NoOpRecord, TopicRecord
from barnabas.wire.logs.raft import KRaftVersionRecord, LeaderChangeMessage, VotersRecord
from barnabas.wire.schema import Message

DIRECTORY_ID = b"d" * 16
LOCAL = Voter(1, DIRECTORY_ID, (Endpoint("CONTROLLER", "localhost", 9093),))
STATIC = VoterSet([Voter(1)])


class Listener:
    """What a controller and an image loader would hear."""

    def __init__(self) -> None:
        self.loader = MetadataLoader()
        self.appended_batches: list[MetadataBatch] = []
        self.heard: list[tuple[object, ...]] = []

    def load_snapshot(self, records: Iterator[Message], last_offset: int, epoch: int, timestamp_ms: int) -> None:
        self.loader.load_snapshot(records, last_offset, epoch, timestamp_ms)
        self.heard.append(("snapshot", last_offset, epoch))

    def loaded(self, batch: MetadataBatch) -> None:
        self.loader.replay(batch)
        self.heard.append(("loaded", batch.base_offset, batch.last_offset, batch.epoch))

    def appended(self, batch: MetadataBatch) -> None:
        self.appended_batches.append(batch)
        self.heard.append(("appended", batch.base_offset, batch.last_offset, batch.epoch))

    def committed(self, last_offset: int, batches: Sequence[MetadataBatch]) -> None:
        for batch in batches:
            self.loader.replay(batch)
        self.loader.publish()
        self.heard.append(("committed", last_offset))

    def leading(self, epoch: int) -> None:
        self.heard.append(("leading", epoch))

    def resigned(self, epoch: int) -> None:
        self.heard.append(("resigned", epoch))

    def leader_changed(self, leader_id: int, epoch: int) -> None:
        pass


class Host:
    """A metadata log with its control thread, which is this test's own."""

    def __init__(self, directory: Path, *, static: VoterSet | None = None, settings: MetadataLogSettings | None = None, start: bool = True) -> None:
        self.listener = Listener()
        self.loop = Loop("control", self.failed)
        self.failures: list[BaseException] = []
        self.now_ms = 1_000_000
        arguments = (self.listener, self.loop, lambda: self.now_ms, self.failed)
        self.log = MetadataLog(str(directory), LOCAL, static or VoterSet(), settings or MetadataLogSettings(), *arguments, cluster_id="c")
        if start:
            self.log.start()
            self.loop.start()
            self.log.run()

    def failed(self, error: BaseException) -> None:
        self.failures.append(error)

    def append(self, *records: Message) -> int:
        """Append on the control thread and wait for the commit."""
        offsets: list[int] = []
        self.loop.call(lambda: offsets.append(self.log.append(records, lambda record: 0)))
        self.until(lambda: bool(offsets) and ("committed", offsets[0]) in self.listener.heard)
        return offsets[0]

    def until(self, condition: object) -> None:
        deadline = time.monotonic() + 10
        while not condition():  # type: ignore[operator]
            assert not self.failures, self.failures
            assert time.monotonic() < deadline
            time.sleep(0.001)

    def stop(self) -> None:
        self.loop.call(self.log.stop)
        self.until(lambda: ("resigned", self.log.quorum.epoch) in self.listener.heard)
        self.loop.stop()
        self.loop.join(10)


def topic(number: int) -> TopicRecord:
    return TopicRecord(name=f"t{number}", topic_id=number.to_bytes(16, "big"))


def formatted(directory: Path) -> Path:
    controllers = [InitialController(1, "localhost", 9093, DIRECTORY_ID)]
    order = FormatOrder(1, "c", [str(directory)], str(directory), "CONTROLLER", dynamic_quorum=True, controllers=controllers)
    format_directories(order, 1, str)
    return directory


def files(directory: Path) -> set[str]:
    return set(os.listdir(directory / DIRECTORY))


def test_a_formatted_directory_is_led_and_holds_its_voters(tmp_path: Path) -> None:
    host = Host(formatted(tmp_path))
    assert host.listener.heard == [("appended", 0, 2, 1), ("committed", 2), ("leading", 1)]
    assert [type(control) for _, control in host.listener.appended_batches[0].controls] == [LeaderChangeMessage, KRaftVersionRecord, VotersRecord]
    assert host.append(topic(1), topic(2)) == 4
    assert sorted(host.listener.loader.image.topics.by_name) == ["t1", "t2"]
    assert host.log.kraft_version == 1
    assert read_quorum_state(str(tmp_path / DIRECTORY)) == StoredQuorumState(1, 1)
    host.stop()
    assert {"partition.metadata", "quorum-state", "leader-epoch-checkpoint", f"{0:020d}.log", BOOTSTRAP.file_name} <= files(tmp_path)
    assert (tmp_path / DIRECTORY / "partition.metadata").read_text() == "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ"
    assert (tmp_path / DIRECTORY / "leader-epoch-checkpoint").read_text() == "0\n1\n1 0\n"


def test_the_next_run_loads_it_and_has_a_new_epoch(tmp_path: Path) -> None:
    for _ in range(2):
        host = Host(formatted(tmp_path) if not (tmp_path / "meta.properties").exists() else tmp_path)
        host.append(topic(host.log.end_offset))
        host.stop()
    host = Host(tmp_path)
    assert host.listener.heard[:4] == [("loaded", 0, 2, 1), ("loaded", 3, 3, 1), ("loaded", 4, 4, 2), ("loaded", 5, 5, 2)]
    assert host.listener.heard[4:] == [("appended", 6, 6, 3), ("committed", 6), ("leading", 3)]
    assert sorted(host.listener.loader.image.topics.by_name) == ["t3", "t5"]
    host.stop()


def test_a_static_quorum_writes_version_0(tmp_path: Path) -> None:
    host = Host(tmp_path, static=STATIC)
    assert host.listener.heard[0] == ("appended", 0, 0, 1) and host.log.kraft_version == 0
    host.stop()
    assert '"currentVoters":[{"voterId":1}],"data_version":0}' in (tmp_path / DIRECTORY / "quorum-state").read_text()


def test_junk_at_the_end_is_cut(tmp_path: Path) -> None:
    host = Host(tmp_path, static=STATIC)
    host.append(topic(1))
    host.stop()
    with open(tmp_path / DIRECTORY / f"{0:020d}.log", "ab") as log:
        log.write(b"x" * 37)
    host = Host(tmp_path, static=STATIC)
    assert host.append(topic(2)) == 3
    host.stop()


@pytest.mark.parametrize("junk", [b"junk\n", b"", b"0\n9\n1 0\n"])
def test_a_damaged_epoch_checkpoint_is_made_anew(tmp_path: Path, junk: bytes) -> None:
    host = Host(tmp_path, static=STATIC)
    host.append(topic(1))
    host.stop()
    (tmp_path / DIRECTORY / "leader-epoch-checkpoint").write_bytes(junk)
    host = Host(tmp_path, static=STATIC)
    host.append(topic(2))
    host.stop()
    assert (tmp_path / DIRECTORY / "leader-epoch-checkpoint").read_text() == "0\n2\n1 0\n2 2\n"


def test_a_failed_snapshot_costs_nothing_else(tmp_path: Path) -> None:
    host = Host(formatted(tmp_path))
    failures: list[BaseException] = []
    host.log.on_snapshot_failure = failures.append
    host.loop.call(lambda: host.log.append(bootstrap_records(str(tmp_path)), lambda record: 0))
    host.append(topic(1))
    image = host.listener.loader.image
    broken = image._replace(scram={(1, "u"): None})  # type: ignore[dict-item]
    host.loop.call(host.log.snapshot, broken)
    host.until(lambda: bool(failures))
    host.loop.call(host.log.snapshot, image)
    host.until(lambda: len(host.log.snapshots.ids) == 2)
    host.append(topic(2))
    host.stop()
    assert not any(".part" in name for name in files(tmp_path))


def test_a_killed_run_lost_nothing_committed(tmp_path: Path) -> None:
    host = Host(tmp_path, static=STATIC)
    host.append(topic(1))
    image = Host(tmp_path, static=STATIC)  # the first one was never stopped
    assert image.listener.heard[:2] == [("loaded", 0, 0, 1), ("loaded", 1, 1, 1)] and image.log.quorum.epoch == 2
    image.stop()


def test_appends_while_the_disk_is_busy_share_a_sync(tmp_path: Path) -> None:
    host = Host(tmp_path, static=STATIC)
    host.loop.call(lambda: [host.log.append([NoOpRecord()], lambda record: 0) for _ in range(50)])
    host.until(lambda: ("committed", 50) in host.listener.heard)
    assert sum(event[0] == "committed" for event in host.listener.heard) <= 4
    host.stop()


def test_a_snapshot_is_written_and_loaded(tmp_path: Path) -> None:
    host = Host(formatted(tmp_path))
    host.loop.call(lambda: host.log.append(bootstrap_records(str(tmp_path)), lambda record: 0))
    offset = host.append(topic(1))
    host.loop.call(host.log.snapshot, host.listener.loader.image)
    host.until(lambda: host.log.snapshots.latest == SnapshotId(epoch=1, offset=offset + 1))
    host.append(topic(2))
    host.stop()
    (tmp_path / DIRECTORY / BOOTSTRAP.file_name).unlink()
    again = Host(tmp_path)
    assert again.listener.heard[:2] == [("snapshot", offset, 1), ("loaded", offset + 1, offset + 1, 1)]
    assert sorted(again.listener.loader.image.topics.by_name) == ["t1", "t2"] and again.log.kraft_version == 1
    again.stop()


def test_a_snapshot_beyond_the_log_replaces_it(tmp_path: Path) -> None:
    host = Host(formatted(tmp_path))
    host.loop.call(lambda: host.log.append(bootstrap_records(str(tmp_path)), lambda record: 0))
    offset = host.append(topic(1))
    host.loop.call(host.log.snapshot, host.listener.loader.image)
    host.until(lambda: len(host.log.snapshots.ids) == 2)
    host.stop()
    (snapshot,) = [name for name in files(tmp_path) if name.endswith(".checkpoint") and name != BOOTSTRAP.file_name]
    os.rename(tmp_path / DIRECTORY / snapshot, tmp_path / DIRECTORY / SnapshotId(5, 1000).file_name)
    again = Host(tmp_path)
    assert again.listener.heard[0] == ("snapshot", 999, 5) and again.log.start_offset == 1000 and offset < 999
    assert again.listener.heard[1] == ("appended", 1000, 1000, 6)
    again.stop()


def test_a_snapshot_that_is_ready_after_a_younger_one_was_fetched_counts_for_nothing(tmp_path: Path) -> None:
    """The log begins behind it by then: a replica that were sent to it for what is gone would be sent to it again and again."""
    host = Host(formatted(tmp_path))
    host.loop.call(lambda: host.log.append(bootstrap_records(str(tmp_path)), lambda record: 0))
    first = SnapshotId(1, host.append(topic(1)) + 1)
    host.loop.call(host.log.snapshot, host.listener.loader.image)
    host.until(lambda: host.log.snapshots.latest == first)
    fetched, late = SnapshotId(1, 1000), SnapshotId(1, host.append(topic(2)) + 1)

    def fetch_meanwhile() -> None:
        host.log.snapshot(host.listener.loader.image)
        host.log._files.write_piece(fetched, 0, Path(host.log.snapshots.path(first)).read_bytes())
        host.log.quorum.log.restart_at(*fetched)
        host.log._files.install(fetched, host.now_ms)

    host.loop.call(fetch_meanwhile)
    host.until(lambda: f"{late.file_name}.deleted" in files(tmp_path))
    assert host.log.snapshots.ids == [fetched]
    assert host.log.quorum.log.snapshots == [fetched]
    host.loop.stop()
    assert host.loop.join(10) and not host.failures


def test_old_snapshots_go_with_the_head_of_the_log(tmp_path: Path) -> None:
    rules = SnapshotRules(max_bytes_between=1, max_retention_bytes=1, delete_delay_ms=0)
    host = Host(formatted(tmp_path), settings=MetadataLogSettings(segment_bytes=400, snapshots=rules))
    host.loop.call(lambda: host.log.append(bootstrap_records(str(tmp_path)), lambda record: 0))
    for number in range(1, 20):
        host.append(topic(number))
        before = len(host.log.snapshots.ids)
        host.loop.call(host.log.maybe_snapshot, host.listener.loader.image)
        host.until(lambda before=before: len(host.log.snapshots.ids) > before)
    host.loop.call(host.log.clean)
    host.until(lambda: len(host.log.snapshots.ids) == 1)
    host.until(lambda: host.log.start_offset == host.log.end_offset)
    host.loop.call(host.log.clean)
    host.append(NoOpRecord())
    assert len([name for name in files(tmp_path) if "checkpoint" in name and name[0] == "0"]) == 1
    assert f"{0:020d}.log" not in files(tmp_path)
    host.stop()
    again = Host(tmp_path)
    assert len(again.listener.loader.image.topics.by_name) == 19
    again.stop()
    for name in files(tmp_path):
        if name.endswith(".checkpoint"):
            (tmp_path / DIRECTORY / name).unlink()
    with pytest.raises(SnapshotError, match="no snapshot"):
        Host(tmp_path, start=False)


def test_refusals_name_the_reason(tmp_path: Path) -> None:
    host = Host(formatted(tmp_path))
    host.stop()
    (tmp_path / DIRECTORY / "x.checkpoint").touch()
    with pytest.raises(SnapshotError, match=r"x\.checkpoint"):
        Host(tmp_path)
    (tmp_path / DIRECTORY / "x.checkpoint").unlink()
    state = (tmp_path / DIRECTORY / "quorum-state").read_bytes()
    (tmp_path / DIRECTORY / "quorum-state").write_text("junk")
    with pytest.raises(QuorumStateError, match="quorum-state"):
        Host(tmp_path)
    (tmp_path / DIRECTORY / "quorum-state").write_bytes(state)
    with pytest.raises(MetadataLogRefused, match="belongs into"):
        refuse_second_log([str(tmp_path), "/elsewhere"], "/elsewhere")


def test_a_quorum_that_cannot_be_found_is_refused_with_the_reason() -> None:
    with pytest.raises(QuorumRefused, match="format"):
        require_way_in(LOCAL, VoterSet(), has_bootstrap=False)
    with pytest.raises(QuorumRefused, match=r"directory\.id"):
        require_way_in(LOCAL, VoterSet([Voter(1, b"x" * 16)]), has_bootstrap=True)
    with pytest.raises(QuorumRefused, match=r"process\.roles=broker,controller"):
        require_way_in(LOCAL, VoterSet([Voter(1, DIRECTORY_ID)]), has_bootstrap=True, is_controller=False)
    for voters in ([Voter(1), Voter(2), Voter(3)], [Voter(2)]):
        require_way_in(LOCAL, VoterSet(voters), has_bootstrap=False, is_controller=False)
    for voters in ([Voter(1), Voter(2), Voter(3)], [Voter(2)], [Voter(1, DIRECTORY_ID)]):
        require_way_in(LOCAL, VoterSet(voters), has_bootstrap=False)
    require_way_in(LOCAL, VoterSet(), has_bootstrap=True)


def test_a_record_of_a_newer_release_stops_the_start(tmp_path: Path) -> None:
    from barnabas.wire.records.builder import build_batch
    from barnabas.wire.records.record import Record

    host = Host(tmp_path, static=STATIC)
    host.stop()
    with open(tmp_path / DIRECTORY / f"{0:020d}.log", "ab") as log:
        log.write(build_batch([Record(timestamp=1, value=b"\x01\x7f\x00\x00")], base_offset=1, leader_epoch=1))
    with pytest.raises(MetadataLogRefused, match=r"offset 1: .*type 127"):
        Host(tmp_path, static=STATIC)


def test_quorum_is_described(tmp_path: Path) -> None:
    host = Host(formatted(tmp_path))
    described: list[object] = []
    host.loop.call(lambda: described.append(host.log.describe()))
    host.until(lambda: bool(described))
    found = described[0]
    assert found is not None and (found.leader_id, found.leader_epoch, found.high_watermark) == (1, 1, 3)  # type: ignore[attr-defined]
    host.stop()
    assert read_meta_properties(str(tmp_path)).directory_id == DIRECTORY_ID


def test_no_ops_are_read_as_one_run(tmp_path: Path) -> None:
    host = Host(tmp_path, static=STATIC)
    for _ in range(5):
        host.append(NoOpRecord())
    host.stop()
    end_offset = host.log.end_offset
    again = Host(tmp_path, static=STATIC)
    assert again.listener.heard[:2] == [("loaded", 0, 0, 1), ("loaded", 1, end_offset - 1, 1)]
    again.stop()


def test_what_is_appended_on_leading_is_committed_when_start_returns(tmp_path: Path) -> None:
    host = Host(tmp_path, static=STATIC, start=False)
    host.listener.leading = lambda epoch: host.log.append([topic(1)], lambda record: 0)  # type: ignore[method-assign, assignment, return-value]
    host.log.start()
    assert host.listener.heard[-1] == ("committed", 1)
    host.log.stop()
