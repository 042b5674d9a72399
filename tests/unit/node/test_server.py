"""What a node tells its parts of the metadata, while that changes."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

import pytest

from barnabas.core.metadata.delta import MetadataDelta
from barnabas.core.metadata.image import EMPTY, MetadataImage
from barnabas.node.config.node_config import read_node_config
from barnabas.node.console_log import ConsoleLog
from barnabas.node.server import Node
from barnabas.wire.logs.cluster_metadata import ConfigRecord
from tests.nodes import combined_properties, write_properties

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROUNDS = 300
TOPICS = [f"t{number}" for number in range(20)]


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def with_minimum(replicas: int) -> MetadataImage:
    delta = MetadataDelta(EMPTY)
    for topic in TOPICS:
        delta.replay(ConfigRecord(resource_type=2, resource_name=topic, name="min.insync.replicas", value=str(replicas)))
    return delta.apply(replicas, 1, 1)


@pytest.mark.usefixtures("hasty")
def test_settings_are_those_of_the_present_image_whoever_asks_meanwhile(tmp_path: Path) -> None:
    """What another thread works out of the image before isn't kept for the next one."""
    config = read_node_config(str(write_properties(tmp_path / "server.properties", combined_properties(tmp_path))))
    node = Node(config, "cluster", lambda status: None, ConsoleLog("test"))
    images = [with_minimum(1), with_minimum(2)]
    is_over = threading.Event()

    def ask() -> None:
        while not is_over.is_set():
            for topic in TOPICS:
                node.topic_settings(topic)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        for number in range(ROUNDS):
            for image in images:
                node.adopt(image)
            assert {node.topic_settings(topic).min_insync_replicas for topic in TOPICS} == {2}, f"round {number}"
    finally:
        is_over.set()
        thread.join()
