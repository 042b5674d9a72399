"""DescribeConfigs' entries: values, sources, what stands behind them (compared with the release by tests/differential/test_config_rules.py)."""

from __future__ import annotations

from barnabas.core.configs import describe
from barnabas.core.configs.definitions.broker import BROKER
from barnabas.core.configs.describe import BrokerLayers, Described
from barnabas.core.configs.resolution import overlay
from barnabas.core.configs.values import Values, parse


def layers(static: dict[str, str], cluster: dict[str, str] | None = None, broker: dict[str, str] | None = None) -> BrokerLayers:
    texts = overlay(static, cluster or {}, broker or {})
    values = Values(BROKER, {name: parse(BROKER[name], text) for name, text in texts.items() if name in BROKER})
    return BrokerLayers(static, cluster or {}, broker or {}, values)


def only(found: list[Described]) -> Described:
    (one,) = found
    return one


def test_a_topics_config_with_everything_behind_it() -> None:
    node = layers({"log.retention.ms": "3", "log.retention.hours": "9"}, {"log.retention.ms": "2"}, {"log.retention.ms": "1"})
    found = only(describe.describe_topic(node, {"retention.ms": " 0 "}, ["retention.ms"]))
    assert (found.value, found.source, found.kind) == ("0", 1, 5)
    assert [(one.name, one.value, one.source) for one in found.synonyms] == [
        ("retention.ms", "0", 1),
        ("log.retention.ms", "1", 2),
        ("log.retention.ms", "2", 3),
        ("log.retention.ms", "3", 4),
        ("log.retention.hours", "9", 4),
        ("log.retention.hours", "168", 5),
    ]


def test_hours_in_the_file_count_but_are_not_named() -> None:
    found = only(describe.describe_topic(layers({"log.retention.hours": "2"}), {}, ["retention.ms"]))
    assert (found.value, found.source, found.synonyms) == ("7200000", 5, ())


def test_hours_set_dynamically_beat_milliseconds_in_the_file() -> None:
    assert only(describe.describe_topic(layers({"log.roll.ms": "5"}, {"log.roll.hours": "1"}), {}, ["segment.ms"])).value == "3600000"


def test_secrets_and_unknown_keys_are_never_shown() -> None:
    node = layers({"ssl.key.password": "secret", "plugin.key": "secret", "listener.name.a.sasl.jaas.config": "secret"})
    for name in ("ssl.key.password", "plugin.key", "listener.name.a.sasl.jaas.config"):
        found = only(describe.describe_broker(node, [name]))
        assert (found.value, found.is_sensitive, found.read_only) == (None, True, name != "ssl.key.password")
        assert "secret" not in str(found)


def test_internal_keys_are_shown_when_set() -> None:
    assert describe.describe_broker(layers({}), ["log.initial.task.delay.ms"]) == []
    assert only(describe.describe_broker(layers({"log.initial.task.delay.ms": "5"}), ["log.initial.task.delay.ms"])).value == "5"


def test_the_cluster_default_is_what_was_set() -> None:
    found = only(describe.describe_cluster_default(layers({"num.io.threads": "4"}, {"num.io.threads": "6"}, {"num.io.threads": "7"})))
    assert (found.name, found.value, found.source, len(found.synonyms)) == ("num.io.threads", "6", 3, 1)


def test_groups_take_their_coordinators_values() -> None:
    node = layers({"group.consumer.session.timeout.ms": "50000"})
    found = only(describe.describe_group(node, {}, ["consumer.session.timeout.ms"]))
    assert (found.value, found.source) == ("50000", 4)
    assert only(describe.describe_group(node, {"share.isolation.level": "read_committed"}, ["share.isolation.level"])).source == 8


def test_client_metrics_and_loggers() -> None:
    assert only(describe.describe_client_metrics({"metrics": "a, b"}, ["metrics"]))[:4] == ("metrics", "a,b", 7, 7)
    assert only(describe.describe_broker_logger({"root": "INFO"}))[:4] == ("root", "INFO", 6, 0)
