"""A node's listeners out of its values: what it binds, what it tells others, and the rules between roles, listeners and the quorum.

Source: the checks of KafkaConfig in 4.3.1. Names are compared in upper case, as there, but controller.listener.names must be written so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .addresses import Endpoint, endpoint, voters
from .definitions.broker import BROKER
from .error import ConfigError
from .synonyms import listener_base
from .values import Values, parse

if TYPE_CHECKING:
    from collections.abc import Mapping

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_ANY = "0.0.0.0"


class Listeners(NamedTuple):
    bound: tuple[Endpoint, ...]
    """All that the node binds, those for controllers included."""
    advertised: tuple[Endpoint, ...]
    """What brokers and clients are told. A host "" stands for this machine's own name, a port 0 for the one bound."""
    advertised_controllers: tuple[Endpoint, ...]
    """What other voters are told, in the order of controller.listener.names."""
    inter_broker: str
    controllers: tuple[str, ...]
    """controller.listener.names: the first is the one this node speaks to controllers on."""
    protocols: dict[str, str]


def resolve(values: Values) -> Listeners:
    """The listeners that `values` describe. Raises ConfigError when they contradict one another."""
    roles = values.items_of("process.roles")
    controllers = values.items_of("controller.listener.names")
    protocols = _protocols(values, controllers)
    bound = _endpoints("listeners", values.items_of("listeners"), protocols, distinct_ports=True)
    given = values["advertised.listeners"] is not None
    advertised = _endpoints("advertised.listeners", values.items_of("advertised.listeners"), protocols, distinct_ports=False) if given else bound
    listeners = Listeners(
        bound,
        tuple(found for found in advertised if found.name not in controllers),
        _advertised_controllers(values, bound, advertised if given else (), controllers),
        _inter_broker(values, protocols),
        controllers,
        protocols,
    )
    _check_roles(values, roles, listeners)
    for name in values.items_of("early.start.listeners"):
        if name not in {one.name for one in bound}:
            raise ConfigError(f"{name} is not one of listeners: {', '.join(one.name for one in bound)}", "early.start.listeners")
    return listeners


def by_listener(texts: Mapping[str, str], key: str) -> dict[str, int]:
    """The values that single listeners have for `key`, by listener's name in lower case. Raises ConfigError."""
    found = {}
    for name, text in texts.items():
        if listener_base(name) == key:
            try:
                value = parse(BROKER[key], text)
            except ConfigError as error:
                raise ConfigError(error.message, name) from None
            assert isinstance(value, int)
            found[name.split(".")[2]] = value
    return found


def _protocols(values: Values, controllers: tuple[str, ...]) -> dict[str, str]:
    key = "listener.security.protocol.map"
    found: dict[str, str] = {}
    for pair in values.text(key).split(","):
        name, colon, protocol = pair.strip().rpartition(":")
        if not pair.strip() and not found:
            continue
        if not colon:
            raise ConfigError(f"{pair.strip()} is no NAME:PROTOCOL pair", key)
        if protocol.strip().upper() not in PROTOCOLS:
            raise ConfigError(f"Invalid security protocol `{protocol.strip()}`; it should be one of {', '.join(PROTOCOLS)}", key)
        found[name.strip().upper()] = protocol.strip().upper()
    if key not in values.given:
        named = [entry.partition(":")[0].upper() for entry in values.items_of("listeners")]
        if not any(name in PROTOCOLS[1:] for name in (*controllers, *named)):
            found.update((name, "PLAINTEXT") for name in controllers if name != "PLAINTEXT")
    return found


def _endpoints(key: str, entries: tuple[str, ...], protocols: dict[str, str], *, distinct_ports: bool) -> tuple[Endpoint, ...]:
    found = tuple(endpoint(key, entry, protocols) for entry in entries)
    names = [one.name for one in found]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"Each listener must have a different name; {name} comes twice", key)
    if distinct_ports:
        _check_ports(key, found)
    return found


def _check_ports(key: str, endpoints: tuple[Endpoint, ...]) -> None:
    """One port may be bound twice only as one IPv4 and one IPv6 address."""
    by_port: dict[int, list[Endpoint]] = {}
    for one in endpoints:
        if one.port:
            by_port.setdefault(one.port, []).append(one)
    for port, sharing in by_port.items():
        if len(sharing) > 1 and sorted(_ip_version(one.host) for one in sharing) != [4, 6]:
            raise ConfigError(
                f"Each listener must have a different port (or one an IPv4 and the other an IPv6 address); "
                f"{' and '.join(one.name for one in sharing)} share {port}",
                key,
            )


def _ip_version(host: str) -> int:
    """4, 6, or 0 for a name."""
    if host.count(".") == 3 and all(part.isdecimal() and int(part) < 256 for part in host.split(".")):
        return 4
    return 6 if ":" in host else 0


def _inter_broker(values: Values, protocols: dict[str, str]) -> str:
    name = values.optional_text("inter.broker.listener.name")
    if name is None:
        return values.text("security.inter.broker.protocol")
    if "security.inter.broker.protocol" in values.given:
        raise ConfigError("Only one of inter.broker.listener.name and security.inter.broker.protocol should be set", "inter.broker.listener.name")
    if name.upper() not in protocols:
        raise ConfigError(f"{name.upper()} is not found in listener.security.protocol.map", "inter.broker.listener.name")
    return name.upper()


def _advertised_controllers(
    values: Values, bound: tuple[Endpoint, ...], advertised: tuple[Endpoint, ...], controllers: tuple[str, ...]
) -> tuple[Endpoint, ...]:
    found = []
    for position, name in enumerate(controllers):
        told = next((one for one in advertised if one.name == name.upper()), None)
        if told is None:
            told = next((one for one in bound if one.name == name.upper() and one.name in controllers), None)
            if told is not None and told.host in ("", _ANY):
                own = voters("controller.quorum.voters", values.items_of("controller.quorum.voters")).get(values.integer("node.id"))
                told = told._replace(host="") if position or own is None else told._replace(host=own[0], port=own[1])
        if told is not None:
            found.append(told)
    return tuple(found)


def _check_roles(values: Values, roles: tuple[str, ...], listeners: Listeners) -> None:
    node_id = values.integer("node.id")
    voter_ids = voters("controller.quorum.voters", values.items_of("controller.quorum.voters"))
    if not voter_ids and not values.items_of("controller.quorum.bootstrap.servers"):
        raise ConfigError(
            "either controller.quorum.bootstrap.servers must name the controllers (host:port,...) or controller.quorum.voters the voters",
            "controller.quorum.bootstrap.servers",
        )
    if "controller" in roles:
        _check_controller(values, roles, listeners, node_id, voter_ids)
    else:
        _check_broker_only(values, listeners, node_id, voter_ids)
    if "broker" in roles:
        _check_broker(values, listeners)
    for one in (*listeners.advertised, *listeners.advertised_controllers):
        if one.host == _ANY:
            raise ConfigError(
                f"{one} cannot be told to others: 0.0.0.0 is no address to connect to; use a routable host name or IP address",
                "advertised.listeners" if values["advertised.listeners"] is not None else "listeners",
            )


def _check_controller(values: Values, roles: tuple[str, ...], listeners: Listeners, node_id: int, voter_ids: dict[int, tuple[str, int]]) -> None:
    names = {one.name for one in listeners.bound}
    if roles == ("controller",):
        others = [one.name for one in listeners.bound if one.name not in listeners.controllers]
        if others:
            raise ConfigError(
                f"only listeners of controller.listener.names may stand here when process.roles=controller, not {others[0]}", "listeners"
            )
        if values["inter.broker.listener.name"] is not None and listeners.inter_broker in listeners.controllers:
            raise ConfigError("it must not contain inter.broker.listener.name when process.roles=controller", "controller.listener.names")
    if voter_ids and node_id not in voter_ids:
        raise ConfigError(
            f"node.id {node_id} is a controller, so it must be one of the voters, which are {', '.join(map(str, sorted(voter_ids)))}",
            "controller.quorum.voters",
        )
    missing = [name for name in listeners.controllers if name not in names]
    if missing:
        hint = " (names are upper case)" if missing[0].upper() in names else ""
        raise ConfigError(
            f"{missing[0]} must appear in listeners ({', '.join(sorted(names))}) when the node has the controller role{hint}",
            "controller.listener.names",
        )


def _check_broker_only(values: Values, listeners: Listeners, node_id: int, voter_ids: dict[int, tuple[str, int]]) -> None:
    if node_id in voter_ids:
        raise ConfigError(f"node.id {node_id} is only a broker, so it must not be one of the voters", "controller.quorum.voters")
    for name in listeners.controllers:
        if any(one.name == name for one in listeners.bound):
            raise ConfigError(f"{name} must not appear in listeners when the node is only a broker", "controller.listener.names")
        if name.upper() not in listeners.protocols:
            raise ConfigError(
                f"{name} is not found in listener.security.protocol.map: add {name}:PLAINTEXT or its protocol", "controller.listener.names"
            )
    if values.flag("controller.quorum.auto.join.enable"):
        raise ConfigError("it needs the controller role", "controller.quorum.auto.join.enable")


def _check_broker(values: Values, listeners: Listeners) -> None:
    told = [one.name for one in listeners.advertised]
    names = [one.name for one in listeners.bound]
    if not told:
        raise ConfigError("a broker needs a listener that is not in controller.listener.names", "listeners")
    if listeners.inter_broker not in told:
        raise ConfigError(
            f"brokers are to speak on listener {listeners.inter_broker}, which must be one of advertised.listeners: {', '.join(told)}",
            "security.inter.broker.protocol" if "security.inter.broker.protocol" in values.given else "inter.broker.listener.name",
        )
    for name in told:
        if name not in names:
            raise ConfigError(f"{name} is not one of listeners: {', '.join(names)}", "advertised.listeners")
