"""Which changes of dynamic broker configs a running broker takes."""

from __future__ import annotations

import pytest

from barnabas.core.configs.broker_alterations import APPEND, DELETE, SET, SUBTRACT, after_increments, validate_broker
from barnabas.core.configs.definitions.broker import BROKER
from barnabas.core.configs.error import ConfigError
from barnabas.core.configs.resolution import usable_dynamic
from barnabas.core.configs.values import Values, parse
from barnabas.wire.errors import Error

MAP = "listener.security.protocol.map"
PLAIN = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"
MINE = "PLAINTEXT://:9092,CONTROLLER://:9093"
STATIC = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.voters": "1@localhost:9093",
    "listeners": MINE,
    "controller.listener.names": "CONTROLLER",
    "broker.id": "1",
}
PRESENT = Values(BROKER, {name: parse(BROKER[name], text) for name, text in STATIC.items()})


def validate(configs: dict[str, str], *, per_broker: bool = True) -> None:
    validate_broker(configs, STATIC, {}, {}, PRESENT, per_broker=per_broker)


def test_increments() -> None:
    stored = {"log.cleanup.policy": "delete", "num.io.threads": "9"}
    changes = [("log.cleanup.policy", APPEND, "compact,delete"), ("num.io.threads", DELETE, None), ("background.threads", SET, "5")]
    assert after_increments(stored, changes, per_broker=True) == {"log.cleanup.policy": "delete,compact", "background.threads": "5"}
    assert after_increments({}, [("log.cleanup.policy", SUBTRACT, "delete")], per_broker=True) == {"log.cleanup.policy": ""}


@pytest.mark.parametrize(("key", "operation"), [("num.io.threads", APPEND), ("no.such.key", SUBTRACT)])
def test_only_lists_grow_and_shrink(key: str, operation: int) -> None:
    with pytest.raises(ConfigError) as refused:
        after_increments({}, [(key, operation, "1")], per_broker=True)
    assert refused.value.error == Error.INVALID_CONFIG


@pytest.mark.parametrize(
    ("configs", "message"),
    [
        ({"node.id": "2"}, "Cannot update these configs dynamically: [node.id]"),
        ({"ssl.keystore.location": "/k"}, "only per-listener"),
        ({"log.retention.ms": "x"}, "Invalid value x for configuration log.retention.ms: Not a number of type LONG"),
        ({"log.retention.ms": "0"}, "log.retention.ms must be unlimited"),
        ({"num.io.threads": "17"}, "should not be greater than double the current value 8"),
        ({"num.network.threads": "7"}, "should not be greater than double the current value 3"),
        ({"log.local.retention.bytes": "10", "log.retention.bytes": "9"}, "Value must not be more than log.retention.bytes property value: 9"),
        ({"listeners": "CONTROLLER://:9093"}, "a broker needs a listener"),
        ({"listeners": "OTHER://:9095,CONTROLLER://:9093", MAP: f"{PLAIN},OTHER:PLAINTEXT"}, "must be one of advertised.listeners"),
        ({"listeners": f"{MINE},OTHER://:9095"}, "No security protocol defined for listener OTHER"),
        ({"listeners": f"{MINE},OTHER://:9095", MAP: f"{PLAIN},OTHER:SSL"}, "listener OTHER is SSL, and this node speaks PLAINTEXT only"),
        ({MAP: "PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT"}, "Security protocol cannot be updated for existing listener PLAINTEXT"),
        ({MAP: PLAIN, "listener.name.plaintext.x.y": "1"}, "Configs cannot be updated dynamically for existing listener PLAINTEXT"),
    ],
)
def test_refuses(configs: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        validate(configs)
    assert message in refused.value.message
    assert refused.value.error == Error.INVALID_REQUEST


def test_takes() -> None:
    validate({"log.retention.ms": "5", "num.io.threads": "16", "plugin.key": "x", "leader.replication.throttled.rate": "7"})


@pytest.mark.parametrize(
    "configs",
    [
        {"listeners": f"{MINE},OTHER://:9095", MAP: f"{PLAIN},OTHER:PLAINTEXT", "listener.name.other.x.y": "1"},
        {"listeners": "PLAINTEXT://:9096,CONTROLLER://:9093"},  # which waits for a start, as in Apache Kafka
        {MAP: PLAIN},
        {"listener.name.plaintext.x.y": "1"},
        {"listeners": MINE, "listener.name.plaintext.max.connections": "7"},
    ],
)
def test_takes_listeners(configs: dict[str, str]) -> None:
    validate(configs)


def test_what_is_told_stays_bound() -> None:
    """Without advertised.listeners all that are bound are told: none goes any more."""
    layer = {"listeners": f"{MINE},OTHER://:9095", MAP: f"{PLAIN},OTHER:PLAINTEXT"}
    present = Values(BROKER, {name: parse(BROKER[name], text) for name, text in (STATIC | layer).items()})
    with pytest.raises(ConfigError, match="Advertised listeners 'PLAINTEXT, OTHER' must be a subset"):
        validate_broker({MAP: layer[MAP]}, STATIC, {}, layer, present, per_broker=True)


def test_per_broker_keys_are_no_cluster_default() -> None:
    with pytest.raises(ConfigError, match="broker id must be specified"):
        validate({"listener.name.plaintext.ssl.keystore.location": "/k"}, per_broker=False)
    validate({"listener.name.plaintext.max.connections": "7"}, per_broker=False)


def test_what_is_stored_but_does_not_apply_is_left_out() -> None:
    stored = {"log.retention.ms": "x", "node.id": "3", "num.io.threads": "4", "listeners": "PLAINTEXT://:1"}
    assert usable_dynamic(stored, per_broker=False) == {"num.io.threads": "4"}
    assert set(usable_dynamic(stored, per_broker=True)) == {"num.io.threads", "listeners"}
