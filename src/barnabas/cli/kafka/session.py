"""From a tool's properties to a cluster: client settings, TLS and SASL, warnings on the way, and asyncio around one coroutine.

Owns: the reading of client properties (`--command-config`), the log lines of a client that finds nobody. Doesn't own any tool's options.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from .java import log_line

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from typing import Any

    from barnabas.client.cluster import Cluster, Settings
    from barnabas.client.connection import Security

T = TypeVar("T")
_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")


class ConfigException(ValueError):
    """A client property that can't be used; the message says which and what it should be."""

    java_class = "org.apache.kafka.common.config.ConfigException"

    def __init__(self, message: str, java_class: str = java_class) -> None:
        super().__init__(message)
        self.java_class = java_class


def load_properties(path: str) -> dict[str, str]:
    """A .properties file. Raises FileNotFoundError, ConfigException."""
    from barnabas.storage.properties_file import PropertiesError, read_properties

    try:
        return {entry.key: entry.value for entry in read_properties(path)}
    except PropertiesError as error:
        raise ConfigException(str(error)) from None


def run(work: Coroutine[Any, Any, T]) -> T:
    import asyncio

    return asyncio.run(work)


def open_cluster(properties: Mapping[str, str], *, client_id: str = "adminclient-1", kind: str = "AdminClient") -> Cluster:
    """The cluster that `bootstrap.servers` or `bootstrap.controllers` names. Raises ConfigException, InvalidBootstrap."""
    from barnabas.client.cluster import Cluster

    controllers = properties.get("bootstrap.controllers")
    addresses = controllers or properties.get("bootstrap.servers") or ""
    settings = client_settings(properties, client_id)
    return Cluster(_resolvable(addresses), settings, controllers=bool(controllers), on_unreachable=_warn(kind, settings.client_id or ""))


def _resolvable(addresses: str) -> str:
    """The addresses whose hosts have one; the others are warned of. Raises InvalidBootstrap if none is left."""
    import socket

    from barnabas.client.cluster import parse_bootstrap
    from barnabas.client.errors import InvalidBootstrap

    found = []
    for host, port in parse_bootstrap(addresses):
        try:
            socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.append(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        except OSError:
            message = f"Couldn't resolve server {host}:{port} from bootstrap.servers as DNS resolution failed for {host}"
            log_line("WARN", message, "org.apache.kafka.clients.ClientUtils")
    if not found:
        raise InvalidBootstrap("No resolvable bootstrap urls given in bootstrap.servers")
    return ",".join(found)


def _warn(kind: str, client_id: str) -> Callable[[int, str, int], None]:
    def warn(node: int, host: str, port: int) -> None:
        who = f"[{kind} clientId={client_id}]"
        trusted = "Bootstrap broker" if kind != "AdminClient" and node < 0 else None
        log_line(
            "WARN",
            f"{who} Connection to node {node} ({_shown(host)}:{port}) could not be established. Node may not be available.",
            "org.apache.kafka.clients.NetworkClient",
        )
        if trusted:
            log_line(
                "WARN",
                f"{who} {trusted} {host}:{port} (id: {node} rack: null isFenced: false) disconnected",
                "org.apache.kafka.clients.NetworkClient",
            )

    return warn


def _shown(host: str) -> str:
    """Java's way to show an address: a name, if any, and the number behind a slash."""
    return f"/{host}" if host.replace(".", "").isdigit() or ":" in host else f"{host}/{_resolved(host)}"


def _resolved(host: str) -> str:
    import socket

    try:
        return str(socket.getaddrinfo(host, None)[0][4][0])
    except OSError:
        return host


def client_settings(properties: Mapping[str, str], client_id: str) -> Settings:
    from barnabas.client.cluster import Settings

    defaults = Settings()
    return Settings(
        client_id=properties.get("client.id") or client_id,
        request_timeout_ms=_number(properties, "request.timeout.ms", defaults.request_timeout_ms),
        api_timeout_ms=_number(properties, "default.api.timeout.ms", defaults.api_timeout_ms),
        retry_backoff_ms=_number(properties, "retry.backoff.ms", defaults.retry_backoff_ms),
        retry_backoff_max_ms=_number(properties, "retry.backoff.max.ms", defaults.retry_backoff_max_ms),
        metadata_max_age_ms=_number(properties, "metadata.max.age.ms", defaults.metadata_max_age_ms),
        security=_security(properties),
    )


def _number(properties: Mapping[str, str], key: str, default: int) -> int:
    text = properties.get(key)
    if text is None:
        return default
    if not text.strip().lstrip("+").isdecimal():
        raise ConfigException(f"Invalid value {text} for configuration {key}: Not a number of type INT")
    return int(text)


def _security(properties: Mapping[str, str]) -> Security:
    from barnabas.client.connection import Security

    protocol = properties.get("security.protocol", "PLAINTEXT").upper()
    if protocol not in _PROTOCOLS:
        raise ConfigException(
            f"Invalid value {properties['security.protocol']} for configuration security.protocol: "
            f"String must be one of (case insensitive): {', '.join(sorted(_PROTOCOLS))}"
        )
    tls = credentials = None
    if protocol.endswith("SSL"):
        from barnabas.client.tls import context

        tls = context(properties)
    if protocol.startswith("SASL"):
        from barnabas.client.sasl import credentials_of

        credentials = credentials_of(properties)
    return Security(tls, credentials)
