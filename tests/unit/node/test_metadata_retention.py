"""The metadata log's keys that a running node acts on once a minute, and those that take megabytes: asked of the log itself, as a file sets it up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from barnabas.node.config.node_config import Given, node_config
from barnabas.node.lifecycle import _metadata_settings
from barnabas.node.metadata_start import bootstrap_records
from barnabas.wire.logs.cluster_metadata import ConfigRecord, NoOpRecord
from tests.unit.node.test_metadata_log import Host, files, formatted, topic

if TYPE_CHECKING:
    from pathlib import Path

FILE = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.voters": "1@localhost:9093",
    "listeners": "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
}
KEEP = {"metadata.max.retention.bytes": "-1", "metadata.max.retention.ms": "-1", "metadata.log.max.record.bytes.between.snapshots": "1"}


def host_under(directory: Path, keys: dict[str, str]) -> Host:
    return Host(formatted(directory), settings=_metadata_settings(node_config([Given(key, text, "") for key, text in {**FILE, **keys}.items()])))


def snapshots_after(directory: Path, keys: dict[str, str]) -> tuple[int, int]:
    """Three snapshots are made and cleaned: how many the log has then, and how many files of old ones are still there."""
    host = host_under(directory, keys)
    host.loop.call(lambda: host.log.append(bootstrap_records(str(directory)), lambda record: 0))
    try:
        for number in range(1, 4):
            host.append(topic(number))
            before = len(host.log.snapshots.ids)
            host.loop.call(host.log.maybe_snapshot, host.listener.loader.image)
            host.until(lambda before=before: len(host.log.snapshots.ids) > before)
            host.now_ms += 60_000
        for _ in range(2):
            host.loop.call(host.log.clean)
            host.append(NoOpRecord())
        return len(host.log.snapshots.ids), sum(name.endswith(".checkpoint.deleted") for name in files(directory))
    finally:
        host.stop()


@pytest.mark.parametrize(
    ("keys", "left", "doomed"),
    [
        ({}, 4, 0),
        ({"metadata.max.retention.bytes": "1", "internal.metadata.delete.delay.millis": "0"}, 1, 0),
        ({"metadata.max.retention.ms": "1000", "internal.metadata.delete.delay.millis": "0"}, 1, 0),
        ({"metadata.max.retention.bytes": "1", "internal.metadata.delete.delay.millis": "3600000"}, 1, 3),
    ],
)
def test_old_snapshots(tmp_path: Path, keys: dict[str, str], left: int, doomed: int) -> None:
    assert snapshots_after(tmp_path, {**KEEP, **keys}) == (left, doomed)


@pytest.mark.parametrize(("size", "segments"), [("8388608", 2), ("1073741824", 1)])
def test_segments(tmp_path: Path, size: str, segments: int) -> None:
    host = host_under(tmp_path, {"metadata.log.segment.bytes": size})
    for number in range(4):
        host.append(*(ConfigRecord(resource_type=2, resource_name=f"t{number}", name=f"x{each}", value="y" * 30_000) for each in range(100)))
    host.stop()
    assert sum(name.endswith(".log") for name in files(tmp_path)) == segments
