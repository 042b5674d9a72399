"""Every key of topics and brokers with values of every kind, asked of both engines by IncrementalAlterConfigs (validate only): taken and refused alike."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import pytest

from barnabas.core.configs.definitions.broker import BROKER
from barnabas.core.configs.topic_settings import ROWS as TOPIC
from barnabas.wire.apis import APIS
from barnabas.wire.errors import Error
from barnabas.wire.framing import encode_request, read_response_header
from barnabas.wire.messages.delete_topics import DeleteTopicsRequest
from barnabas.wire.messages.incremental_alter_configs import IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse
from tests.differential.transcript import Client
from tests.directories import create

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.nodes import Node

pytestmark = [pytest.mark.apache, pytest.mark.node]

AT_ONCE = 100
"""Requests on a connection before their answers are read."""
SET, DELETE, APPEND = 0, 1, 2
ON_TOPIC, ON_BROKER = 2, 4
VALUES = ("", "abc", "-1", "0", "5", "1.5", "9223372036854775808", "a,b")
FOR_ALL_BROKERS = ("", "abc", "5")
CLASSES = {"metric.reporters": "org.apache.kafka.common.metrics.JmxReporter"} | {
    name: row[2] for name, row in BROKER.items() if row[1] == "class" and isinstance(row[2], str)
}
MORE = ("nonsense", "listener.name.plaintext.max.connections", "listener.name.x.ssl.keystore.type", "leader.replication.throttled.rate")
# Where Apache Kafka's broker stumbles over a list that it can't append to, and says nothing but that.
STUMBLES = {"process.roles", "controller.listener.names"}

Question = tuple[int, str, str, int, str | None]
"""(resource type, resource, key, operation, value)"""


def questions() -> Iterable[Question]:
    for kind, name, keys in ((ON_TOPIC, "values", (*TOPIC, *MORE)), (ON_BROKER, "1", (*BROKER, *MORE)), (ON_BROKER, "", (*BROKER, *MORE))):
        for key in keys:
            yield from ((kind, name, key, SET, value) for value in (VALUES if name else FOR_ALL_BROKERS))
            yield kind, name, key, DELETE, None
            yield kind, name, key, APPEND, "5"
            if key in CLASSES:
                yield kind, name, key, SET, CLASSES[key]


def answers(node: Node, asked: list[Question]) -> list[str]:
    create(node, "values")
    Resource = IncrementalAlterConfigsRequest.AlterConfigsResource
    api = APIS[IncrementalAlterConfigsRequest.api_key]
    found = []
    with closing(Client(node.port)) as client:
        client.socket.settimeout(60)
        for start in range(0, len(asked), AT_ONCE):
            some = asked[start : start + AT_ONCE]
            for number, (kind, name, key, operation, value) in enumerate(some):
                config = Resource.AlterableConfig(name=key, config_operation=operation, value=value)
                resources = [Resource(resource_type=kind, resource_name=name, configs=[config])]
                client.send(encode_request(api, 1, number, "values", IncrementalAlterConfigsRequest(resources=resources, validate_only=True)))
            for number, _ in enumerate(some):
                body = client.read_frame()
                correlation, position = read_response_header(body, api, 1)
                assert correlation == number
                reply: IncrementalAlterConfigsResponse = api.response().decode_from(body, 1, position)[0]
                found.append(Error(reply.responses[0].error_code).name)
        client.call(DeleteTopicsRequest(topics=[DeleteTopicsRequest.DeleteTopicState(name="values")], timeout_ms=20_000), 6)
    return found


def test_values_of_every_key(apache_node: Node, barnabas_node: Node) -> None:
    asked = list(questions())
    assert len(asked) > 4000
    with ThreadPoolExecutor(2) as pool:
        theirs, ours = pool.map(partial(answers, asked=asked), (apache_node, barnabas_node))
    assert len(set(theirs)) > 3
    differing = [(question, *pair) for question, *pair in zip(asked, theirs, ours, strict=True) if pair[0] != pair[1]]
    assert {question[2] for question, *_ in differing if question[3] == APPEND} == STUMBLES
    assert [row for row in differing if row[0][2] not in STUMBLES or row[0][3] != APPEND] == []
