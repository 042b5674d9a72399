"""kafka-configs' options: which entities are meant, and what stands with what. Rules and messages of Apache Kafka's ConfigCommand."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .options import Option, Options, Parser, exclude, help_or_version, usage_and_exit
from .session import load_properties

if TYPE_CHECKING:
    from collections.abc import Sequence

PURPOSE = "This tool helps to manipulate and describe entity config for a topic, client, user, broker, ip, client-metrics or group"
TYPES = ("topics", "clients", "users", "brokers", "ips", "client-metrics", "groups", "broker-loggers")
WITH_DEFAULTS = {"users", "clients", "brokers", "ips"}
_OUTSIDE_BRACKETS = r"(?=[^\]]*(?:\[|$))"


class Refused(ValueError):
    """What the command itself refuses; only its text is printed."""


def _names_help() -> str:
    from barnabas.core.configs.definitions.broker import BROKER
    from barnabas.core.configs.definitions.client_metrics import CLIENT_METRICS
    from barnabas.core.configs.definitions.group import GROUP
    from barnabas.core.configs.definitions.topic import TOPIC

    quotas = ("consumer_byte_rate", "controller_mutation_rate", "producer_byte_rate", "request_percentage")
    known = {
        "topics": [row[0] for row in TOPIC if row[5] != "internal"],
        "brokers": sorted(name for name, row in BROKER.items() if row[5] in ("per-broker", "cluster-wide")),
        "users": ["SCRAM-SHA-256", "SCRAM-SHA-512", *quotas],
        "clients": list(quotas),
        "ips": ["connection_creation_rate"],
        "client-metrics": sorted(row[0] for row in CLIENT_METRICS),
        "groups": sorted(row[0] for row in GROUP),
    }
    listed = "\n".join(f"For entity-type '{kind}': \n" + "\n".join(f"\t{name}" for name in names) for kind, names in known.items())
    return (
        f"Keys and values to set, by commas: 'k1=v1,k2=[v1,v2],k3=v3', values with commas in brackets. \n{listed}\n"
        "users and clients together mean the clients of a user."
    )


class ConfigOptions:
    """Parsed, not yet checked: `check` raises Refused or SystemExit. Raises OptionError."""

    def __init__(self, arguments: Sequence[str]) -> None:
        parser = self.parser = Parser()
        wants_help = not arguments or "--help" in arguments
        self.bootstrap_server = parser.required("bootstrap-server", "The brokers to start from.", "server to connect to")
        self.bootstrap_controller = parser.required("bootstrap-controller", "The controllers to start from.", "controller to connect to")
        self.command_config = parser.required("command-config", "Properties file for the admin client.", "command config property file")
        self.alter = parser.flag("alter", "Change the entity's configuration.")
        self.describe = parser.flag("describe", "Print the entity's configuration.")
        self.all = parser.flag("all", "Print every value in force, static ones and defaults too.")
        self.entity_type = parser.required("entity-type", "Type of entity (topics/clients/users/brokers/broker-loggers/ips/client-metrics/groups)")
        self.entity_name = parser.required("entity-name", "Its name: topic, client id, user, broker id, ip, client-metrics name, group")
        self.entity_default = parser.flag("entity-default", "The default of its type, for clients, users, brokers and ips")
        self.add_config = parser.required("add-config", _names_help() if wants_help else "")
        self.add_config_file = parser.required("add-config-file", "Properties file with keys and values to set.")
        self.delete_config = parser.required("delete-config", "Keys to remove, 'k1,k2'", separator=",")
        self.flags = {
            kind: parser.required(name, text)
            for kind, name, text in (
                ("topics", "topic", "A topic."),
                ("clients", "client", "A client id."),
                ("users", "user", "A user's principal name."),
                ("brokers", "broker", "A broker id."),
                ("broker-loggers", "broker-logger", "A broker id, for its loggers."),
                ("ips", "ip", "An address."),
                ("client-metrics", "client-metrics", "A client-metrics resource."),
                ("groups", "group", "A group."),
            )
        }
        self.default_flags = {
            kind: parser.flag(f"{kind[:-1]}-defaults", f"The default of all {kind}.") for kind in ("clients", "users", "brokers", "ips")
        }
        self.given: Options = parser.parse(arguments)
        help_or_version(parser, self.given, arguments, PURPOSE)

    def has(self, option: Option) -> bool:
        return self.given.has(option)

    @property
    def types(self) -> list[str]:
        specific = [kind for kind, option in (*self.flags.items(), *self.default_flags.items()) if self.has(option)]
        return [*self.given.values(self.entity_type), *specific]

    @property
    def names(self) -> list[str]:
        """In the order of the types; "" stands for the default of a type."""
        named = iter(self.given.values(self.entity_name))
        found = [next(named) if option == "entity-name" else "" for option in self.given.order if option in ("entity-name", "entity-default")]
        found += [self.given.text(option) for option in self.flags.values() if self.has(option)]
        return found + ["" for option in self.default_flags.values() if self.has(option)]

    def check(self) -> None:
        if self.has(self.alter) == self.has(self.describe):
            usage_and_exit(self.parser, "Command must include exactly one action: --describe, --alter")
        exclude(self.parser, self.given, self.describe, self.alter, self.add_config, self.delete_config)
        self._check_types()
        self._check_names()
        if self.has(self.describe):
            self._check_describe()
        else:
            self._check_alter()

    def _check_types(self) -> None:
        types = self.types
        distinct = list(dict.fromkeys(types))
        if len(types) != len(distinct):
            twice = list(types)
            for kind in distinct:
                twice.remove(kind)
            raise Refused(f"Duplicate entity type(s) specified: {','.join(twice)}")
        if not self.has(self.bootstrap_server) and not self.has(self.bootstrap_controller):
            raise Refused("Either --bootstrap-server or --bootstrap-controller must be specified.")
        for kind in types:
            if kind not in TYPES:
                raise Refused(
                    f"Invalid entity type {kind}, the entity type must be one of {', '.join(TYPES)} with a --bootstrap-server or --bootstrap-controller argument"
                )
        if not types:
            raise Refused("At least one entity type must be specified")
        if len(types) > 1 and set(types) != {"users", "clients"}:
            raise Refused("Only 'users' and 'clients' entity types may be specified together")
        general = any(map(self.has, (self.entity_name, self.entity_type, self.entity_default)))
        if general and any(map(self.has, (*self.flags.values(), *self.default_flags.values()))):
            raise Refused("--entity-{type,name,default} should not be used in conjunction with specific entity flags")

    def _check_names(self) -> None:
        if self.has(self.bootstrap_server) and self.has(self.bootstrap_controller):
            raise Refused("Only one of --bootstrap-server or --bootstrap-controller can be specified")
        kind = self.types[0]
        named = [name for name in self.names if name]
        if named and {"brokers", "broker-loggers"} & set(self.types):
            for name in self._values_of(self.entity_name, self.flags["brokers"], self.flags["broker-loggers"]):
                if not is_broker_id(name):
                    raise Refused(f"The entity name for {kind} must be a valid integer broker id, but it is: {name}")
        if named and "ips" in self.types:
            for name in self._values_of(self.entity_name, self.flags["ips"]):
                if not _resolves(name):
                    raise Refused(f"The entity name for {kind} must be a valid IP or resolvable host, but it is: {name}")

    def _values_of(self, *options: Option) -> list[str]:
        return [self.given.text(option) for option in options if self.has(option)]

    def _check_describe(self) -> None:
        shown = ",".join(self.types)
        if self.has(self.entity_default) and not WITH_DEFAULTS & set(self.types):
            raise Refused(f"--entity-default must not be specified with --describe of {shown}")
        if "broker-loggers" in self.types and not any(self.names):
            raise Refused(f"An entity name must be specified with --describe of {shown}")

    def _check_alter(self) -> None:
        if WITH_DEFAULTS & set(self.types):
            if not self.names:
                raise Refused("An entity-name or default entity must be specified with --alter of users, clients, brokers or ips")
        elif not any(self.names):
            raise Refused(f"An entity name must be specified with --alter of {','.join(self.types)}")
        if self.has(self.add_config) and self.has(self.add_config_file):
            raise Refused("Only one of --add-config or --add-config-file must be specified")
        if not any(map(self.has, (self.add_config, self.add_config_file, self.delete_config))):
            raise Refused("At least one of --add-config, --add-config-file, or --delete-config must be specified with --alter")

    def to_add(self) -> dict[str, str]:
        """What is to be set. Raises Refused, OSError."""
        added = load_properties(self.given.text(self.add_config_file)) if self.has(self.add_config_file) else {}
        if self.has(self.add_config):
            added |= parse_added(self.given.text(self.add_config))
        for key in added:
            if not re.fullmatch("[$a-zA-Z0-9._-]*", key):
                raise Refused(f"Invalid character found for config key: {key}")
        return added

    def to_delete(self) -> list[str]:
        return [key.strip() for key in self.given.values(self.delete_config)] if self.has(self.delete_config) else []


def parse_added(text: str) -> dict[str, str]:
    """`k1=v1,k2=[v1,v2]`. Raises Refused."""
    pairs = re.split("," + _OUTSIDE_BRACKETS, text)
    while pairs and not pairs[-1]:
        pairs.pop()
    split = [re.split(r"\s*=\s*" + _OUTSIDE_BRACKETS, pair) for pair in pairs]
    if any(len(parts) != 2 for parts in split):
        raise Refused(
            'requirement failed: Invalid entity config: all configs to be added must be in the format "key=val" or  "key=[val1,val2]" '
            "to group values which contain commas."
        )
    return {key.strip(): value.replace("[", "").replace("]", "").strip() for key, value in split}


def is_broker_id(text: str) -> bool:
    digits = text[1:] if text[:1] in ("+", "-") else text
    return digits.isdecimal() and -(2**31) <= int(text) < 2**31


def _resolves(name: str) -> bool:
    import socket

    try:
        socket.getaddrinfo(name or "localhost", None)
    except OSError:
        return False
    return True
