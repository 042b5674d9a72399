"""The metadata log's files, where two threads are at them."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from barnabas.node.metadata_batches import data_batches
from barnabas.node.metadata_files import MetadataFiles, MetadataLogSettings
from barnabas.node.metadata_start import DIRECTORY
from barnabas.storage.checkpoint_file import LEADER_EPOCH, read_leader_epochs
from barnabas.wire.logs.cluster_metadata import TopicRecord


def test_an_epoch_begins_while_the_one_before_is_synced(tmp_path: Path) -> None:
    files = MetadataFiles(str(tmp_path), MetadataLogSettings(), 0)
    with ThreadPoolExecutor(1) as pool:
        for epoch in range(1, 300):
            syncing = pool.submit(files.sync_epochs)
            files.begin_epoch(epoch, epoch)
            syncing.result()
    assert read_leader_epochs(str(tmp_path / DIRECTORY / LEADER_EPOCH))[-1] == (299, 299)


def test_cut_while_it_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is appended to an older segment afterwards is synced, whatever the sync that was under way had got to."""
    files = MetadataFiles(str(tmp_path), MetadataLogSettings(segment_bytes=4096), 0)

    def append(count: int) -> None:
        for _ in range(count):
            files.append(data_batches([TopicRecord(name="t" * 100)], lambda record: 0, files.end_offset, 1, 0))

    def names() -> list[str]:
        return sorted(path.name for path in (tmp_path / DIRECTORY).glob("*.log"))

    append(10)
    first = names()
    append(40)
    assert len(names()) > 1
    synced: list[str] = []
    sync = os.fdatasync

    def fdatasync(descriptor: int) -> None:
        sync(descriptor)
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        if len(synced) == 1:
            files.truncate(5)

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    files.sync()
    assert names() == first
    synced.clear()
    append(1)
    files.sync()
    assert synced == first
