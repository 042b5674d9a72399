"""An Apache broker under our controller: it follows the metadata log, by batches and from a snapshot, leads, and leaves in order (Q3, Q31, Q40, Q43, C11-C30)."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from barnabas.node.router import SERVED
from barnabas.storage.meta_properties import read_meta_properties
from tests import nodes
from tests.apache import release

if TYPE_CHECKING:
    from collections.abc import Callable

    NodeFactory = Callable[..., nodes.Node]

pytestmark = [
    pytest.mark.apache,
    pytest.mark.node,
    pytest.mark.skipif("FetchSnapshot" not in SERVED, reason="the controllers' listener doesn't serve replicas yet"),
]


def apache_broker(folder: Path, controller: nodes.Node, broker_id: int) -> nodes.Node:
    """A formatted broker of Apache's that looks for its controllers where `controller` is."""
    cluster_id = read_meta_properties(str(controller.log_dir)).cluster_id
    assert cluster_id is not None
    port = nodes.free_port()
    properties = controller.properties | {
        "process.roles": "broker",
        "node.id": str(broker_id),
        "listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "log.dirs": str(folder / "log"),
    }
    folder.mkdir()
    path = nodes.write_properties(folder / "server.properties", properties)
    release.run_tool("kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(path))
    return nodes.Node(nodes.APACHE, path)


def topics(node: nodes.Node, *arguments: str) -> str:
    return release.run_tool("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", node.bootstrap, *arguments).stdout


@pytest.mark.parametrize("bytes_between_snapshots", ["500", "20000000"], ids=["snapshot", "log"])
def test_an_apache_broker_joins_leads_and_leaves(
    bytes_between_snapshots: str, barnabas_nodes: NodeFactory, apache_libs: Path, tmp_path: Path
) -> None:
    controller = barnabas_nodes({"metadata.log.max.record.bytes.between.snapshots": bytes_between_snapshots})
    if bytes_between_snapshots == "500":
        deadline = time.monotonic() + 20
        while len(list((controller.log_dir / "__cluster_metadata-0").glob("*.checkpoint"))) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    broker = apache_broker(tmp_path / "broker", controller, 2)
    try:
        broker.start()
        quorum = release.run_tool(
            "org.apache.kafka.tools.MetadataQuorumCommand", "--bootstrap-controller", controller_address(controller), "describe", "--replication"
        ).stdout
        assert re.search(r"^2\s.*Observer", quorum, re.MULTILINE), quorum
        topics(controller, "--create", "--topic", "shared", "--replica-assignment", "1,2")
        described = topics(controller, "--describe", "--topic", "shared")
        assert re.search(r"Partition: 1\s+Leader: 2", described), described
        assert broker.stop() in (0, 143)
        assert re.search(r"Partition: 1\s+Leader: none", topics(controller, "--describe", "--topic", "shared"))
    finally:
        broker.kill()


def controller_address(node: nodes.Node) -> str:
    return node.properties["controller.quorum.bootstrap.servers"]
