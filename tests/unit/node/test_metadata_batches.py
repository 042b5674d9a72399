"""Metadata records to batches and back (D28-D30)."""

from __future__ import annotations

import pytest

from barnabas.node import metadata_batches as batches
from barnabas.wire.logs.cluster_metadata import ConfigRecord, NoOpRecord, UserScramCredentialRecord
from barnabas.wire.logs.raft import KRaftVersionRecord, LeaderChangeMessage, VotersRecord
from barnabas.wire.records.batch import read_header
from barnabas.wire.records.control import build_control_batch
from barnabas.wire.schema import Message
from barnabas.wire.types import DecodeError


def version_0(record: Message) -> int:
    return 0


def large(size: int) -> UserScramCredentialRecord:
    return UserScramCredentialRecord(name="u", mechanism=1, salt=bytes(size), stored_key=b"", server_key=b"", iterations=4096)


def test_data_comes_back() -> None:
    records = [ConfigRecord(resource_type=2, resource_name="t", name="n", value="v"), NoOpRecord()]
    ((data, batch),) = batches.data_batches(records, version_0, 7, 3, 1000)
    header = read_header(data)
    assert (header.base_offset, header.last_offset, header.leader_epoch, header.attributes, header.producer_id) == (7, 8, 3, 0, -1)
    assert batches.decode_batch(header, memoryview(data)) == batch == batches.MetadataBatch(7, 8, 3, 1000, len(data), records)


def test_controls_come_back_and_unknown_ones_are_skipped() -> None:
    change = LeaderChangeMessage(version=0, leader_id=1, voters=[], granting_voters=[])
    version = KRaftVersionRecord(version=0, k_raft_version=1)
    voters = VotersRecord(version=0, voters=[])
    data, batch = batches.control_batch([change, version, voters], 7, 3, 1000)
    assert batch.controls == [(7, change), (8, version), (9, voters)]
    assert batches.decode_batch(read_header(data), memoryview(data)) == batch._replace(controls=[(8, version), (9, voters)])
    strange = build_control_batch([(77, b"?")], timestamp_ms=1)
    assert batches.decode_batch(read_header(strange), memoryview(strange)).controls == []
    with pytest.raises(DecodeError, match=r"kraft\.version"):
        batches.decode_control(5, b"\0")


def test_limits_split_what_may_be_split() -> None:
    made = batches.data_batches([NoOpRecord()] * 10_001, version_0, 5, 1, 1, is_atomic=False)
    assert [(batch.base_offset, batch.last_offset) for _, batch in made] == [(5, 10_004), (10_005, 10_005)]
    three = [large(3_000_000)] * 3
    assert [len(batch.records) for _, batch in batches.data_batches(three, version_0, 0, 1, 1, is_atomic=False)] == [2, 1]
    assert all(len(data) <= batches.MAX_BATCH_BYTES for data, _ in batches.data_batches(three, version_0, 0, 1, 1, is_atomic=False))
    with pytest.raises(batches.TooManyRecords):
        batches.data_batches(three, version_0, 0, 1, 1)
    with pytest.raises(batches.TooManyRecords):
        batches.data_batches([large(batches.MAX_BATCH_BYTES)], version_0, 0, 1, 1, is_atomic=False)


def test_a_record_of_the_future_names_its_offset() -> None:
    data = bytearray(batches.data_batches([NoOpRecord(), NoOpRecord()], version_0, 7, 3, 1000)[0][0])
    data[data.rindex(b"\x14")] = 0x7F  # the second record's type
    with pytest.raises(DecodeError, match=r"offset 8: .*unknown type 127"):
        batches.decode_batch(read_header(data), memoryview(data))


def test_runs_of_no_ops_are_one() -> None:
    idle = [batches.data_batches([NoOpRecord()], version_0, offset, 3, 1000 + offset)[0][0] for offset in range(5, 9)]
    other = batches.data_batches([NoOpRecord(), NoOpRecord()], version_0, 9, 3, 1)[0][0]
    data = b"".join([*idle, other])
    run, end = batches.idle_run(data, 0)
    assert run == batches.MetadataBatch(5, 8, 3, 1008, len(b"".join(idle)), ()) and data[end:] == other
    assert batches.idle_run(data, end) == (None, end)
    assert batches.idle_run(data[:-1], len(data) - 1) == (None, len(data) - 1)
