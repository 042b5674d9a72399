"""A replica that an unclean election cuts below where its log began: what checkpoints say of the time before is never believed again."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from barnabas.wire.errors import Error
from barnabas.wire.messages.delete_records import DeleteRecordsRequest
from tests import nodes
from tests.cluster.cluster import Cluster, Plan
from tests.differential.transcript import Client
from tests.system.requests import put, read_all, records

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.cluster import Member

pytestmark = pytest.mark.node

NAME = "cut"
SETTINGS = {"unclean.leader.election.interval.ms": "200"}


def client(member: Member) -> Client:
    return Client(member.port, member.address()[0])


def fill(member: Member, count: int, name: bytes) -> None:
    with closing(client(member)) as connection:
        rows = [put(connection, NAME, 0, records(b"%s%d" % (name, number))) for number in range(count)]
    assert not any(row.error_code for row in rows), rows


def delete_below(member: Member, offset: int) -> None:
    ask = DeleteRecordsRequest.Topic
    request = DeleteRecordsRequest(topics=[ask(name=NAME, partitions=[ask.Partition(partition_index=0, offset=offset)])], timeout_ms=20_000)
    with closing(client(member)) as connection:
        connection.socket.settimeout(30)
        assert connection.call(request, 2).topics[0].partitions[0].error_code == Error.NONE


def in_sync(found: Cluster, by: Member, *members: Member) -> bool:
    """Whether the first of these leads, and they are in sync, and nobody else."""
    rows = found.partitions(NAME, by)
    return [(row.leader_id, set(row.isr_nodes)) for row in rows] == [(members[0].node_id, {member.node_id for member in members})]


def test_acknowledged_records_outlive_a_kill(tmp_path: Path) -> None:
    """Its old start lies behind all that it has then, as if every record had been deleted."""
    with Cluster(Plan([nodes.BARNABAS] * 3, controllers=[1], brokers=[2, 3], overrides=SETTINGS), tmp_path / "cluster") as found:
        found.start()
        found.create_topic(NAME, 1, 2, **{"unclean.leader.election.enable": "true", "min.insync.replicas": "1"})
        first = found.leader(NAME)
        second = next(member for member in found.brokers if member is not first)
        fill(first, 20, b"both ")
        second.kill()
        found.wait_for("one left in sync", lambda: in_sync(found, first, first))
        fill(first, 40, b"lost ")
        delete_below(first, 50)
        first.kill()
        second.spawn()
        found.wait_for("an unclean leader", lambda: in_sync(found, second, second))
        found.start([first])
        found.wait_for("both in sync", lambda: in_sync(found, second, second, first))
        fill(second, 10, b"kept ")
        first.kill()
        found.wait_for("the leader alone in sync", lambda: in_sync(found, second, second))
        found.start([first])
        found.wait_for("both in sync", lambda: in_sync(found, second, second, first))
        second.kill()
        found.wait_for("the other leads", lambda: in_sync(found, first, first))
        with closing(client(first)) as connection:
            assert read_all(connection, NAME, 0, 20) == {20 + number: b"kept %d" % number for number in range(10)}
