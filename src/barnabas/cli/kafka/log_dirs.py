"""kafka-log-dirs: brokers' log directories with their partitions, as JSON. Flags, output and exit codes of Apache Kafka's LogDirsCommand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .admin_tool import Terse, client_properties, guarded
from .java import EXECUTION, Thrown, hash_order, integer_hash, partition_hash, string_order, wrapped
from .options import Parser, help_or_version, is_integer, require

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from barnabas.client.admin.log_dirs import LogDir
    from barnabas.client.cluster import Cluster

PURPOSE = "This tool helps to query log directory usage on the specified brokers."


def main(argv: Sequence[str]) -> int:
    return guarded(lambda: _execute(argv))


def _execute(argv: Sequence[str]) -> None:
    from .session import open_cluster, run

    parser = Parser()
    bootstrap = parser.required("bootstrap-server", "REQUIRED: the servers to start from.", "The server(s) to use for bootstrapping")
    command_config = parser.required("command-config", "Properties file for the admin client.", "Admin client property file")
    describe = parser.flag("describe", "Print the log directories of the brokers.")
    topic_list = parser.required("topic-list", 'Only these topics, as in "topic1,topic2,topic3".', "Topic list", default="")
    broker_list = parser.required("broker-list", 'Only these brokers, as in "0,1,2".', "Broker list", default="")
    given = parser.parse(argv)
    help_or_version(parser, given, argv, PURPOSE)
    require(parser, given, bootstrap, describe)
    properties = client_properties(given.value(command_config), given.text(bootstrap))
    properties.setdefault("client.id", "log-dirs-tool")
    cluster = open_cluster(properties)
    topics = {name for name in given.text(topic_list).split(",") if name}

    async def act() -> None:
        async with cluster:
            await _describe(cluster, topics, given.text(broker_list))

    run(act())


def _numbers(text: str) -> list[int]:
    words = [word for word in text.split(",") if word]
    for word in words:
        if not is_integer(word):
            raise Thrown(f'For input string: "{word}"', "java.lang.NumberFormatException")
    return hash_order(dict.fromkeys(map(int, words)), integer_hash)


async def _describe(cluster: Cluster, topics: set[str], broker_list: str) -> None:
    from barnabas.client.admin import log_dirs, nodes
    from barnabas.client.errors import KafkaError

    try:
        known = hash_order((node.node_id for node in (await nodes.describe(cluster, call="listNodes")).nodes), integer_hash)
        wanted = _numbers(broker_list)
        unknown = [broker for broker in wanted if broker not in known]
        if unknown:
            raise Terse(
                f"ERROR: The given brokers do not exist from --broker-list: {','.join(map(str, unknown))}. "
                f"Current existent brokers: {','.join(map(str, known))}"
            )
        wanted = wanted or known
        print("Querying brokers for log directories information")
        found = await log_dirs.describe(cluster, wanted)
    except KafkaError as error:
        raise wrapped(error, EXECUTION) from None
    print(f"Received log directory information from brokers {','.join(map(str, wanted))}")
    print(_as_json(found, topics))


def _as_json(found: Mapping[int, Sequence[LogDir]], topics: set[str]) -> str:
    brokers = []
    for broker in hash_order(found, integer_hash, len(found)):
        directories = {directory.path: directory for directory in found[broker]}
        listed = [_directory(directories[path], topics) for path in string_order(directories, len(directories))]
        brokers.append({"broker": broker, "logDirs": listed})
    return json.dumps({"brokers": brokers, "version": 1}, separators=(",", ":"), ensure_ascii=False)


def _directory(directory: LogDir, topics: set[str]) -> dict[str, Any]:
    """In the order of keys and partitions that Apache's tool has."""
    chosen = hash_order([key for key in hash_order(directory.replicas, partition_hash) if not topics or key[0] in topics], partition_hash)
    partitions = [
        {"partition": f"{topic}-{partition}", "size": replica.size_bytes, "offsetLag": replica.offset_lag, "isFuture": replica.future}
        for topic, partition in chosen
        for replica in (directory.replicas[(topic, partition)],)
    ]
    return {"partitions": partitions, "error": directory.failure and directory.failure.java_class, "logDir": directory.path}
