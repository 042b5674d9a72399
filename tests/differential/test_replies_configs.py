"""The same requests about configuration to both engines, whole resources at once: what each kind describes, the levels of loggers, a controller's own listener.

What differs between the two nodes by nature is named: their ports and folders, the loggers that only one has. Documentation: docs/differences.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from barnabas.wire.messages.alter_configs import AlterConfigsRequest
from barnabas.wire.messages.describe_cluster import DescribeClusterRequest
from barnabas.wire.messages.describe_configs import DescribeConfigsRequest
from barnabas.wire.messages.incremental_alter_configs import IncrementalAlterConfigsRequest
from tests.differential.transcript import Client, Transcript, assert_same, module_scripts

if TYPE_CHECKING:
    from tests.nodes import Node

pytestmark = [pytest.mark.apache, pytest.mark.node]

TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP = 2, 4, 8, 16, 32
SET, DELETE, APPEND, SUBTRACT = range(4)
Changes = list[tuple[str, int, str | None]]
Asked = IncrementalAlterConfigsRequest.AlterConfigsResource


def _describe(script: Transcript, kind: int, name: str, note: str = "", keys: list[str] | None = None) -> None:
    """In every version, with and without synonyms and documentation. Documentation is there or isn't; its words are each engine's own."""
    resource = DescribeConfigsRequest.Resource(resource_type=kind, resource_name=name, configuration_keys=keys)
    for version in range(1, 5):
        for synonyms in (False, True):
            for documentation in (False, True) if version >= 3 else (False,):
                request = DescribeConfigsRequest(resources=[resource], include_synonyms=synonyms, include_documentation=documentation)
                reply = script.client.call(request, version)
                for result in reply.results:
                    result.configs = [_named(script, row, documentation) for row in result.configs if kind != BROKER_LOGGER or row.name == "root"]
                script.note(f"DescribeConfigs {version} of {kind} {name!r} {note} {synonyms} {documentation}", reply)


def _named(script: Transcript, row: Any, documentation: bool) -> Any:
    """A row without what differs by nature."""
    if documentation and row.documentation:
        row.documentation = "in some words"
    row.value = _without_places(script, row.value)
    for synonym in row.synonyms:
        synonym.value = _without_places(script, synonym.value)
    return row


def _without_places(script: Transcript, value: str | None) -> str | None:
    if value is None:
        return None
    for listener in script.node.properties["listeners"].split(","):
        name, _, port = listener.partition("://")[0], "", listener.rpartition(":")[2]
        value = value.replace(f"127.0.0.1:{port}", f"the port of {name}")
    return value.replace(str(script.node.properties_file.parent), "the node's folder")


def describe_topic(script: Transcript) -> None:
    script.create_topic("whole-plain")
    script.create_topic("whole", configs={"retention.ms": "777", "cleanup.policy": "compact,delete", "segment.bytes": "2000000"})
    for name in ("whole-plain", "whole", "whole-absent", "a/b", ""):
        _describe(script, TOPIC, name)
    _describe(script, TOPIC, "whole", "some", ["retention.ms", "nonsense", "internal.segment.bytes"])


def describe_broker(script: Transcript) -> None:
    for name in ("1", "", "01", "+1", "-1", "9", "x", "2147483648"):
        _describe(script, BROKER, name)
    changes: Changes = [("log.retention.ms", SET, "99999999"), ("listener.name.plaintext.max.connections", SET, "2000"), ("plugin.secret", SET, "x")]
    _alter(script, BROKER, "1", changes, "to describe")
    _alter(script, BROKER, "", [("log.retention.ms", SET, "88888888"), ("min.insync.replicas", SET, "1")], "to describe")
    script.settle()
    for name in ("1", ""):
        _describe(script, BROKER, name, "changed")
        _describe(script, BROKER, name, "changed, some", ["log.retention.ms", "plugin.secret", "nonsense"])
    _alter(script, BROKER, "1", [(key, DELETE, None) for key, _, _ in changes], "undo")
    _alter(script, BROKER, "", [("log.retention.ms", DELETE, None), ("min.insync.replicas", SET, "1")], "undo")
    script.settle()
    _describe(script, BROKER, "1", "changed back")


def describe_group(script: Transcript) -> None:
    _describe(script, GROUP, "whole-group")
    _describe(script, GROUP, "")
    _alter(script, GROUP, "whole-group", [("consumer.session.timeout.ms", SET, "50000"), ("share.auto.offset.reset", SET, "earliest")], "to describe")
    script.settle()
    _describe(script, GROUP, "whole-group", "changed")
    for note, key, operation, value in (
        ("unknown", "nonsense", SET, "1"),
        ("no number", "consumer.session.timeout.ms", SET, "x"),
        ("too short", "consumer.session.timeout.ms", SET, "1"),
        ("too long", "consumer.session.timeout.ms", SET, "100000000"),
        ("below the heartbeat", "consumer.heartbeat.interval.ms", SET, "60000"),
        ("list", "consumer.session.timeout.ms", APPEND, "1"),
        ("no reset", "share.auto.offset.reset", SET, "yesterday"),
        ("reset by duration", "share.auto.offset.reset", SET, "by_duration:P1D"),
    ):
        _alter(script, GROUP, "whole-group", [(key, operation, value)], note)
    _alter(script, GROUP, "", [("consumer.session.timeout.ms", SET, "50000")], "no group")
    _alter(script, GROUP, "whole-group", [("consumer.session.timeout.ms", DELETE, None), ("share.auto.offset.reset", DELETE, None)], "undo")


def describe_client_metrics(script: Transcript) -> None:
    _describe(script, CLIENT_METRICS, "whole-metrics")
    _describe(script, CLIENT_METRICS, "")
    _alter(script, CLIENT_METRICS, "whole-metrics", [("interval.ms", SET, "1000"), ("metrics", SET, "a.b,c"), ("match", SET, "client_id=x.*")], "")
    script.settle()
    _describe(script, CLIENT_METRICS, "whole-metrics", "changed")
    for note, key, value in (
        ("unknown", "nonsense", "1"),
        ("no number", "interval.ms", "x"),
        ("too short", "interval.ms", "99"),
        ("too long", "interval.ms", "3600001"),
        ("no match", "match", "x"),
        ("unknown parameter", "match", "color=red"),
        ("no pattern", "match", "client_id=["),
    ):
        _alter(script, CLIENT_METRICS, "whole-metrics", [(key, SET, value)], note)
    _alter(script, CLIENT_METRICS, "whole-metrics", [("metrics", APPEND, "d")], "list")
    _alter(script, CLIENT_METRICS, "", [("interval.ms", SET, "1000")], "no name")
    _alter(script, CLIENT_METRICS, "whole-metrics", [(key, DELETE, None) for key in ("interval.ms", "metrics", "match")], "undo")


def _alter(script: Transcript, kind: int, name: str, changes: Changes, note: str, client: Client | None = None) -> None:
    configs = [Asked.AlterableConfig(name=key, config_operation=operation, value=value) for key, operation, value in changes]
    for version, dry in ((1, True), (1, False), (0, False)):
        request = IncrementalAlterConfigsRequest(resources=[Asked(resource_type=kind, resource_name=name, configs=configs)], validate_only=dry)
        script.note(f"IncrementalAlterConfigs {version} of {kind} {name!r} {note} {changes} {dry}", (client or script.client).call(request, version))


def loggers(script: Transcript) -> None:
    for level in ("DEBUG", "ERROR", "FATAL", "INFO", "TRACE", "WARN", "warn", "OFF", "ALL", "NONSENSE", "", None):
        _alter(script, BROKER_LOGGER, "1", [("root", SET, level)], "")
        _describe(script, BROKER_LOGGER, "1", f"after {level}")
    for changes in (
        [("nonsense", SET, "INFO")],
        [("", SET, "INFO")],
        [("nonsense", DELETE, None)],
        [("root", DELETE, None)],
        [("root", APPEND, "INFO")],
        [("root", SUBTRACT, "INFO")],
        [("root", 9, "INFO")],
        [("root", SET, "INFO"), ("root", SET, "WARN")],
        [("root", SET, "INFO"), ("nonsense", SET, "WARN")],
        [],
    ):
        _alter(script, BROKER_LOGGER, "1", changes, "")
    for name in ("", "2", "x", "-1", "01", "+1"):
        _alter(script, BROKER_LOGGER, name, [("root", SET, "INFO")], "")
        _describe(script, BROKER_LOGGER, name)
    old = AlterConfigsRequest.Resource
    resource = old(resource_type=BROKER_LOGGER, resource_name="1", configs=[old.AlterableConfig(name="root", value="INFO")])
    script.all_versions(lambda _: AlterConfigsRequest(resources=[resource], validate_only=False), "loggers")
    _alter(script, BROKER_LOGGER, "1", [("root", SET, "WARN")], "as it was")


def broker_changes_that_are_refused(script: Transcript) -> None:
    for key, operation, value in (
        ("node.id", SET, "2"),
        ("log.retention.ms", SET, "x"),
        ("log.retention.ms", SET, "0"),
        ("log.retention.ms", APPEND, "1"),
        ("log.cleanup.policy", SET, "shred"),
        ("log.cleanup.policy", APPEND, "shred"),
        ("log.roll.ms", SET, "0"),
        ("log.segment.bytes", SET, "1"),
        ("compression.type", SET, "rar"),
        ("min.insync.replicas", SET, "0"),
        ("num.io.threads", SET, "1"),
        ("num.io.threads", SET, "100"),
        ("background.threads", SET, "0"),
        ("num.network.threads", SET, "50"),
        ("log.cleaner.threads", SET, "9"),
        ("num.recovery.threads.per.data.dir", SET, "9"),
        ("ssl.keystore.location", SET, "/x"),
        ("log.local.retention.ms", SET, "999999999999"),
        ("max.connections", SET, "-1"),
        ("max.connections.per.ip.overrides", SET, "nonsense"),
        ("max.connections.per.ip.overrides", SET, "127.0.0.1:x"),
        ("max.connections.per.ip.overrides", SET, "a b:1,127.0.0.1:1"),
        ("max.connections.per.ip", SET, "0"),
        ("log.local.retention.bytes", SET, "-1"),
        ("log.local.retention.ms", SET, "-1"),
        ("log.retention.bytes", SET, "-2"),
        ("log.roll.jitter.ms", SET, "-1"),
        ("log.cleaner.threads", SET, "0"),
        ("num.replica.fetchers", SET, "9"),
        ("remote.log.reader.threads", SET, "100"),
        ("remote.log.manager.copier.thread.pool.size", SET, "1"),
        ("producer.id.expiration.ms", SET, "-1"),
        ("group.consumer.assignment.interval.ms", SET, "-1"),
        ("group.coordinator.cached.buffer.max.bytes", SET, "1"),
        ("config.providers", SET, "x"),
        ("message.max.bytes", SET, "-1"),
        ("unclean.leader.election.enable", SET, "perhaps"),
        ("max.connection.creation.rate", SET, "-1"),
        ("advertised.listeners", SET, "PLAINTEXT://a:1"),
        ("log.segment.delete.delay.ms", SET, "-1"),
        ("log.index.size.max.bytes", SET, "1"),
        ("log.cleaner.dedupe.buffer.size", SET, "1"),
        ("log.message.timestamp.type", SET, "Never"),
        ("nonsense", APPEND, "x"),
        ("log.retention.ms", 9, "1"),
    ):
        for name in ("1", ""):
            _alter(script, BROKER, name, [(key, operation, value)], "")
    for name in ("x", "9", "-1", "2147483648"):
        _alter(script, BROKER, name, [("log.retention.ms", SET, "1000")], "")


def topic_changes_that_are_refused(script: Transcript) -> None:
    script.create_topic("refusing")
    for key, operation, value in (
        ("nonsense", SET, "1"),
        ("retention.ms", SET, "x"),
        ("retention.ms", SET, "-2"),
        ("retention.ms", SET, str(1 << 63)),
        ("cleanup.policy", SET, "shred"),
        ("cleanup.policy", SET, ""),
        ("cleanup.policy", SET, "delete,delete"),
        ("cleanup.policy", SET, "delete,,compact"),
        ("compression.type", SET, "rar"),
        ("compression.gzip.level", SET, "20"),
        ("compression.zstd.level", SET, "99"),
        ("min.cleanable.dirty.ratio", SET, "2"),
        ("min.cleanable.dirty.ratio", SET, "x"),
        ("min.compaction.lag.ms", SET, str((1 << 63) - 1)),
        ("message.timestamp.type", SET, "Never"),
        ("preallocate", SET, "perhaps"),
        ("segment.bytes", SET, "1"),
        ("flush.ms", SET, "-1"),
        ("leader.replication.throttled.replicas", SET, "x"),
        ("remote.storage.enable", SET, "true"),
        ("local.retention.ms", SET, "-3"),
        ("max.message.bytes", SET, "-1"),
        ("retention.ms", SET, "9" * 32_000),
    ):
        _alter(script, TOPIC, "refusing", [(key, operation, value)], key)


def on_the_controllers_listener(script: Transcript) -> None:
    listener = next(each for each in script.node.properties["listeners"].split(",") if each.startswith("CONTROLLER"))
    client = Client(int(listener.rpartition(":")[2]))
    script.create_topic("by-the-controller")
    for kind, name, changes in (
        (BROKER_LOGGER, "1", [("root", SET, "WARN")]),
        (BROKER_LOGGER, "2", [("root", SET, "WARN")]),
        (BROKER_LOGGER, "1", [("nonsense", SET, "WARN")]),
        (BROKER_LOGGER, "1", [("root", 9, "WARN")]),
        (77, "x", [("a", SET, "b")]),
        (3, "x", [("a", SET, "b")]),
        (TOPIC, "by-the-controller", [("retention.ms", SET, "5")]),
        (TOPIC, "by-the-controller", [("retention.ms", SET, "x")]),
        (TOPIC, "absent", [("retention.ms", SET, "5")]),
        (TOPIC, "a/b", [("retention.ms", SET, "5")]),
        (TOPIC, "", [("retention.ms", SET, "5")]),
        (BROKER, "9", [("log.retention.ms", SET, "5000")]),
        (BROKER, "x", [("log.retention.ms", SET, "5000")]),
        (BROKER, "-1", [("log.retention.ms", SET, "5000")]),
        (GROUP, "", [("consumer.session.timeout.ms", SET, "50000")]),
    ):
        _alter(script, kind, name, changes, "controller", client)
    same = Asked(resource_type=TOPIC, resource_name="by-the-controller", configs=[])
    for count in (2, 3):
        script.note(f"{count} times", client.call(IncrementalAlterConfigsRequest(resources=[same] * count, validate_only=False), 1))
    old = AlterConfigsRequest.Resource
    for kind, name in ((BROKER_LOGGER, "1"), (77, "x"), (TOPIC, "by-the-controller")):
        resource = old(resource_type=kind, resource_name=name, configs=[old.AlterableConfig(name="retention.ms", value="7")])
        for count in (1,) if kind == 77 else (1, 2):  # doubles of no kind are never answered by Apache Kafka
            script.note(f"AlterConfigs {kind} {count}", client.call(AlterConfigsRequest(resources=[resource] * count, validate_only=False), 2))
    for endpoint_type in (1, 3):
        request = DescribeClusterRequest(include_cluster_authorized_operations=False, endpoint_type=endpoint_type)
        script.note(f"DescribeCluster {endpoint_type}", client.call(request, 1))
    client.close()


@pytest.mark.parametrize("script", module_scripts(__name__), ids=lambda script: script.__name__)
def test_same_replies(script: object, apache_node: Node, barnabas_node: Node) -> None:
    assert_same(script, apache_node, barnabas_node)  # type: ignore[arg-type]
