"""From broker values and a topic's configs to the settings that logs read."""

from __future__ import annotations

from barnabas.core.configs.definitions.broker import BROKER
from barnabas.core.configs.topic_settings import TopicSettings, topic_defaults, topic_settings
from barnabas.core.configs.values import Values, parse


def settings(broker: dict[str, str], topic: dict[str, str]) -> TopicSettings:
    values = Values(BROKER, {name: parse(BROKER[name], text) for name, text in broker.items()})
    return topic_settings(topic_defaults(values), topic)


def test_defaults() -> None:
    found = settings({}, {})
    assert (found.retention_ms, found.segment_ms, found.segment_bytes, found.flush_ms) == (604800000, 604800000, 1 << 30, 2**63 - 1)
    assert (found.compact, found.delete, found.compression_type, found.message_timestamp_type) == (False, True, "producer", 0)
    assert found == settings({}, {})


def test_units_and_precedence_of_broker_synonyms() -> None:
    assert settings({"log.retention.hours": "2"}, {}).retention_ms == 7200000
    assert settings({"log.retention.hours": "2", "log.retention.minutes": "3"}, {}).retention_ms == 180000
    assert settings({"log.retention.minutes": "3", "log.retention.ms": "-5"}, {}).retention_ms == -1
    assert settings({"log.roll.hours": "2", "log.roll.jitter.hours": "1"}, {}).segment_jitter_ms == 3600000
    assert settings({"log.flush.scheduler.interval.ms": "9"}, {}).flush_ms == 9


def test_a_topic_overrides_its_broker() -> None:
    found = settings({"message.max.bytes": "10", "log.cleanup.policy": "compact"}, {"max.message.bytes": "20", "cleanup.policy": ""})
    assert (found.max_message_bytes, found.compact, found.delete) == (20, False, False)


def test_a_compacted_topic_rolls_by_its_compaction_lag() -> None:
    assert settings({}, {"cleanup.policy": "compact", "max.compaction.lag.ms": "5"}).roll_ms == 5
    assert settings({}, {"max.compaction.lag.ms": "5"}).roll_ms == 604800000


def test_a_stored_value_that_is_refused_now_falls_back() -> None:
    found = settings({}, {"segment.bytes": "14", "retention.ms": "7", "no.such.key": "x"})
    assert (found.segment_bytes, found.retention_ms) == (1 << 30, 7)
