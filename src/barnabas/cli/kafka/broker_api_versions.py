"""kafka-broker-api-versions: the APIs of each broker, and which version of each we would use.

Flags, output and exit codes of Apache Kafka's BrokerApiVersionsCommand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .admin_tool import client_properties, guarded
from .java import RUNTIME, Thrown, hash_order, java_message, java_text, string_hash
from .options import Parser, help_or_version, require

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from barnabas.client.cluster import Broker, Cluster

PURPOSE = "This tool helps to retrieve broker version information."
REQUEST_TIMEOUT_MS = 5_000
_NOT_FENCED = 1237  # Boolean.FALSE.hashCode()


def main(argv: Sequence[str]) -> int:
    return guarded(lambda: _execute(argv))


def _execute(argv: Sequence[str]) -> None:
    from barnabas.client.errors import InvalidBootstrap

    from .session import open_cluster, run

    parser = Parser()
    command_config = parser.required("command-config", "Properties file for the client.", "command config property file")
    bootstrap = parser.required("bootstrap-server", "REQUIRED: the server to start from.", "server(s) to use for bootstrapping")
    given = parser.parse(argv)
    help_or_version(parser, given, argv, PURPOSE)
    require(parser, given, bootstrap)
    properties = client_properties(given.value(command_config), given.text(bootstrap))
    properties["client.id"] = "admin-1"
    properties.setdefault("request.timeout.ms", str(REQUEST_TIMEOUT_MS))
    try:
        cluster = open_cluster(properties, kind="LegacyAdminClient")
    except InvalidBootstrap as error:
        raise Thrown(java_message(error), error.java_class) from None
    run(_show(cluster, given.text(bootstrap)))


async def _show(cluster: Cluster, bootstrap: str) -> None:
    from barnabas.client.cluster import parse_bootstrap
    from barnabas.client.errors import KafkaError, TimedOut

    async with cluster:
        try:
            await cluster.retrying("metadata", cluster.any_connection, timeout_ms=1)
        except TimedOut:
            asked = ", ".join(_shown(host, port, -number) for number, (host, port) in enumerate(parse_bootstrap(bootstrap), 1))
            raise Thrown(f"Request METADATA failed on brokers [{asked}]", RUNTIME) from None
        await cluster.refresh([])
        for broker in hash_order(cluster.brokers.values(), _node_hash):
            try:
                versions = (await cluster.connection(broker.node_id)).versions
                said = _table(versions)
            except KafkaError as error:
                said = f"ERROR: {java_text(error)}"
            print(f"{_shown(broker.host, broker.port, broker.node_id, broker.rack)} -> {said}")


def _shown(host: str, port: int, node_id: int, rack: str | None = None) -> str:
    return f"{host}:{port} (id: {node_id} rack: {rack or 'null'} isFenced: false)"


def _node_hash(broker: Broker) -> int:
    """Node.hashCode."""
    result = 31 + string_hash(broker.host)
    for part in (broker.node_id, broker.port, 0 if broker.rack is None else string_hash(broker.rack), _NOT_FENCED):
        result = 31 * result + part
    return result & 0xFFFFFFFF


def _table(versions: Mapping[int, tuple[int, int]]) -> str:
    from barnabas.wire.apis import APIS, BROKER

    lines = []
    for key in sorted({*versions, *(key for key, api in APIS.items() if api.listeners & BROKER)}):
        api = APIS.get(key)
        name = api.name if api else "UNKNOWN"
        if key not in versions:
            lines.append(f"{name}({key}): UNSUPPORTED")
            continue
        low, high = versions[key]
        text = f"{name}({key}): {low}" if low == high else f"{name}({key}): {low} to {high}"
        if api is not None:
            first, last = api.request().valid_versions
            usable = "unusable: node too new" if last < low else "unusable: node too old" if high < first else f"usable: {min(last, high)}"
            text += f" [{usable}]"
        lines.append(text)
    return "(\n\t" + ",\n\t".join(lines) + "\n)"
