"""Whole configurations put to the release and to us: does a node start with it, may it be set, and what does DescribeConfigs say of it?"""

from __future__ import annotations

import subprocess
from functools import partial
from typing import TYPE_CHECKING

import pytest

from barnabas.core.configs import describe
from barnabas.core.configs.broker_alterations import validate_broker
from barnabas.core.configs.broker_rules import check_broker
from barnabas.core.configs.client_metrics_rules import validate_client_metrics
from barnabas.core.configs.describe import BrokerLayers, Described
from barnabas.core.configs.error import ConfigError
from barnabas.core.configs.group_rules import validate_group
from barnabas.core.configs.listeners import resolve
from barnabas.core.configs.topic_rules import validate_topic
from barnabas.core.configs.topic_settings import topic_defaults
from barnabas.node.config.node_config import Given, NodeConfig, node_config, parse_given
from tests.apache import release

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

pytestmark = [pytest.mark.apache]

Configs = dict[str, str]
FILE: Configs = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.voters": "1@localhost:9093",
    "listeners": "PLAINTEXT://:9092,CONTROLLER://:9093",
    "advertised.listeners": "PLAINTEXT://localhost:9092",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL",
}
MISSING = "(not given)"

STARTS: list[Configs] = [
    {},
    {"node.id": MISSING},
    {"node.id": MISSING, "broker.id": "1"},
    {"broker.id": "2"},
    {"process.roles": MISSING},
    {"process.roles": "broker,kitchen"},
    {"process.roles": "broker"},
    {"process.roles": "controller"},
    {"process.roles": "controller", "listeners": "CONTROLLER://:9093", "advertised.listeners": MISSING},
    {"process.roles": "broker", "controller.quorum.voters": "2@a:1", "listeners": "PLAINTEXT://:9092"},
    {"process.roles": "broker", "controller.quorum.voters": "2@a:1", "listeners": "PLAINTEXT://:9092", "controller.listener.names": "OTHER"},
    {"process.roles": "broker", "controller.quorum.voters": "2@a:1"},
    {"controller.quorum.voters": "2@a:1"},
    {"controller.quorum.voters": MISSING},
    {"controller.quorum.voters": MISSING, "controller.quorum.bootstrap.servers": "localhost:9093"},
    {"controller.quorum.voters": "1@0.0.0.0:9093"},
    {"controller.quorum.auto.join.enable": "true"},
    {"controller.listener.names": "controller"},
    {"controller.listener.names": "CONTROLLER,OTHER"},
    {"controller.listener.names": ""},
    {"controller.listener.names": MISSING},
    {"listeners": "PLAINTEXT://:9092"},
    {"listeners": "CONTROLLER://:9093"},
    {"listeners": "PLAINTEXT://:9092,CONTROLLER://:9092"},
    {"listeners": "PLAINTEXT://127.0.0.1:9092,CONTROLLER://[::1]:9092"},
    {"listeners": "PLAINTEXT://a:9092,CONTROLLER://[::1]:9092"},
    {"listeners": "PLAINTEXT://:9092,CONTROLLER://:9093,plaintext://:9094"},
    {"listeners": "PLAINTEXT://:9092,CONTROLLER://:9093,OTHER://:9094"},
    {"listeners": "PLAINTEXT://:0,CONTROLLER://:0"},
    {"listeners": "PLAINTEXT:9092,CONTROLLER://:9093"},
    {"listeners": "PLAINTEXT://[::1]:9092,CONTROLLER://:9093"},
    {"advertised.listeners": MISSING},
    {"advertised.listeners": MISSING, "listeners": "PLAINTEXT://0.0.0.0:9092,CONTROLLER://:9093"},
    {"advertised.listeners": MISSING, "listeners": "PLAINTEXT://a:9092,CONTROLLER://0.0.0.0:9093"},
    {"advertised.listeners": "PLAINTEXT://0.0.0.0:9092"},
    {"advertised.listeners": "PLAINTEXT://a:1,CONTROLLER://a:2"},
    {"advertised.listeners": "PLAINTEXT://a:1,CONTROLLER://0.0.0.0:2"},
    {"advertised.listeners": "SSL://a:1"},
    {"advertised.listeners": "CONTROLLER://a:1"},
    {"advertised.listeners": ""},
    {"inter.broker.listener.name": "PLAINTEXT"},
    {"inter.broker.listener.name": "plaintext"},
    {"inter.broker.listener.name": "CONTROLLER"},
    {"inter.broker.listener.name": "NOWHERE"},
    {"inter.broker.listener.name": "PLAINTEXT", "security.inter.broker.protocol": "PLAINTEXT"},
    {"security.inter.broker.protocol": "SSL"},
    {"listener.security.protocol.map": MISSING},
    {"listener.security.protocol.map": "CONTROLLER:PLAINTEXT"},
    {"listener.security.protocol.map": "controller:plaintext,plaintext:plaintext"},
    {"listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:SECRET"},
    {"listener.security.protocol.map": "CONTROLLER,PLAINTEXT:PLAINTEXT"},
    {"log.dirs": "/a,/a"},
    {"log.dirs": ""},
    {"log.dir": "/a,/b"},
    {"cordoned.log.dirs": "/a"},
    {"log.dirs": "/a,/b", "cordoned.log.dirs": "/a"},
    {"cordoned.log.dirs": "*"},
    {"log.dirs": "/a", "cordoned.log.dirs": "*,/a"},
    {"log.retention.ms": "0"},
    {"log.retention.ms": "-7"},
    {"log.retention.minutes": "0"},
    {"log.retention.hours": "0"},
    {"log.roll.ms": "0"},
    {"log.roll.jitter.ms": "-1"},
    {"log.cleaner.threads": "0"},
    {"log.cleaner.dedupe.buffer.size": "1048576"},
    {"log.cleaner.dedupe.buffer.size": "1048577"},
    {"replica.fetch.wait.max.ms": "30001"},
    {"queued.max.request.bytes": "10"},
    {"queued.max.request.bytes": "0"},
    {"max.connections.per.ip": "0"},
    {"max.connections.per.ip": "0", "max.connections.per.ip.overrides": "127.0.0.1:5"},
    {"max.connections.per.ip.overrides": "127.0.0.1"},
    {"max.connections.per.ip.overrides": "a b:1"},
    {"max.connections.per.ip.overrides": "a:b"},
    {"connections.max.idle.ms": "100"},
    {"connections.max.idle.ms": "-1"},
    {"broker.heartbeat.interval.ms": "9000"},
    {"group.coordinator.rebalance.protocols": "consumer"},
    {"group.coordinator.rebalance.protocols": "classic"},
    {"group.consumer.session.timeout.ms": "44000"},
    {"group.consumer.heartbeat.interval.ms": "16000"},
    {"group.consumer.max.heartbeat.interval.ms": "50000", "group.consumer.heartbeat.interval.ms": "45000"},
    {"group.consumer.min.assignment.interval.ms": "2000"},
    {"group.share.delivery.count.limit": "10", "group.share.max.delivery.count.limit": "9"},
    {"group.share.max.share.sessions": "100"},
    {"group.share.assignors": "simple,range"},
    {"group.streams.num.standby.replicas": "3"},
    {"offsets.topic.compression.codec": "5"},
    {"early.start.listeners": "NOWHERE"},
    {"unknown.key": "x"},
]

TOPICS: list[Configs] = [
    {},
    {"retention.ms": "-1"},
    {"retention.ms": "-2"},
    {"nonsense": "1"},
    {"min.compaction.lag.ms": "10", "max.compaction.lag.ms": "9"},
    {"min.compaction.lag.ms": "10", "max.compaction.lag.ms": "10"},
    {"remote.storage.enable": "true"},
    {"remote.storage.enable": "false"},
    {"cleanup.policy": ""},
    {"cleanup.policy": "compact,delete"},
    {"internal.segment.bytes": "14"},
    {"leader.replication.throttled.replicas": "*"},
    {"leader.replication.throttled.replicas": "0:x"},
    {"local.retention.ms": "5", "retention.ms": "4"},
    {"segment.bytes": "1048575"},
]

GROUPS: list[Configs] = [
    {},
    {"consumer.session.timeout.ms": "45000"},
    {"consumer.session.timeout.ms": "44999"},
    {"consumer.session.timeout.ms": "60001"},
    {"consumer.heartbeat.interval.ms": "15000"},
    {"consumer.heartbeat.interval.ms": "15001"},
    {"consumer.assignment.interval.ms": "15001"},
    {"share.record.lock.duration.ms": "60001"},
    {"share.delivery.count.limit": "11"},
    {"share.delivery.count.limit": "10"},
    {"share.partition.max.record.locks": "99"},
    {"share.auto.offset.reset": "none"},
    {"share.isolation.level": "read_committed"},
    {"streams.num.standby.replicas": "3"},
    {"streams.num.standby.replicas": "2"},
    {"streams.initial.rebalance.delay.ms": "0"},
    {"nonsense": "1"},
]

CLIENT_METRICS: list[Configs] = [
    {},
    {"interval.ms": "99"},
    {"interval.ms": "3600000"},
    {"interval.ms": "x"},
    {"match": "client_id=a.*"},
    {"match": "client_id=a.*,client_software_name=x"},
    {"match": "client=a"},
    {"match": "client_id"},
    {"match": "client_id="},
    {"match": "client_id=a=b"},
    {"match": "client_id=["},
    {"metrics": "a,b"},
    {"metrics": "a,,b"},
    {"nonsense": "1"},
]

DYNAMIC: list[Configs] = [
    {},
    {"log.retention.ms": "1000"},
    {"log.retention.ms": "0"},
    {"log.retention.ms": "x"},
    {"log.retention.hours": "3"},
    {"node.id": "2"},
    {"num.io.threads": "0"},
    {"ssl.keystore.location": "/k"},
    {"listener.name.plaintext.ssl.keystore.location": "/k"},
    {"listener.name.plaintext.max.connections": "7"},
    {"listener.name.plaintext.max.connections": "x"},
    {"max.connections": "9"},
    {"leader.replication.throttled.rate": "5"},
    {"leader.replication.throttled.rate": "-5"},
    {"unknown.key": "5"},
    {"message.max.bytes": "-1"},
    {"log.cleaner.dedupe.buffer.size": "5"},
    {"group.consumer.assignment.interval.ms": "70000"},
    {"sasl.enabled.mechanisms": "PLAIN"},
]


CHANGES: list[tuple[tuple[str, str], list[Configs]]] = [
    (("topic", "t"), TOPICS),
    (("group", "g"), GROUPS),
    (("client-metrics", "m"), CLIENT_METRICS),
    (("dynamic", "broker"), DYNAMIC),
    (("dynamic", "default"), DYNAMIC),
]


def line(*words: str, groups: tuple[Mapping[str, str], ...]) -> str:
    """A question to CheckConfigs.java."""
    return "\t".join([*words, *_joined(groups)])


def _joined(groups: tuple[Mapping[str, str], ...]) -> list[str]:
    words: list[str] = []
    for position, group in enumerate(groups):
        words += (["--"] if position else []) + [f"{key}={value}" for key, value in group.items()]
    return words


def file(changes: Mapping[str, str]) -> Configs:
    return {key: value for key, value in {**FILE, **changes}.items() if value != MISSING}


def running(changes: Mapping[str, str]) -> NodeConfig:
    return node_config([Given(key, value, "") for key, value in file(changes).items()])


def refused(check: Callable[[], object]) -> str | None:
    try:
        check()
    except ConfigError as error:
        return error.message
    return None


@pytest.fixture(scope="module")
def said(apache_libs: Path) -> dict[str, str]:
    """What Apache Kafka says of every configuration here, all asked at once."""
    asked = [line("start", groups=(file(changes),)) for changes in STARTS]
    asked += [line(*words, groups=(configs, FILE)) for words, rows in CHANGES for configs in rows]
    asked += [_line_of(*described) for described in DESCRIBED]
    command = release.java_command(str(release.HERE / "java" / "CheckConfigs.java"))
    text = "".join(f"{each}\n" for each in asked)
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return dict(zip(asked, (each for each in done.stdout.split("\n") if each.startswith(("ok\t", "error\t"))), strict=True))


def compare(said: dict[str, str], ours: dict[str, str | None]) -> None:
    """The same configurations are taken, the same refused."""
    different = [(asked, why, said[asked]) for asked, why in ours.items() if (why is None) != said[asked].startswith("ok")]
    assert different == [], "\n".join(map(str, different))


def test_files(said: dict[str, str]) -> None:
    compare(said, {line("start", groups=(file(changes),)): refused(partial(_start, changes)) for changes in STARTS})


def _start(changes: Mapping[str, str]) -> None:
    """Without what this node refuses because it can't do it."""
    values, problems = parse_given([Given(key, value, "") for key, value in file(changes).items()])
    if problems:
        raise ConfigError(problems[0])
    resolve(values)
    check_broker(values)


def test_changes_at_the_controller(said: dict[str, str]) -> None:
    values = running({}).values
    checks: dict[str, Callable[[Configs], object]] = {
        "topic": lambda configs: validate_topic(configs, {}, topic_defaults(values)),
        "group": lambda configs: validate_group(configs, values),
        "client-metrics": lambda configs: validate_client_metrics("m", configs),
    }
    asked = [(words, configs) for words, rows in CHANGES if words[0] in checks for configs in rows]
    compare(said, {line(*words, groups=(configs, FILE)): refused(partial(checks[words[0]], configs)) for words, configs in asked})


def test_changes_at_the_broker(said: dict[str, str]) -> None:
    node = running({})

    def check(configs: Configs, where: str) -> None:
        validate_broker(configs, node.static, {}, {}, node.values, per_broker=where == "broker")

    asked = [(words, configs) for words, rows in CHANGES if words[0] == "dynamic" for configs in rows]
    compare(said, {line(*words, groups=(configs, FILE)): refused(partial(check, configs, words[1])) for words, configs in asked})


DESCRIBED: list[tuple[str, str, Configs, Configs, Configs, Configs]] = [
    # type, name, the resource's own, cluster's, broker's, in the file
    ("TOPIC", "t", {}, {}, {}, {}),
    ("TOPIC", "t", {"retention.ms": "777", "cleanup.policy": "compact, delete", "internal.segment.bytes": "9"}, {}, {}, {"log.retention.hours": "3"}),
    (
        "TOPIC",
        "t",
        {"retention.ms": "777"},
        {"log.retention.ms": "5"},
        {"log.retention.ms": "6"},
        {"log.retention.ms": "7", "log.retention.hours": "3"},
    ),
    ("TOPIC", "t", {}, {"log.roll.ms": "5"}, {"message.max.bytes": "9"}, {"log.roll.hours": "3", "compression.type": "gzip"}),
    ("BROKER", "1", {}, {}, {}, {}),
    (
        "BROKER",
        "1",
        {},
        {"log.retention.ms": "5", "max.connections": "44"},
        {"num.io.threads": "9", "log.retention.ms": "6"},
        {"log.retention.minutes": "3"},
    ),
    (
        "BROKER",
        "1",
        {},
        {},
        {"listener.name.plaintext.max.connections": "7"},
        {"unknown.key": "x", "ssl.key.password": "y", "log.initial.task.delay.ms": "5"},
    ),
    (
        "BROKER",
        "1",
        {},
        {"leader.replication.throttled.rate": "5", "unknown.dynamic": "x"},
        {"node.id": "7"},
        {"listener.name.x.sasl.jaas.config": "z"},
    ),
    ("BROKER", "", {}, {"log.retention.ms": "5", "unknown.dynamic": "x"}, {"log.retention.ms": "6"}, {"log.retention.ms": "7"}),
    ("GROUP", "g", {}, {}, {}, {}),
    (
        "GROUP",
        "g",
        {"consumer.session.timeout.ms": "46000"},
        {"group.consumer.assignment.interval.ms": "7"},
        {},
        {"group.share.delivery.count.limit": "7"},
    ),
    ("CLIENT_METRICS", "m", {}, {}, {}, {}),
    ("CLIENT_METRICS", "m", {"metrics": "a, b", "interval.ms": "500"}, {}, {}, {}),
]


def _line_of(kind: str, name: str, own: Configs, cluster: Configs, broker: Configs, static: Configs) -> str:
    return line("describe", kind, name, groups=(own, cluster, broker, file(static)))


def test_descriptions(said: dict[str, str]) -> None:
    for asked in DESCRIBED:
        answer = said[_line_of(*asked)]
        assert answer.startswith("ok\t"), answer
        theirs = [_without_order(entry) for entry in answer.split("\t")[1:] if entry]
        ours = sorted(_without_order(_shown(one)) for one in _ours(*asked))
        assert ours == sorted(theirs), asked


def _ours(kind: str, name: str, own: Configs, cluster: Configs, broker: Configs, static: Configs) -> list[Described]:
    node = running(static).reconfigured(cluster, broker)
    layers = BrokerLayers(node.static, node.cluster, node.broker, node.values)
    if kind == "TOPIC":
        return describe.describe_topic(layers, own)
    if kind == "GROUP":
        return describe.describe_group(layers, own)
    if kind == "CLIENT_METRICS":
        return describe.describe_client_metrics(own)
    return describe.describe_broker(layers) if name else describe.describe_cluster_default(layers)


def _shown(one: Described) -> str:
    parts = [one.name, one.value, one.source, one.kind, str(one.is_sensitive).lower(), str(one.read_only).lower()]
    parts += [f"{synonym.name}={'null' if synonym.value is None else synonym.value}@{synonym.source}" for synonym in one.synonyms]
    return "|".join("null" if part is None else str(part) for part in parts)


def _without_order(entry: str) -> str:
    """The default map of protocols is printed in no order."""
    return entry if not entry.startswith("listener.security.protocol.map|") else "|".join(entry.split("|")[2:6])
