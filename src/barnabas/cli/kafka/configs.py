"""kafka-configs: describe and alter configurations of topics, brokers, users, clients, ips, groups, client metrics. As Apache Kafka's ConfigCommand.

Owns: what is asked of the cluster and how the answer is printed. The options are `config_entities`.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from .config_entities import ConfigOptions, Refused, is_broker_id
from .java import hash_order, integer_hash, java_message, java_text, string_hash, string_order
from .options import OptionError, usage_and_exit
from .session import ConfigException, load_properties, open_cluster, run
from .topic_names import InvalidTopic, check_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from barnabas.client.admin.quotas import Entity
    from barnabas.client.cluster import Cluster

CLIENT_QUOTAS = {"producer_byte_rate", "consumer_byte_rate", "request_percentage", "controller_mutation_rate"}
IP_QUOTAS = {"connection_creation_rate"}
MECHANISMS = {"SCRAM-SHA-256": 1, "SCRAM-SHA-512": 2}
DEFAULT_ITERATIONS = 4096
MIN_ITERATIONS = 4096
_QUOTA_TYPES = {"users": "user", "clients": "client-id", "ips": "ip"}
_RESOURCE_TYPES = {"topics": 2, "brokers": 4, "broker-loggers": 8, "client-metrics": 16, "groups": 32}
_DYNAMIC_SOURCES = {"topics": 1, "brokers": 2, "client-metrics": 7, "groups": 8}
_DEFAULT_BROKER_SOURCE = 3


def main(argv: Sequence[str]) -> int:
    from barnabas.client.errors import InvalidBootstrap, KafkaError

    try:
        options = ConfigOptions(argv)
        options.check()
        run(_execute(options))
    except (Refused, OptionError) as error:
        sys.stdout.flush()
        sys.stderr.write(f"{error}\n")
        return 1
    except KafkaError as error:
        sys.stdout.flush()
        _report(argv, f"java.util.concurrent.ExecutionException: {java_text(error)}\nCaused by: {java_text(error)}")
        return 1
    except InvalidBootstrap as error:
        _report(argv, f"org.apache.kafka.common.KafkaException: Failed to create new KafkaAdminClient\nCaused by: {java_text(error)}")
        return 1
    except (InvalidTopic, ConfigException, OSError) as error:
        _report(argv, java_text(error))
        return 1
    return 0


def _report(argv: Sequence[str], trace: str) -> None:
    sys.stdout.flush()
    sys.stderr.write(f"Error while executing config command with args '{' '.join(argv)}'\n{trace}\n")


async def _execute(options: ConfigOptions) -> None:
    given = options.given
    properties = load_properties(given.text(options.command_config)) if options.has(options.command_config) else {}
    if options.has(options.bootstrap_server):
        properties["bootstrap.servers"] = given.text(options.bootstrap_server)
        properties.pop("bootstrap.controllers", None)
    elif options.has(options.bootstrap_controller):
        properties["bootstrap.controllers"] = given.text(options.bootstrap_controller)
        properties.pop("bootstrap.servers", None)
    else:
        usage_and_exit(options.parser, "You must specify either --bootstrap-controller or --bootstrap-server.")
    async with open_cluster(properties) as cluster:
        if options.has(options.alter):
            if len(options.types) != len(options.names):
                raise Refused("An entity name must be specified for every entity type")
            await _alter(options, cluster)
        else:
            await _describe(options, cluster)


# Alter


async def _alter(options: ConfigOptions, cluster: Cluster) -> None:
    kind, name = options.types[0], options.names[0]
    added, deleted = options.to_add(), options.to_delete()
    if kind in ("topics", "client-metrics", "brokers", "groups"):
        await _alter_resource(cluster, kind, name, added, deleted)
    elif kind == "broker-loggers":
        await _alter_loggers(cluster, name, added, deleted)
    elif kind in ("users", "clients"):
        await _alter_users(options, cluster, added, deleted)
    else:
        unknown = [key for key in [*added, *deleted] if key not in IP_QUOTAS]
        if unknown:
            raise Refused(
                f"Only connection quota configs can be added for 'ips' using --bootstrap-server. Unexpected config names: {','.join(unknown)}"
            )
        await _alter_quotas(options, cluster, added, deleted)
    if name:
        print(f"Completed updating config for {kind[:-1]} {name}.")
    else:
        print(f"Completed updating default config for {kind} in the cluster.")


async def _alter_resource(cluster: Cluster, kind: str, name: str, added: Mapping[str, str], deleted: Iterable[str]) -> None:
    from barnabas.client.admin import configs

    if kind == "brokers" and name and not is_broker_id(name):
        raise Refused(f"The entity name for {kind} must be a valid integer broker id, found: {name}")
    await configs.alter(cluster, _RESOURCE_TYPES[kind], name, added, deleted)


async def _alter_loggers(cluster: Cluster, name: str, added: Mapping[str, str], deleted: Sequence[str]) -> None:
    from barnabas.client.admin import configs

    known = {entry.name for entry in (await configs.describe(cluster, configs.BROKER_LOGGER, [name]))[name]}
    unknown = [key for key in [*deleted, *added] if key not in known]
    if unknown:
        raise Refused(f"Invalid broker logger(s): {','.join(unknown)}")
    await configs.alter(cluster, configs.BROKER_LOGGER, name, added, deleted)


async def _alter_users(options: ConfigOptions, cluster: Cluster, added: Mapping[str, str], deleted: Sequence[str]) -> None:
    quotas_only = options.types[0] == "clients" or len(options.types) == 2
    scram_added = [key for key in added if key in MECHANISMS]
    scram_deleted = [key for key in deleted if key in MECHANISMS]
    allowed = CLIENT_QUOTAS if quotas_only else CLIENT_QUOTAS | MECHANISMS.keys()
    what, of = ("quota", "clients") if quotas_only else ("quota and SCRAM credential", "users")
    for verb, keys, wrapper in (("added", list(added), "Set"), ("deleted", list(deleted), "ArrayBuffer")):
        unknown = [key for key in keys if key not in allowed]
        if unknown:
            shown = f"{wrapper}({', '.join(unknown)})"
            raise Refused(f"Only {what} configs can be {verb} for '{of}' using --bootstrap-server. Unexpected config names: {shown}")
    has_quotas = any(key in CLIENT_QUOTAS for key in [*added, *deleted])
    if scram_added or scram_deleted:
        if not all(options.names):
            raise Refused("The use of --entity-default or --user-defaults is not allowed with User SCRAM Credentials using --bootstrap-server.")
        if has_quotas:
            raise Refused("Cannot alter both quota and SCRAM credential configs simultaneously for 'users' using --bootstrap-server.")
    if has_quotas:
        await _alter_quotas(options, cluster, added, deleted)
    else:
        await _alter_scram(cluster, options.names[0], {key: added[key] for key in scram_added}, scram_deleted)


async def _alter_scram(cluster: Cluster, user: str, added: Mapping[str, str], deleted: Iterable[str]) -> None:
    from barnabas.client.admin import quotas

    upserts = {}
    for mechanism, credential in added.items():
        match = re.fullmatch(r"(?:iterations=(-?[0-9]*),)?password=(.*)", credential)
        if match is None:
            raise Refused(f"Invalid credential property {mechanism.replace('-', '_')}={credential}")
        given = match[1]
        iterations = int(given) if given and given != "-1" else DEFAULT_ITERATIONS
        if iterations < MIN_ITERATIONS:
            raise Refused(f"Iterations {iterations} is less than the minimum {MIN_ITERATIONS} required for {mechanism}")
        upserts[MECHANISMS[mechanism]] = (iterations, match[2].encode())
    await quotas.alter_scram(cluster, user, upserts, [MECHANISMS[mechanism] for mechanism in deleted])


async def _alter_quotas(options: ConfigOptions, cluster: Cluster, added: Mapping[str, str], deleted: Sequence[str]) -> None:
    from barnabas.client.admin import quotas

    current = await _quotas_of(options, cluster)
    present = current[0][1] if current else {}
    missing = [key for key in deleted if key not in present]
    if missing:
        raise Refused(f"Invalid config(s): {','.join(missing)}")
    values = {}
    for key, text in added.items():
        try:
            values[key] = float(text)
        except ValueError:
            raise Refused(f"Cannot parse quota configuration value for {key}: {text}") from None
    entity = tuple((_QUOTA_TYPES[kind], name or None) for kind, name in zip(options.types, options.names, strict=True))
    await quotas.alter(cluster, entity, values, deleted)


# Describe


async def _describe(options: ConfigOptions, cluster: Cluster) -> None:
    kind = options.types[0]
    if kind in _RESOURCE_TYPES:
        await _describe_resources(options, cluster, kind, options.names[0] if options.names else None)
        return
    for entity, values in await _quotas_of(options, cluster):
        print(_quota_line(entity, values))
    if kind != "ips" and "clients" not in options.types and "" not in options.names:
        await _describe_scram(options.names, cluster)


async def _describe_resources(options: ConfigOptions, cluster: Cluster, kind: str, name: str | None) -> None:
    from barnabas.client.admin import configs

    everything = options.has(options.all)
    if name is not None and not everything and not await _exists(cluster, kind, name):
        print(f"The {kind[:-1]} '{name}' doesn't exist and doesn't have dynamic config.")
        return
    for entity in [name] if name is not None else await _all_of(cluster, kind):
        if entity:
            print(f"{'All' if everything else 'Dynamic'} configs for {kind[:-1]} {entity} are:")
        else:
            print(f"Default configs for {kind} in the cluster are:")
        if kind == "topics" and entity:
            check_name(entity)
        entries = (await configs.describe(cluster, _RESOURCE_TYPES[kind], [entity], synonyms=True)).get(entity, [])
        source = None if everything or kind == "broker-loggers" else _DYNAMIC_SOURCES[kind] if entity or kind != "brokers" else _DEFAULT_BROKER_SOURCE
        for entry in sorted(entries):
            if source is None or entry.source == source:
                synonyms = ", ".join(f"{configs.SOURCES.get(s, 'UNKNOWN')}:{key}={_text(value)}" for key, value, s in entry.synonyms)
                print(f"  {entry.name}={_text(entry.value)} sensitive={'true' if entry.sensitive else 'false'} synonyms={{{synonyms}}}")


def _text(value: str | None) -> str:
    return "null" if value is None else value


async def _exists(cluster: Cluster, kind: str, name: str) -> bool:
    """Whether a named entity is there, so that a typo isn't taken for an entity without configs."""
    from barnabas.client.admin import configs, groups, topics

    if kind == "topics":
        check_name(name)
        return name in await topics.names(cluster)
    if kind in ("brokers", "broker-loggers"):
        return not name or name in {str(node_id) for node_id in await _node_ids(cluster)}
    if kind == "client-metrics":
        return any(found == name for _, found in await configs.resources(cluster, [configs.CLIENT_METRICS]))
    if any(group.group_id == name for group in await groups.names(cluster)):
        return True
    listed = await _group_resources(cluster)
    return listed is None or name in listed


async def _node_ids(cluster: Cluster) -> list[int]:
    from barnabas.client.admin import nodes

    if cluster.controllers:
        await cluster.refresh_controllers()
        return list(cluster.brokers)
    return await nodes.broker_ids(cluster)


async def _all_of(cluster: Cluster, kind: str) -> list[str]:
    """Every entity of a type, in the order in which Apache's tool happens to print them."""
    from barnabas.client.admin import configs, groups, topics

    if kind == "topics":
        return string_order(await topics.names(cluster))
    if kind in ("brokers", "broker-loggers"):
        return [*map(str, hash_order(await _node_ids(cluster), integer_hash)), ""]
    if kind == "client-metrics":
        return [name for _, name in await configs.resources(cluster, [configs.CLIENT_METRICS])]
    found = [group.group_id for group in await groups.names(cluster)]
    return list(dict.fromkeys([*found, *(await _group_resources(cluster) or ())]))


async def _group_resources(cluster: Cluster) -> list[str] | None:
    """Groups with configs of their own; None where the cluster doesn't say (KIP-1142)."""
    from barnabas.client.admin import configs
    from barnabas.client.errors import KafkaError
    from barnabas.wire.errors import Error

    try:
        return [name for _, name in await configs.resources(cluster, [configs.GROUP])]
    except KafkaError as error:
        if error.error in (Error.UNSUPPORTED_VERSION, Error.CLUSTER_AUTHORIZATION_FAILED):
            return None
        raise


async def _quotas_of(options: ConfigOptions, cluster: Cluster) -> list[tuple[Entity, dict[str, float]]]:
    from barnabas.client.admin import quotas

    types, names = options.types, options.names
    if len(names) > len(types):
        raise Refused("More entity names specified than entity types")
    components: list[tuple[str, int, str | None]] = []
    for position, kind in enumerate(types):
        if position >= len(names):
            components.append((_QUOTA_TYPES[kind], quotas.ANY, None))
        elif names[position]:
            components.append((_QUOTA_TYPES[kind], quotas.EXACT, names[position]))
        else:
            components.append((_QUOTA_TYPES[kind], quotas.DEFAULT, None))
    found = await quotas.describe(cluster, components)
    return hash_order(found, lambda item: _entity_hash(item[0]), len(found))


def _entity_hash(entity: Entity) -> int:
    parts = sum(string_hash(kind) ^ (0 if name is None else string_hash(name)) for kind, name in entity)
    return (31 + parts) & 0xFFFFFFFF


def _quota_line(entity: Entity, values: Mapping[str, float]) -> str:
    from barnabas.core.configs.values import to_text

    parts = dict(entity)
    shown = []
    for kind, title in (("user", "user-principal"), ("client-id", "client-id"), ("ip", "ip")):
        if kind in parts:
            shown.append(f"the default {title}" if parts[kind] is None else f"{title} '{parts[kind]}'")
    listed = ", ".join(f"{key}={to_text(values[key])}" for key in string_order(values, len(values)))
    return f"Quota configs for {', '.join(shown)} are {listed}"


async def _describe_scram(users: Sequence[str], cluster: Cluster) -> None:
    from barnabas.client.admin import quotas
    from barnabas.client.errors import KafkaError
    from barnabas.wire.errors import Error

    for user, found in (await quotas.describe_scram(cluster, users)).items():
        if isinstance(found, KafkaError):
            if found.error is not Error.RESOURCE_NOT_FOUND:
                name = found.java_class.rpartition(".")[2]
                print(f"Error retrieving SCRAM credential configs for user-principal '{user}': {name}: {java_message(found)}")
            continue
        listed = ", ".join(f"{quotas.MECHANISM_NAMES.get(c.mechanism, 'UNKNOWN')}=iterations={c.iterations}" for c in found)
        print(f"SCRAM credential configs for user-principal '{user}' are {listed}")
