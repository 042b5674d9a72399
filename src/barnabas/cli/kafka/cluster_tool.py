"""kafka-cluster: the cluster's id, its endpoints, and unregistering a broker. Flags, output and exit codes of Apache Kafka's ClusterTool."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .admin_tool import bootstrapped, guarded
from .argparse4j import ArgumentError, HelpWanted
from .flat_arguments import Argument
from .java import EXECUTION, Thrown, hash_order, integer_hash, log_line, wrapped
from .subcommands import Command, Tool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from barnabas.client.cluster import Cluster

    from .flat_arguments import Given

CONNECTION = (
    Argument("--bootstrap-server", "Brokers to start from, host:port by commas.", short="-b", in_group=True),
    Argument("--bootstrap-controller", "Controllers to start from, host:port by commas.", short="-C", in_group=True),
    Argument("--config", "Deprecated: use --command-config."),
    Argument("--command-config", "Properties file for the admin client.", short="-c"),
)
TOOL = Tool(
    "kafka-cluster",
    "Asks a cluster who it is.",
    (
        Command("cluster-id", "Print the cluster's id.", CONNECTION),
        Command(
            "unregister",
            "Let the cluster forget a broker that is gone for good.",
            (*CONNECTION, Argument("--id", "The broker's id.", kind="Integer", required=True, short="-i")),
        ),
        Command(
            "list-endpoints",
            "Print the addresses of brokers, or of controllers.",
            (*CONNECTION, Argument("--include-fenced-brokers", "Brokers that are fenced too.", kind="Flag")),
        ),
    ),
)
_LOGGER = "org.apache.kafka.clients.admin.KafkaAdminClient"


def main(argv: Sequence[str]) -> int:
    try:
        command, given = TOOL.parse(argv)
    except HelpWanted as page:
        print(page)
        return 1
    except ArgumentError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return guarded(lambda: _execute(command, given))


def _execute(command: str, given: Given) -> None:
    from .session import open_cluster, run

    config = given.one("--command-config")
    if given.has("--config"):
        if config is not None:
            raise Thrown("--config and --command-config cannot be specified together.", "net.sourceforge.argparse4j.inf.ArgumentParserException")
        print("Option --config has been deprecated and will be removed in a future version. Use --command-config instead.")
        config = given.one("--config")
    cluster = open_cluster(bootstrapped(config, given))

    async def act() -> None:
        from barnabas.client.errors import KafkaError

        async with cluster:
            try:
                if command == "cluster-id":
                    await _cluster_id(cluster)
                elif command == "unregister":
                    await _unregister(cluster, given.number("--id"))
                else:
                    await _list_endpoints(cluster, fenced=given.has("--include-fenced-brokers"))
            except KafkaError as error:
                raise wrapped(error, EXECUTION) from None

    run(act())


async def _cluster_id(cluster: Cluster) -> None:
    from barnabas.client.admin import nodes

    print(f"Cluster ID: {(await nodes.describe(cluster, call='listNodes')).cluster_id}")


async def _unregister(cluster: Cluster, broker_id: int) -> None:
    from barnabas.client.admin import nodes
    from barnabas.client.errors import KafkaError
    from barnabas.wire.errors import Error

    try:
        await nodes.unregister(cluster, broker_id)
        print(f"Broker {broker_id} is no longer registered.")
    except KafkaError as error:
        if error.error is Error.UNSUPPORTED_VERSION:
            print("The target cluster does not support the broker unregistration API.")
            return
        if error.error is not Error.REQUEST_TIMED_OUT:
            who = f"[AdminClient clientId={cluster.settings.client_id}]"
            log_line("ERROR", f"{who} Unregister broker request for broker ID {broker_id} failed: {error}", _LOGGER)
        raise


async def _list_endpoints(cluster: Cluster, *, fenced: bool) -> None:
    from barnabas.client.admin import nodes
    from barnabas.client.errors import KafkaError
    from barnabas.wire.errors import Error

    if fenced and cluster.controllers:
        raise ValueError("The option --include-fenced-brokers is only supported with --bootstrap-server option")
    try:
        found = hash_order((await nodes.describe(cluster, fenced=fenced, call="listNodes")).nodes, lambda node: integer_hash(node.node_id))
    except KafkaError as error:
        if error.error is Error.UNSUPPORTED_VERSION:
            print(error)
            return
        raise
    hosts = max((len(node.host) for node in found), default=100)
    racks = max((len(node.rack) for node in found if node.rack is not None), default=10)

    def say(node_id: object, host: str, port: object, rack: str | None, state: str, kind: str) -> None:
        state = "" if cluster.controllers else f"{state:<10} "
        print(f"{node_id:<10} {host:<{hosts}} {port:<10} {rack or 'null':<{racks}} {state}{kind:<15}")

    say("ID", "HOST", "PORT", "RACK", "STATE", "ENDPOINT_TYPE")
    for node in found:
        say(node.node_id, node.host, node.port, node.rack, "fenced" if node.fenced else "unfenced", "controller" if cluster.controllers else "broker")
