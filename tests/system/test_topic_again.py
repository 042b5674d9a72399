"""A topic that is deleted and made again with its name begins anew, whatever checkpoints still say of the one before."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

import pytest

from barnabas.wire.messages.delete_records import DeleteRecordsRequest
from barnabas.wire.messages.delete_topics import DeleteTopicsRequest
from barnabas.wire.messages.metadata import MetadataRequest
from tests.differential.transcript import Client
from tests.system.requests import create_topics, put, read_all, records
from tests.system.waiting import wait_until

if TYPE_CHECKING:
    from tests.conftest import NodeFactory

pytestmark = pytest.mark.node

NAME = "again"


def _fill(client: Client, count: int) -> list[int]:
    """The offsets of so many records, one a batch."""
    rows = [put(client, NAME, 0, records(b"%d" % number)) for number in range(count)]
    assert not any(row.error_code for row in rows), rows
    return [row.base_offset for row in rows]


def _delete_records(client: Client) -> None:
    ask = DeleteRecordsRequest.Topic
    client.call(DeleteRecordsRequest(topics=[ask(name=NAME, partitions=[ask.Partition(partition_index=0, offset=-1)])], timeout_ms=10_000), 2)


def _delete(client: Client) -> None:
    client.call(DeleteTopicsRequest(topics=[DeleteTopicsRequest.DeleteTopicState(name=NAME)], timeout_ms=10_000), 6)
    while client.call(MetadataRequest(topics=[MetadataRequest.Topic(name=NAME)], allow_auto_topic_creation=False), 12).topics[0].error_code == 0:
        time.sleep(0.01)


def test_after_a_start(barnabas_nodes: NodeFactory) -> None:
    """What was read from checkpoints at the start is the older topic's."""
    node = barnabas_nodes()
    create_topics(node.port, NAME)
    client = Client(node.port)
    _fill(client, 20)
    _delete_records(client)
    client.close()
    node.stop()
    node.start()
    client = Client(node.port)
    _delete(client)
    create_topics(node.port, NAME)
    assert _fill(client, 3) == [0, 1, 2]
    client.close()


def test_killed_before_the_next_checkpoint(barnabas_nodes: NodeFactory) -> None:
    """What stands in checkpoints at a crash is the older topic's: taken for the new one's, all its records would be deleted ones."""
    node = barnabas_nodes()
    create_topics(node.port, NAME)
    client = Client(node.port)
    _fill(client, 20)
    _delete_records(client)
    _delete(client)
    create_topics(node.port, NAME)
    _fill(client, 5)
    client.close()
    node.kill()
    node.start()
    client = Client(node.port)
    assert list(read_all(client, NAME, 0)) == [0, 1, 2, 3, 4]
    client.close()


def test_what_is_to_be_removed_is_gone_already(barnabas_nodes: NodeFactory) -> None:
    """Somebody made room by hand: that is no failing disk."""
    node = barnabas_nodes({"log.segment.delete.delay.ms": "3000"})
    create_topics(node.port, NAME, "gone")
    client = Client(node.port)
    _fill(client, 3)
    _delete(client)
    wait_until(lambda: list(node.log_dir.glob(f"{NAME}-0.*-delete")))
    (doomed,) = node.log_dir.glob(f"{NAME}-0.*-delete")
    shutil.rmtree(doomed)
    client.call(DeleteTopicsRequest(topics=[DeleteTopicsRequest.DeleteTopicState(name="gone")], timeout_ms=10_000), 6)
    wait_until(lambda: not list(node.log_dir.glob("gone-0*")))
    create_topics(node.port, NAME)
    assert _fill(client, 3) == [0, 1, 2]
    client.close()
