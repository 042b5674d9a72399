"""server.properties to NodeConfig: what is read, what is refused and in which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from barnabas.core.configs.listeners import resolve
from barnabas.node.config.node_config import Given, InvalidNodeConfig, NodeConfig, parse_given, read_node_config

COMBINED = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
advertised.listeners=PLAINTEXT://localhost:9092
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=/data
"""


def read(tmp_path: Path, more: str = "", *overrides: str, text: str = COMBINED) -> NodeConfig:
    path = tmp_path / "server.properties"
    path.write_text(text + more)
    return read_node_config(str(path), overrides)


def problem(tmp_path: Path, more: str = "", *overrides: str, text: str = COMBINED) -> str:
    with pytest.raises(InvalidNodeConfig) as refused:
        read(tmp_path, more, *overrides, text=text)
    return str(refused.value).replace(f"{tmp_path}/", "")


def test_a_combined_node(tmp_path: Path) -> None:
    config = read(tmp_path)
    assert (config.node_id, config.roles, config.voters) == (1, {"broker", "controller"}, {1: ("localhost", 9093)})
    assert [str(one) for one in config.listeners.bound] == ["PLAINTEXT://:9092", "CONTROLLER://:9093"]
    assert [str(one) for one in config.listeners.advertised] == ["PLAINTEXT://localhost:9092"]
    assert [str(one) for one in config.listeners.advertised_controllers] == ["CONTROLLER://localhost:9093"]
    assert (config.logs.directories, config.logs.metadata_directory) == (("/data",), "/data")
    assert (config.network.threads, config.topics.num_partitions, config.groups.offsets_retention_ms) == (3, 1, 604800000)
    assert config.warnings == ()
    assert config.static["broker.id"] == "1"


def test_overrides_come_last(tmp_path: Path) -> None:
    assert read(tmp_path, "num.partitions=2\n", "num.partitions=3").topics.num_partitions == 3
    assert problem(tmp_path, "", "num.partitions") == "--override num.partitions: it should read key=value"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("num.partitions=x", "server.properties:10: num.partitions=x: Not a number of type INT"),
        (
            "num.io.threads=3 # comment",
            "server.properties:10: num.io.threads=3 # comment: Not a number of type INT; a comment needs a line of its own, here it became part of the value",
        ),
        ("log.dirs=/data,/data/", "server.properties:10: log.dirs=/data,/data/: /data and /data/ are one directory; give each disk its own"),
        (
            "controller.quorum.voters=2@a:1",
            "server.properties:10: controller.quorum.voters=2@a:1: node.id 1 is a controller, so it must be one of the voters",
        ),
        ("advertised.listeners=PLAINTEXT://0.0.0.0:9092", "0.0.0.0 is no address to connect to"),
        ("listeners=PLAINTEXT://:9092", "server.properties:6: controller.listener.names=CONTROLLER: CONTROLLER must appear in listeners"),
        ("listeners=PLAINTEXT://:9092,CONTROLLER://:9092", "Each listener must have a different port"),
        ("inter.broker.listener.name=CONTROLLER", "server.properties:10: inter.broker.listener.name=CONTROLLER: brokers are to speak on"),
        ("listeners=PLAINTEXT://:9092,CONTROLLER://:9093,X://:9094", "No security protocol defined for listener X"),
        ("broker.id=2", "server.properties:10: broker.id=2: it must be the same as node.id (1), or left out"),
        ("log.retention.ms=0", "server.properties:10: log.retention.ms=0: "),
        ("authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer", "this node enforces no ACLs"),
        ("process.roles=broker", "is only a broker"),
        ("remote.log.storage.system.enable=true", "this node has no tiered storage"),
        (
            "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:SASL_SSL",
            "listener PLAINTEXT is SASL_SSL, and this node speaks PLAINTEXT only",
        ),
    ],
)
def test_refuses(tmp_path: Path, more: str, message: str) -> None:
    assert message in problem(tmp_path, more)


def test_all_bad_values_are_told_at_once(tmp_path: Path) -> None:
    assert len(problem(tmp_path, "num.partitions=0\nnum.io.threads=x\n").splitlines()) == 2


def test_what_is_missing(tmp_path: Path) -> None:
    assert problem(tmp_path, text="log.dirs=/data\n").splitlines() == [
        "server.properties: controller.listener.names is missing: name the listener for controllers, such as controller.listener.names=CONTROLLER",
        "server.properties: node.id is missing: each node needs a number of its own, such as node.id=1",
        "server.properties: process.roles is missing: write process.roles=broker,controller",
    ]
    with pytest.raises(InvalidNodeConfig, match="No such file"):
        read_node_config(str(tmp_path / "none.properties"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("num.partitons=3", "num.partitons is ignored: no key of this name; did you mean num.partitions?"),
        ("zookeeper.connect=a:2181", "zookeeper.connect is ignored: gone in 4.0"),
        ("inter.broker.protocol.version=3.9", "inter.broker.protocol.version is ignored: gone in 4.0"),
        ("retention.ms=7", "retention.ms is ignored: a topic's key; for all topics of this node write log.retention.ms"),
        ("leader.replication.throttled.rate=7", "it can only be set while brokers run"),
        ("log.dirs=/data,/data", "log.dirs=/data,/data names one directory twice; give each disk its own"),
        ("metric.reporters=com.example.Reporter", "ignored: this node loads no Java classes"),
    ],
)
def test_warns(tmp_path: Path, line: str, message: str) -> None:
    (warning,) = read(tmp_path, line).warnings
    assert message in warning
    assert "server.properties:10" in warning


def test_a_listeners_own_key_is_no_reason_to_warn(tmp_path: Path) -> None:
    assert read(tmp_path, "listener.name.plaintext.max.connections=9").warnings == ()


def test_dynamic_configs_make_another_config(tmp_path: Path) -> None:
    config = read(tmp_path, "log.retention.ms=5\n")
    changed = config.reconfigured({"log.retention.hours": "9", "log.retention.ms": "1000", "node.id": "7"}, {"num.network.threads": "x"})
    assert changed.topic_settings({}).retention_ms == 1000
    assert (changed.node_id, changed.network.threads) == (1, 3)
    assert changed.topic_settings({"retention.ms": "3"}).retention_ms == 3


def test_a_running_node_keeps_what_it_has_when_stored_configs_do_not_fit(tmp_path: Path) -> None:
    """They may have come by a controller, which doesn't ask the broker."""
    config = read(tmp_path, "log.retention.ms=5\n")
    present = config.reconfigured({"log.retention.ms": "1000"}, {})
    for broken in ({"listeners": "CONTROLLER://:9093"}, {"listener.security.protocol.map": "PLAINTEXT:SSL,CONTROLLER:PLAINTEXT"}):
        assert config.reconfigured({}, broken, present) is present


@pytest.mark.parametrize(
    ("line", "name"),
    [("", "PLAINTEXT"), ("inter.broker.listener.name=INSIDE", "INSIDE"), ("security.inter.broker.protocol=SSL", "SSL")],
)
def test_the_brokers_own_listener(line: str, name: str) -> None:
    text = COMBINED.replace("inter.broker.listener.name=PLAINTEXT", line).replace(
        "PLAINTEXT:PLAINTEXT", "PLAINTEXT:PLAINTEXT,INSIDE:PLAINTEXT,SSL:SSL"
    )
    text += "listeners=PLAINTEXT://:9092,INSIDE://:9094,SSL://:9095,CONTROLLER://:9093\nadvertised.listeners=PLAINTEXT://a:1,INSIDE://a:2,SSL://a:3\n"
    values, problems = parse_given(Given(*line.split("=", 1), "") for line in text.splitlines() if line)
    assert problems == []
    assert resolve(values).inter_broker == name
