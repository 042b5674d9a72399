"""kafka-delete-records: delete what lies before an offset of each partition. Flags, output and exit codes of Apache Kafka's DeleteRecordsCommand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import json_input
from .admin_tool import client_properties, guarded
from .java import Thrown, hash_order, java_text, log_line, partition_hash
from .options import Parser, help_or_version, require

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from barnabas.client.cluster import Cluster
    from barnabas.client.errors import KafkaError

PURPOSE = "This tool helps to delete records of the given partitions down to the specified offset."
EARLIEST_VERSION = 1
_FORMAT = '{"partitions":\n  [{"topic": "foo", "partition": 1, "offset": 1}],\n "version":1\n}'
_REFUSED = "org.apache.kafka.tools.AdminOperationException"


def main(argv: Sequence[str]) -> int:
    return guarded(lambda: _execute(argv))


def _execute(argv: Sequence[str]) -> None:
    from .session import open_cluster, run

    parser = Parser()
    bootstrap = parser.required("bootstrap-server", "REQUIRED: the server to start from.", "server(s) to use for bootstrapping")
    path = parser.required(
        "offset-json-file", f"REQUIRED: a JSON file with the offset of each partition, -1 for its end, like this:\n{_FORMAT}", "Offset json file path"
    )
    command_config = parser.required("command-config", "Properties file for the admin client.", "command config property file path")
    given = parser.parse(argv)
    help_or_version(parser, given, argv, PURPOSE)
    require(parser, given, bootstrap, path)
    cluster = open_cluster(client_properties(given.value(command_config), given.text(bootstrap)))
    offsets = parse_offsets(json_input.read_text(given.text(path)))

    async def act() -> None:
        async with cluster:
            from barnabas.client.admin import records
            from barnabas.client.errors import KafkaError

            print("Executing records delete operation")
            outcomes = await records.delete(cluster, offsets)
            print("Records delete operation completed:")
            for (topic, partition), outcome in sorted(outcomes.items(), key=lambda item: item[0]):
                said = f"low_watermark: {outcome}"
                if isinstance(outcome, KafkaError):
                    said = f"error: {java_text(outcome)}"
                    _complain(cluster, f"{topic}-{partition}", outcome)
                print(f"partition: {topic}-{partition}\t{said}")

    run(act())


def _complain(cluster: Cluster, partition: str, failure: KafkaError) -> None:
    """What the log of Apache's client says of a refusal by the partition's leader."""
    if not failure.retriable:
        reason = "an error" if failure.error.name == "TOPIC_AUTHORIZATION_FAILED" else "an unexpected error"
        who = f"[AdminClient clientId={cluster.settings.client_id}]"
        said = f"{who} DeleteRecords request for topic partition {partition} failed due to {reason} {failure.error.name}"
        log_line("ERROR", said, "org.apache.kafka.clients.admin.internals.DeleteRecordsHandler")


def parse_offsets(text: str) -> Mapping[tuple[str, int], int]:
    """(topic, partition) -> offset. Raises Thrown."""
    value = json_input.parse(text)
    if value is None:
        raise Thrown("The input string is not a valid JSON", _REFUSED)
    given = json_input.as_object(value)
    version = json_input.as_number(given.get("version", EARLIEST_VERSION))
    if version != EARLIEST_VERSION:
        raise Thrown(f"Not supported version field value {version}", _REFUSED)
    if "partitions" not in given:
        raise Thrown("Missing partitions field", _REFUSED)
    offsets: dict[tuple[str, int], int] = {}
    twice: dict[tuple[str, int], None] = {}
    for entry in json_input.as_array(given["partitions"]):
        topic = json_input.as_text(json_input.field(entry, "topic"))
        key = (topic, json_input.as_number(json_input.field(entry, "partition")))
        if key in offsets:
            twice[key] = None
        offsets[key] = json_input.as_number(json_input.field(entry, "offset"), bits=63)
    if twice:
        listed = ",".join(f"{topic}-{partition}" for topic, partition in hash_order(twice, partition_hash))
        raise Thrown(f"Offset json file contains duplicate topic partitions: {listed}", "org.apache.kafka.tools.AdminCommandFailedException")
    return offsets
