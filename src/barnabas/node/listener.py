"""A bound socket, and how a client's address is written. Who is let in by it is `acceptor`."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from barnabas.core.configs.addresses import Endpoint
    from barnabas.node.config.sections import Network

_EVERY_ADDRESS = ("", "0.0.0.0")  # both mean IPv6 too, as in Java


class Listener:
    """A bound socket, which refuses clients until `listen`: `name` as in `listeners`, `port` as bound."""

    def __init__(self, name: str, host: str, port: int, *, is_controller: bool, send_buffer_bytes: int = -1, receive_buffer_bytes: int = -1) -> None:
        """Buffer sizes of accepted connections, -1 for the system's. Raises OSError when the address can't be bound."""
        self.name = name
        self.is_controller = is_controller
        self.socket = _bound("::" if host in _EVERY_ADDRESS and socket.has_dualstack_ipv6() else host, port)
        self.socket.setblocking(False)
        for option, size in ((socket.SO_SNDBUF, send_buffer_bytes), (socket.SO_RCVBUF, receive_buffer_bytes)):
            if size >= 0:
                self.socket.setsockopt(socket.SOL_SOCKET, option, size)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted connections have all of these from here
        self.host, self.port = host, self.socket.getsockname()[1]


def bind(endpoint: Endpoint, network: Network, *, is_controller: bool) -> Listener:
    """What `endpoint` of `listeners` asks for. Raises OSError, which says what to do."""
    try:
        return Listener(
            endpoint.name,
            endpoint.host,
            endpoint.port,
            is_controller=is_controller,
            send_buffer_bytes=network.send_buffer_bytes,
            receive_buffer_bytes=network.receive_buffer_bytes,
        )
    except OSError as error:
        place = f"{endpoint.name}://{endpoint.host}:{endpoint.port}"
        why = f"listeners: cannot bind {place}: {error.strerror or error}. Stop what uses the port, or choose another one."
        raise OSError(error.errno, why) from None


def _bound(host: str, port: int) -> socket.socket:
    """A socket bound to `host`; to IPv4 as well where that is every address. Raises OSError."""
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if host == "::":
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


def peer_text(address: str) -> str:
    """A client's address as Apache Kafka shows it: IPv4 as such on sockets of both kinds, IPv6 in eight numbers."""
    if ":" not in address:
        return address
    if address.startswith("::ffff:") and "." in address:
        return address[7:]
    packed = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
    return ":".join(f"{int.from_bytes(packed[at : at + 2]):x}" for at in range(0, 16, 2))


def address_of(host: str) -> str | None:
    """The address, as `peer_text` has it, of a host or of an address in any spelling; None when nobody knows it. May wait for a name server."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return None
    return peer_text(str(min(found, key=lambda one: one[0] != socket.AF_INET)[4][0]))  # IPv4 first, as Java
