"""The application on real nodes: one a test, one for all, several at once; restarted, killed, silent."""

from __future__ import annotations

import time
from contextlib import closing

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic
from orders import Placer, Totals


def test_orders_are_counted(kafka_node):
    placer = Placer(kafka_node.bootstrap)
    for amount in (3, 4, 5):
        placer.place("ann", amount)
    placer.place("bob", 1)
    with closing(Totals(kafka_node.bootstrap)) as totals:
        assert totals.read(4) == 4
        assert totals.of == {"ann": 12, "bob": 1}


def test_each_test_has_an_empty_node(kafka_node):
    assert list(AdminClient({"bootstrap.servers": kafka_node.bootstrap}).list_topics(timeout=10).topics) == []


def test_orders_outlive_a_crash(kafka_node):
    placer = Placer(kafka_node.bootstrap)
    placer.place("ann", 3)
    kafka_node.kill()
    kafka_node.start()
    placer.place("ann", 4)  # the same producer: it finds the node again by itself
    with closing(Totals(kafka_node.bootstrap)) as totals:
        assert totals.read(2) == 2
        assert totals.of == {"ann": 7}


def test_counting_goes_on_where_it_stopped(kafka_node):
    placer = Placer(kafka_node.bootstrap)
    placer.place("ann", 3)
    with closing(Totals(kafka_node.bootstrap)) as totals:
        assert totals.read(1) == 1
    kafka_node.restart()
    placer.place("bob", 2)
    with closing(Totals(kafka_node.bootstrap)) as totals:
        assert totals.read(1) == 1
        assert totals.of == {"bob": 2}


def test_an_order_that_nobody_takes(kafka_node):
    placer = Placer(kafka_node.bootstrap, timeout_s=1)
    placer.place("ann", 3)
    kafka_node.pause()
    with pytest.raises(KafkaException):
        placer.place("ann", 4)
    kafka_node.resume()


@pytest.mark.kafka_properties({"message.max.bytes": 2000})
def test_an_order_that_is_too_large(kafka_node):
    with pytest.raises(KafkaException, match="MSG_SIZE_TOO_LARGE"):
        Placer(kafka_node.bootstrap).place("a" * 3000, 3)


def test_the_projects_own_properties(kafka_node):
    resource = ConfigResource(ConfigResource.Type.BROKER, "1")
    admin = AdminClient({"bootstrap.servers": kafka_node.bootstrap})
    found = admin.describe_configs([resource])[resource].result(10)
    assert found["num.partitions"].value == "3"


def test_two_clusters(kafka_nodes):
    near, far = kafka_nodes(), kafka_nodes({"num.partitions": 1})
    assert near.bootstrap != far.bootstrap
    Placer(near.bootstrap).place("ann", 3)
    with closing(Consumer({"bootstrap.servers": far.bootstrap, "group.id": "any"})) as consumer:
        assert "orders" not in consumer.list_topics(timeout=10).topics


@pytest.mark.parametrize("name", ["one", "two"])
def test_a_shared_node_with_names_of_ones_own(kafka_session_node, name):
    admin = AdminClient({"bootstrap.servers": kafka_session_node.bootstrap})
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(10)
    with closing(Consumer({"bootstrap.servers": kafka_session_node.bootstrap, "group.id": name})) as consumer:
        assert consumer.get_watermark_offsets(TopicPartition(name, 0), timeout=10) == (0, 0)


def test_how_long_a_node_takes(kafka_nodes, record_property):
    took_s = []
    for _ in range(3):
        began = time.monotonic()
        kafka_nodes()
        took_s.append(time.monotonic() - began)
    print(f"a node serves after {min(took_s):.3f} s at best, {max(took_s):.3f} s at worst")
    record_property("node_start_s", min(took_s))
