"""Messages and their bytes, spelt out: the forms of W10, W35 and W38 that a reader may want to see."""

from __future__ import annotations

import pytest

from barnabas.wire.logs.group_coordinator import ConsumerGroupMemberMetadataValue, OffsetCommitKey
from barnabas.wire.messages.api_versions import ApiVersionsRequest
from barnabas.wire.messages.broker_heartbeat import BrokerHeartbeatRequest
from barnabas.wire.messages.describe_topic_partitions import DescribeTopicPartitionsRequest
from barnabas.wire.messages.fetch import FetchRequest, FetchResponse
from barnabas.wire.messages.join_group import JoinGroupRequest
from barnabas.wire.messages.metadata import MetadataRequest
from barnabas.wire.messages.produce import ProduceRequest
from barnabas.wire.types import DecodeError, EncodeError


def test_the_old_form() -> None:
    request = MetadataRequest(topics=[MetadataRequest.Topic(name="ab")])
    assert request.encode(4).hex(" ") == "00 00 00 01 00 02 61 62 01"


def test_the_flexible_form_has_lengths_plus_one_and_ends_structs_with_tags() -> None:
    request = MetadataRequest(topics=[MetadataRequest.Topic(name="ab")])
    assert request.encode(9).hex(" ") == "02 03 61 62 00 01 00 00 00"
    assert ApiVersionsRequest(client_software_name="c", client_software_version="1").encode(3).hex(" ") == "02 63 02 31 00"


@pytest.mark.parametrize("data", ["ff ff ff ff 01", "ff ff ff f0 01", "80 00 00 00 01"])
def test_an_array_of_negative_length_is_null(data: str) -> None:
    assert MetadataRequest.decode(bytes.fromhex(data), 4).topics is None
    with pytest.raises(DecodeError, match="topics must not be null"):
        MetadataRequest.decode(bytes.fromhex(data), 0)


@pytest.mark.parametrize("data", ["00 01 00 00 00", "ff ff ff ff 0f 01 00 00 00"])
def test_a_compact_array_of_length_zero_is_null(data: str) -> None:
    assert MetadataRequest.decode(bytes.fromhex(data), 9).topics is None


def test_unknown_tags_survive_in_ascending_order() -> None:
    data = bytes.fromhex("01 00 00 00 02 c8 01 01 aa 05 02 bb cc")
    request = MetadataRequest.decode(data, 9)
    assert request.unknown_tags == ((200, b"\xaa"), (5, b"\xbb\xcc"))
    assert request.encode(9).hex(" ") == "01 00 00 00 02 05 02 bb cc c8 01 01 aa"


def test_tagged_fields_are_written_only_where_they_differ() -> None:
    request = FetchRequest(max_wait_ms=1)
    assert request.encode(12)[-1:] == b"\0"
    request.cluster_id = "x"
    assert request.encode(12)[-5:].hex(" ") == "01 00 02 02 78"
    assert FetchRequest.decode(request.encode(12), 12) == request


def test_a_tag_of_another_version_is_refused() -> None:
    data = FetchRequest(replica_state=FetchRequest.ReplicaState(replica_id=1, replica_epoch=2)).encode(15)
    bad = FetchRequest(replica_id=-1).encode(12)[:-1] + data[data.rindex(b"\x01\x01\x0d") :]
    with pytest.raises(DecodeError, match="tag 1 belongs to other versions"):
        FetchRequest.decode(bad, 12)


def test_a_struct_that_may_be_null() -> None:
    cursor = DescribeTopicPartitionsRequest.Cursor(topic_name="t", partition_index=3)
    assert DescribeTopicPartitionsRequest().encode(0).hex(" ") == "01 00 00 07 d0 ff 00"
    assert DescribeTopicPartitionsRequest(cursor=cursor).encode(0).hex(" ") == "01 00 00 07 d0 01 02 74 00 00 00 03 00 00"


def test_a_tagged_struct_that_may_be_null_marks_it_by_zero_and_one() -> None:
    """Unlike those above; null isn't the default, so it is written (KIP-848's members say that they use the new protocol)."""
    value = ConsumerGroupMemberMetadataValue(classic_member_metadata=None)
    assert value.encode(0)[-4:].hex(" ") == "01 00 01 00"
    assert ConsumerGroupMemberMetadataValue.decode(value.encode(0), 0) == value
    classic = ConsumerGroupMemberMetadataValue.ClassicMemberMetadata(session_timeout_ms=5)
    assert ConsumerGroupMemberMetadataValue(classic_member_metadata=classic).encode(0)[-10:].hex(" ") == "01 00 07 01 00 00 00 05 01 00"
    assert ConsumerGroupMemberMetadataValue().classic_member_metadata == ConsumerGroupMemberMetadataValue.ClassicMemberMetadata()


def test_a_value_that_the_version_lacks_is_refused() -> None:
    request = BrokerHeartbeatRequest(offline_log_dirs=[b"\1" * 16])
    assert request.encode(1)
    with pytest.raises(EncodeError, match="MetadataRequest version 3 has no allow_auto_topic_creation"):
        MetadataRequest(topics=None, allow_auto_topic_creation=False).encode(3)


def test_what_does_not_fit_is_refused() -> None:
    for bad in (
        OffsetCommitKey(group="g", topic="t", partition=1 << 31),
        OffsetCommitKey(group="g" * 32768, topic="t", partition=0),
        OffsetCommitKey(group=None, topic="t", partition=0),  # type: ignore[arg-type]
        OffsetCommitKey(group="\ud800", topic="t", partition=0),
        OffsetCommitKey(group=b"g", topic="t", partition=0),  # type: ignore[arg-type]
        OffsetCommitKey(group="g", topic="t", partition="0"),  # type: ignore[arg-type]
    ):
        with pytest.raises(EncodeError, match=r"OffsetCommitKey version 0|at most"):
            bad.encode(0)


def test_bytes_are_no_text() -> None:
    with pytest.raises(EncodeError, match=r"JoinGroupRequest version 5.*str found"):
        JoinGroupRequest(protocols=[JoinGroupRequest.Protocol(metadata="text")]).encode(5)  # type: ignore[arg-type]


@pytest.mark.parametrize("uuid", [b"", b"short", b"x" * 17])
def test_a_uuid_has_16_bytes(uuid: bytes) -> None:
    with pytest.raises(EncodeError, match="a UUID has 16"):
        BrokerHeartbeatRequest(offline_log_dirs=[uuid]).encode(1)
    with pytest.raises(EncodeError, match="topic_id has"):
        FetchRequest(topics=[FetchRequest.Topic(topic_id=uuid)]).encode(13)


def test_records_are_a_view_of_what_was_read() -> None:
    topic = ProduceRequest.TopicProduceData
    partition = topic.PartitionProduceData(records=b"batch")
    data = bytearray(ProduceRequest(topic_data=[topic(name="t", partition_data=[partition])]).encode(9))
    records = ProduceRequest.decode(memoryview(data), 9).topic_data[0].partition_data[0].records
    assert isinstance(records, memoryview)
    assert records.obj is data
    assert bytes(records) == b"batch"


def test_a_version_that_is_not() -> None:
    for version in (-1, 3, 99):
        with pytest.raises(ValueError, match="FetchResponse has versions 4-18"):
            FetchResponse().encode(version)
        with pytest.raises(ValueError, match="FetchResponse has versions 4-18"):
            FetchResponse.decode(b"", version)
