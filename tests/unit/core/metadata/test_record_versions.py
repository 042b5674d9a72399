"""Versions and bytes of metadata records (C34, D28)."""

from __future__ import annotations

import pytest

from barnabas.core.metadata.record_versions import decode_record, encode_record, record_version
from barnabas.wire.logs import cluster_metadata as records
from barnabas.wire.schema import Message
from barnabas.wire.types import DecodeError

PARTITION = records.PartitionRecord(partition_id=0, topic_id=bytes(16), replicas=[], isr=[], removing_replicas=[], adding_replicas=[])
BROKER = records.RegisterBrokerRecord(broker_id=1, incarnation_id=bytes(16), broker_epoch=1, end_points=[], features=[], rack=None)


@pytest.mark.parametrize(
    ("record", "versions"),
    [
        (PARTITION, {7: 0, 16: 0, 17: 1, 22: 1, 23: 2, 30: 2}),
        (records.PartitionChangeRecord(topic_id=bytes(16)), {7: 0, 17: 1, 23: 2, 30: 2}),
        (BROKER, {7: 1, 8: 2, 16: 2, 17: 3, 29: 3, 30: 4}),
        (records.TopicRecord(name="t", topic_id=bytes(16)), {7: 0, 30: 0}),
        (records.BrokerRegistrationChangeRecord(broker_id=1, broker_epoch=1, fenced=1), {30: 0}),
        (records.BrokerRegistrationChangeRecord(broker_id=1, broker_epoch=1, in_controlled_shutdown=1), {30: 1}),
        (records.BrokerRegistrationChangeRecord(broker_id=1, broker_epoch=1, log_dirs=[bytes(16)]), {30: 2}),
        (records.BrokerRegistrationChangeRecord(broker_id=1, broker_epoch=1, cordoned_log_dirs=[]), {30: 3}),
    ],
)
def test_versions(record: Message, versions: dict[int, int]) -> None:
    assert {level: record_version(record, level) for level in versions} == versions
    for version in versions.values():
        assert decode_record(encode_record(record, version)) == (record, version)


@pytest.mark.parametrize("value", [b"", b"\1", b"\1\2", b"\0\2\0\2t" + bytes(17), b"\2\2\0", b"\1\6\0", b"\1\2\1\2t" + bytes(17), b"\1\2\0\5"])
def test_what_no_node_may_step_over_c82(value: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_record(value)
