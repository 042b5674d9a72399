"""Metadata transactions at the controller, and a predecessor's that never ended (C5, C6)."""

from __future__ import annotations

from random import Random

import pytest

from barnabas.core.controller.activation import activation_records
from barnabas.core.controller.config_rules import KafkaConfigRules
from barnabas.core.controller.controller import Controller, ControllerSettings
from barnabas.wire.logs.cluster_metadata import (
    AbortTransactionRecord,
    BeginTransactionRecord,
    ConfigRecord,
    EndTransactionRecord,
    FeatureLevelRecord,
    NoOpRecord,
    TopicRecord,
    ZkMigrationStateRecord,
)
from tests.unit.core.controller.cluster import BOOTSTRAP, CLUSTER_ID


def standby() -> Controller:
    return Controller(ControllerSettings(node_id=1, cluster_id=CLUSTER_ID), KafkaConfigRules({}), Random(1).randbytes)


def test_a_bootstrap_that_was_cut_short_is_aborted_and_done_again() -> None:
    controller = standby()
    controller.committed(0)
    for offset, record in enumerate([BeginTransactionRecord(name="Bootstrap records"), *BOOTSTRAP[:3]], 1):
        controller.replay(record, offset)
    controller.committed(4)
    assert controller.last_stable_offset == 0
    opening = controller.activate(5, BOOTSTRAP, 0).records
    assert [type(record) for record in opening[:2]] == [AbortTransactionRecord, BeginTransactionRecord]
    assert isinstance(opening[-2], ConfigRecord) and isinstance(opening[-1], EndTransactionRecord)


def test_an_abort_takes_the_transaction_back() -> None:
    controller = standby()
    for offset, record in enumerate([*BOOTSTRAP, TopicRecord(name="kept", topic_id=b"k" * 16)]):
        controller.replay(record, offset)
    controller.committed(len(BOOTSTRAP))
    start = controller.next_write_offset
    controller.replay(BeginTransactionRecord(name="x"), start)
    controller.replay(TopicRecord(name="lost", topic_id=b"l" * 16), start + 1)
    assert "lost" in controller.topics.by_name
    controller.committed(start + 1)
    opening = controller.activate(start + 2, BOOTSTRAP, 0).records
    assert [type(record) for record in opening] == [AbortTransactionRecord]
    controller.replay(opening[0], start + 2)
    assert set(controller.topics.by_name) == {"kept"}


def test_records_that_cant_be_replayed_are_fatal_c3() -> None:
    controller = standby()
    for record in (EndTransactionRecord(), AbortTransactionRecord(), FeatureLevelRecord(name="metadata.version", feature_level=31)):
        with pytest.raises(ValueError):
            controller.replay(record, 0)
    controller.replay(NoOpRecord(), 0)
    controller.replay(ZkMigrationStateRecord(zk_migration_state=3), 1)
    assert controller.next_write_offset == 2


def test_bootstrap_without_a_metadata_version_is_refused_d21() -> None:
    with pytest.raises(ValueError, match=r"metadata\.version"):
        activation_records(None, BOOTSTRAP[1:], in_transaction=False, static_min_insync_replicas=1)


def test_without_elr_no_minimum_is_written_d20() -> None:
    opening = activation_records(None, BOOTSTRAP[:1], in_transaction=False, static_min_insync_replicas=2)
    assert [type(record) for record in opening] == [BeginTransactionRecord, FeatureLevelRecord, EndTransactionRecord]
    old = activation_records(None, [FeatureLevelRecord(name="metadata.version", feature_level=7)], in_transaction=False, static_min_insync_replicas=2)
    assert [type(record) for record in old] == [FeatureLevelRecord], "transactions came later"


def test_an_abort_that_did_not_commit_leaves_nothing_to_go_back_to() -> None:
    controller = standby()
    controller.committed(0)
    controller.replay(BeginTransactionRecord(name="x"), 1)
    controller.replay(BOOTSTRAP[0], 2)
    controller.committed(2)
    (abort, *_) = controller.activate(3, BOOTSTRAP, 0).records
    controller.replay(abort, 3)
    controller.appended(3)
    assert controller.deactivate() is False
