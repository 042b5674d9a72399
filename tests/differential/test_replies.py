"""The same requests to Apache Kafka and to Barnabas: replies that need no data. ApiVersions (W1-W6), Metadata (W29), DescribeCluster, DescribeTopicPartitions."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from barnabas.wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from barnabas.wire.messages.describe_cluster import DescribeClusterRequest
from barnabas.wire.messages.describe_topic_partitions import DescribeTopicPartitionsRequest
from barnabas.wire.messages.metadata import MetadataRequest
from barnabas.wire.messages.sasl_authenticate import SaslAuthenticateRequest
from barnabas.wire.messages.sasl_handshake import SaslHandshakeRequest
from tests.differential.transcript import Client, Transcript, assert_same, module_scripts, transcribe

if TYPE_CHECKING:
    from tests.nodes import Node

pytestmark = [pytest.mark.apache, pytest.mark.node]


def metadata_of_named_topics(script: Transcript) -> None:
    script.create_topic("metadata-a", 3)
    script.create_topic("metadata-b", 1)
    names = ["metadata-a", "metadata-b", "metadata-absent", "not/legal", "x" * 250, ".", ""]
    for name in names:
        script.all_versions(lambda _, name=name: MetadataRequest(topics=[MetadataRequest.Topic(name=name)], allow_auto_topic_creation=False), name, 4)
    script.all_versions(
        lambda _: MetadataRequest(topics=[MetadataRequest.Topic(name=n) for n in ("metadata-a", "metadata-b")], allow_auto_topic_creation=False),
        "both",
        4,
    )
    script.all_versions(lambda _: MetadataRequest(topics=[MetadataRequest.Topic(name="metadata-a")]), "old versions", 0, 3)


def metadata_of_no_topics(script: Transcript) -> None:
    script.all_versions(lambda _: MetadataRequest(topics=[]), "empty list", 1)


def metadata_by_id(script: Transcript) -> None:
    known = script.create_topic("metadata-by-id", 2)
    for version in (10, 11, 12, 13):
        for topic_id in (known, b"\x12" * 16):
            request = MetadataRequest(topics=[MetadataRequest.Topic(name=None, topic_id=topic_id)], allow_auto_topic_creation=False)
            script.call(request, version, topic_id.hex() if topic_id != known else "known")


def metadata_with_authorized_operations(script: Transcript) -> None:
    script.create_topic("metadata-operations", 1)
    for name, topic_id in (("metadata-operations", b"\x12" * 16), (None, b"\x12" * 16), ("metadata-absent", bytes(16)), ("not/legal", bytes(16))):
        asked = [MetadataRequest.Topic(name=name, topic_id=topic_id)]
        request = MetadataRequest(topics=asked, allow_auto_topic_creation=False, include_topic_authorized_operations=True)
        script.call(request, 12, f"{name} {topic_id.hex()}")
    for version in range(8, 14):
        request = MetadataRequest(
            topics=[MetadataRequest.Topic(name="metadata-operations")],
            allow_auto_topic_creation=False,
            include_cluster_authorized_operations=version <= 10,
            include_topic_authorized_operations=True,
        )
        script.call(request, version)


def describe_cluster(script: Transcript) -> None:
    for version in (0, 1, 2):
        for operations in (False, True):
            script.call(DescribeClusterRequest(include_cluster_authorized_operations=operations), version, str(operations))
    script.call(DescribeClusterRequest(include_cluster_authorized_operations=False, endpoint_type=2), 1, "controllers")
    script.call(DescribeClusterRequest(include_cluster_authorized_operations=False, endpoint_type=3), 1, "no such type")


def describe_topic_partitions(script: Transcript) -> None:
    """W33."""
    script.create_topic("described-a", 5)
    script.create_topic("described-b", 2)
    topics = [DescribeTopicPartitionsRequest.Topic(name=name) for name in ("described-b", "described-a", "described-absent", "not/legal")]
    cursor = DescribeTopicPartitionsRequest.Cursor
    script.call(DescribeTopicPartitionsRequest(topics=topics, cursor=None), 0, "all")
    script.call(DescribeTopicPartitionsRequest(topics=topics, response_partition_limit=3, cursor=None), 0, "first three")
    script.call(
        DescribeTopicPartitionsRequest(topics=topics, response_partition_limit=3, cursor=cursor(topic_name="described-a", partition_index=3)),
        0,
        "from 3",
    )
    script.call(DescribeTopicPartitionsRequest(topics=topics, cursor=cursor(topic_name="described-b", partition_index=1)), 0, "from b")
    script.call(DescribeTopicPartitionsRequest(topics=topics, cursor=cursor(topic_name="described-a", partition_index=-1)), 0, "negative cursor")
    script.call(DescribeTopicPartitionsRequest(topics=topics, response_partition_limit=0, cursor=None), 0, "limit 0")
    for limit in (4, 5, 6, 7, 8):
        script.call(DescribeTopicPartitionsRequest(topics=topics, response_partition_limit=limit, cursor=None), 0, f"limit {limit}")
    for name in ("described-absent", "not/legal", "described-a"):
        at = cursor(topic_name=name, partition_index=4)
        script.call(DescribeTopicPartitionsRequest(topics=topics, response_partition_limit=2, cursor=at), 0, f"from {name} 4")


def sasl_where_there_is_none(script: Transcript) -> None:
    """Both are listed and answered on listeners without SASL; the connection goes on."""
    for mechanism in ("PLAIN", "SCRAM-SHA-256", ""):
        script.all_versions(lambda _, mechanism=mechanism: SaslHandshakeRequest(mechanism=mechanism), mechanism)
    for auth_bytes in (b"", b"\0user\0password"):
        script.all_versions(lambda _, auth_bytes=auth_bytes: SaslAuthenticateRequest(auth_bytes=auth_bytes), repr(auth_bytes))
    script.call(MetadataRequest(topics=[]), 12, "afterwards")


@pytest.mark.parametrize("script", module_scripts(__name__), ids=lambda script: script.__name__)
def test_same_replies(script: object, apache_node: Node, barnabas_node: Node) -> None:
    assert_same(script, apache_node, barnabas_node)  # type: ignore[arg-type]


def _api_versions(node: Node, version: int) -> ApiVersionsResponse:
    client = Client(node.port)
    try:
        reply: ApiVersionsResponse = client.call(ApiVersionsRequest(client_software_name="differential", client_software_version="1"), version)
    finally:
        client.close()
    return reply


@pytest.mark.parametrize("version", range(5))
def test_api_versions_are_those_of_apache(version: int, apache_node: Node, barnabas_node: Node) -> None:
    """Every API that is served is served in Apache's versions, in the same order, with the same features (W1, W2, W5). What is missing: docs/differences.md."""
    theirs, ours = _api_versions(apache_node, version), _api_versions(barnabas_node, version)
    ranges = {api.api_key: (api.min_version, api.max_version) for api in theirs.api_keys}
    assert [(api.api_key, (api.min_version, api.max_version)) for api in ours.api_keys] == [
        (api.api_key, ranges.get(api.api_key)) for api in ours.api_keys
    ]
    assert [api.api_key for api in ours.api_keys] == sorted(api.api_key for api in ours.api_keys)
    assert (ours.error_code, ours.zk_migration_ready) == (theirs.error_code, theirs.zk_migration_ready)
    assert sorted(map(repr, ours.supported_features)) == sorted(map(repr, theirs.supported_features))
    assert sorted(map(repr, ours.finalized_features)) == sorted(map(repr, theirs.finalized_features))
    assert (ours.finalized_features_epoch >= 0) == (theirs.finalized_features_epoch >= 0)


def api_versions_mistakes(script: Transcript) -> None:
    """W4: a version that the node doesn't know, and client software names that it doesn't like."""
    for version in (5, 9, 32767):
        header = struct.pack(">hhih", 18, version, 77, -1) + b"\0"
        script.client.send(struct.pack(">i", len(header) + 3) + header + b"\1\1\0")
        body = script.client.read_frame()
        script.note(f"ApiVersions {version}", body)
    for name, software_version in (("", "1"), ("-a", "1"), ("a b", "1"), ("a", "1-"), ("a.b-c", "1.2.3")):
        for version in (3, 4):
            request = ApiVersionsRequest(client_software_name=name, client_software_version=software_version)
            reply = script.client.call(request, version)
            script.note(f"ApiVersions {version} of {name!r} {software_version!r}", (reply.error_code, bool(reply.api_keys)))


def test_api_versions_mistakes(apache_node: Node, barnabas_node: Node) -> None:
    theirs, ours = (transcribe(api_versions_mistakes, node).entries for node in (apache_node, barnabas_node))
    assert ours == theirs
