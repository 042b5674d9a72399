"""A broker's key that stands behind a topic's does for all topics what the topic's does for one: in the file, and while the broker runs."""

from __future__ import annotations

import pytest

from barnabas.core.configs.definitions.broker import update_mode
from barnabas.core.configs.synonyms import TOPIC as SYNONYMS
from barnabas.node.config.node_config import Given, NodeConfig, node_config

FILE = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.voters": "1@localhost:9093",
    "listeners": "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
}
# broker key -> (what it is set to, the topic's key and value that mean the same)
SAME = {
    "compression.gzip.level": ("3", "compression.gzip.level", "3"),
    "compression.lz4.level": ("4", "compression.lz4.level", "4"),
    "compression.type": ("zstd", "compression.type", "zstd"),
    "compression.zstd.level": ("5", "compression.zstd.level", "5"),
    "log.cleaner.delete.retention.ms": ("6", "delete.retention.ms", "6"),
    "log.cleaner.max.compaction.lag.ms": ("7", "max.compaction.lag.ms", "7"),
    "log.cleaner.min.cleanable.ratio": ("0.25", "min.cleanable.dirty.ratio", "0.25"),
    "log.cleaner.min.compaction.lag.ms": ("8", "min.compaction.lag.ms", "8"),
    "log.cleanup.policy": ("compact", "cleanup.policy", "compact"),
    "log.flush.interval.messages": ("9", "flush.messages", "9"),
    "log.flush.interval.ms": ("10", "flush.ms", "10"),
    "log.flush.scheduler.interval.ms": ("11", "flush.ms", "11"),
    "log.index.interval.bytes": ("12", "index.interval.bytes", "12"),
    "log.index.size.max.bytes": ("13", "segment.index.bytes", "13"),
    "log.message.timestamp.after.max.ms": ("14", "message.timestamp.after.max.ms", "14"),
    "log.message.timestamp.before.max.ms": ("15", "message.timestamp.before.max.ms", "15"),
    "log.message.timestamp.type": ("LogAppendTime", "message.timestamp.type", "LogAppendTime"),
    "log.preallocate": ("true", "preallocate", "true"),
    "log.retention.bytes": ("16", "retention.bytes", "16"),
    "log.retention.hours": ("2", "retention.ms", "7200000"),
    "log.retention.minutes": ("3", "retention.ms", "180000"),
    "log.retention.ms": ("17", "retention.ms", "17"),
    "log.roll.hours": ("2", "segment.ms", "7200000"),
    "log.roll.jitter.hours": ("2", "segment.jitter.ms", "7200000"),
    "log.roll.jitter.ms": ("18", "segment.jitter.ms", "18"),
    "log.roll.ms": ("19", "segment.ms", "19"),
    "log.segment.bytes": ("2000000", "segment.bytes", "2000000"),
    "log.segment.delete.delay.ms": ("20", "file.delete.delay.ms", "20"),
    "message.max.bytes": ("21", "max.message.bytes", "21"),
    "min.insync.replicas": ("2", "min.insync.replicas", "2"),
    "unclean.leader.election.enable": ("true", "unclean.leader.election.enable", "true"),
}
WAITING = {"log.local.retention.bytes", "log.local.retention.ms"}  # tiered storage


def running(**more: str) -> NodeConfig:
    return node_config([Given(key, text, "") for key, text in {**FILE, **more}.items()])


def test_none_is_forgotten() -> None:
    assert set(SAME) | WAITING == {key for keys in SYNONYMS.values() for key, _ in keys}


@pytest.mark.parametrize("key", SAME)
def test_for_all_topics(key: str) -> None:
    text, topic_key, topic_text = SAME[key]
    wanted = running().topic_settings({topic_key: topic_text})
    assert wanted != running().topic_settings({})
    assert running(**{key: text}).topic_settings({}) == wanted
    is_dynamic = update_mode(key) != "read-only"
    for layers in (({key: text}, {}), ({}, {key: text})):
        changed = running().reconfigured(*layers)
        assert changed.topic_settings({}) == (wanted if is_dynamic else running().topic_settings({}))
        assert changed.reconfigured({}, {}).topic_settings({}) == running().topic_settings({})


def test_the_topics_own_counts() -> None:
    node = running(**{"log.retention.ms": "1"}).reconfigured({"log.retention.ms": "2"}, {"log.retention.ms": "3"})
    assert node.topic_settings({}).retention_ms == 3
    assert node.topic_settings({"retention.ms": "4"}).retention_ms == 4
    assert node.reconfigured({"log.retention.ms": "2"}, {}).topic_settings({}).retention_ms == 2
