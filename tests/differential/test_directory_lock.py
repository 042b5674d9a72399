"""One log directory, one node, whichever engine (D4, D84, M13)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from barnabas.storage.clean_shutdown import read_broker_epoch
from barnabas.storage.directory_lock import DirectoryLock, DirectoryLockedError
from barnabas.storage.log_directory import LogDirectory

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests import nodes

    NodeFactory = Callable[..., nodes.Node]

pytestmark = [pytest.mark.apache, pytest.mark.node]


def test_the_engines_keep_each_other_out(apache_nodes: NodeFactory, apache_libs: Path) -> None:
    node = apache_nodes()
    with pytest.raises(DirectoryLockedError, match="is using"):
        DirectoryLock(str(node.log_dir))
    assert node.stop() in (0, 143)
    epoch = read_broker_epoch(str(node.log_dir))
    assert epoch is not None and epoch > 0
    ours = LogDirectory(str(node.log_dir))
    try:
        assert ours.was_clean and ours.broker_epoch == epoch and ours.repaired == []
        process = node.spawn()
        assert process.wait(60) != 0
        assert "Failed to acquire lock" in node.tail(20_000)
        ours.begin_loading()
    finally:
        ours.close(clean_broker_epoch=epoch)
    node.process = None
    node.start()
    assert not (node.log_dir / ".kafka_cleanshutdown").exists()
