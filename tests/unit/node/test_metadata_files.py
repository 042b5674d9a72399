"""The metadata log's files, where two threads are at them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from barnabas.node.metadata_files import MetadataFiles, MetadataLogSettings
from barnabas.node.metadata_start import DIRECTORY
from barnabas.storage.checkpoint_file import LEADER_EPOCH, read_leader_epochs

if TYPE_CHECKING:
    from pathlib import Path


def test_an_epoch_begins_while_the_one_before_is_synced(tmp_path: Path) -> None:
    files = MetadataFiles(str(tmp_path), MetadataLogSettings(), 0)
    with ThreadPoolExecutor(1) as pool:
        for epoch in range(1, 300):
            syncing = pool.submit(files.sync_epochs)
            files.begin_epoch(epoch, epoch)
            syncing.result()
    assert read_leader_epochs(str(tmp_path / DIRECTORY / LEADER_EPOCH))[-1] == (299, 299)
