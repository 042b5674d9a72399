"""SCRAM credentials (KIP-554): both engines take and refuse the same, show the same, and keep the same keys."""

from __future__ import annotations

import re
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from barnabas.wire.messages.alter_user_scram_credentials import AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse
from barnabas.wire.messages.describe_user_scram_credentials import DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse
from tests import nodes
from tests.differential.tools import in_this_process
from tests.differential.transcript import Client
from tests.system.waiting import wait_until

if TYPE_CHECKING:
    from tests.conftest import NodeFactory
    from tests.nodes import Node

pytestmark = [pytest.mark.apache, pytest.mark.node]

Deletion, Upsertion = AlterUserScramCredentialsRequest.ScramCredentialDeletion, AlterUserScramCredentialsRequest.ScramCredentialUpsertion
SALT, SALTED = b"salt" * 8, bytes(range(64))
SHA_256, SHA_512 = 1, 2


def give(name: str, mechanism: int = SHA_512, iterations: int = 4096) -> Upsertion:
    return Upsertion(name=name, mechanism=mechanism, iterations=iterations, salt=SALT, salted_password=SALTED)


def take(name: str, mechanism: int = SHA_512) -> Deletion:
    return Deletion(name=name, mechanism=mechanism)


def alter(node: Node, *changes: Deletion | Upsertion) -> list[tuple[str, int, str | None]]:
    """Users by name, since Apache Kafka has them in the order of hashes."""
    with closing(Client(node.port)) as client:
        client.socket.settimeout(30)
        reply: AlterUserScramCredentialsResponse = client.call(
            AlterUserScramCredentialsRequest(
                deletions=[each for each in changes if isinstance(each, Deletion)],
                upsertions=[each for each in changes if isinstance(each, Upsertion)],
            ),
            0,
        )
    return sorted((row.user, row.error_code, row.error_message) for row in reply.results)


def shown(node: Node, *names: str) -> list[tuple[str, int, str | None, list[tuple[int, int]]]]:
    users = [DescribeUserScramCredentialsRequest.UserName(name=name) for name in names]
    with closing(Client(node.port)) as client:
        client.socket.settimeout(30)
        reply: DescribeUserScramCredentialsResponse = client.call(DescribeUserScramCredentialsRequest(users=users or None), 0)
    assert (reply.error_code, reply.error_message) == (0, "")
    infos = ((row, [(info.mechanism, info.iterations) for info in row.credential_infos]) for row in reply.results)
    return sorted((row.user, row.error_code, row.error_message, sorted(credentials)) for row, credentials in infos)


def settled(node: Node, count: int) -> list[tuple[str, int, str | None, list[tuple[int, int]]]]:
    """All users' once there are so many: Apache Kafka answers before its broker knows."""
    wait_until(lambda: len([info for row in shown(node) for info in row[3]]) == count, 20)
    return shown(node)


def story(node: Node) -> list[object]:
    told: list[object] = [shown(node), alter(node), alter(node, give("a"), give("b", SHA_256, 16384)), settled(node, 2)]
    told += [alter(node, give("a", SHA_256)), settled(node, 3), shown(node, "a", "b", "c", "b", "")]
    told += [alter(node, give("c", iterations=4095), give("d", iterations=16385), give("e", 3), give("f", 0), give(""))]
    told += [alter(node, take("a"), give("a"), take("b", SHA_256), take("c"), take("", SHA_256), take("d", 7))]
    told += [settled(node, 2), alter(node, give("g"), give("g", SHA_256), give("g")), alter(node, take("b"), give("b")), settled(node, 2)]
    told += [alter(node, take("h"), give("h")), settled(node, 2)]
    return told


def kept(node: Node) -> list[str]:
    """The records of credentials in the metadata log."""
    output = in_this_process(
        "kafka-dump-log", "--cluster-metadata-decoder", "--files", str(node.log_dir / "__cluster_metadata-0" / f"{0:020}.log")
    ).output
    found = output if isinstance(output, str) else "\n".join(output)
    return re.findall(r"payload: (\{\"type\":\"(?:REMOVE_)?USER_SCRAM_CREDENTIAL_RECORD\".*)", found)


def test_told_and_kept_alike(apache_nodes: NodeFactory, barnabas_nodes: NodeFactory) -> None:
    theirs, ours = apache_nodes(), barnabas_nodes()
    assert story(ours) == story(theirs)
    before = shown(ours)
    theirs.stop()
    ours.stop()
    assert len(kept(theirs)) >= 4
    assert sorted(kept(ours)) == sorted(kept(theirs))
    other = ours.on(nodes.APACHE).start()  # the other engine has them, too
    try:
        assert settled(other, 2) == before
    finally:
        other.kill()
