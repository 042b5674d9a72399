"""kafka-topics: create, list, describe, alter and delete topics. Flags, output and exit codes of Apache Kafka's TopicCommand."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from .java import java_message, java_text, log_line, string_order
from .options import OptionError
from .topic_options import CommandFailed, TopicOptions, parse_assignment, parse_configs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from barnabas.client.admin.configs import Entry
    from barnabas.client.admin.reassignments import Reassignment
    from barnabas.client.admin.topics import Description, PartitionDescription
    from barnabas.client.cluster import Cluster

LOGGER = "org.apache.kafka.tools.TopicCommand"
MAX_REPLICATION = 32767


def main(argv: Sequence[str]) -> int:
    try:
        options = TopicOptions(argv)
        properties = _properties(options)
    except (OptionError, ValueError, OSError) as error:
        sys.stdout.flush()
        sys.stderr.write(f"{java_message(error)}\n{java_text(error)}\n\n")
        return 1
    from .session import run

    return run(_execute(options, properties))


def _properties(options: TopicOptions) -> dict[str, str]:
    from .session import load_properties

    properties = load_properties(options.given.text(options.command_config)) if options.has(options.command_config) else {}
    properties["bootstrap.servers"] = options.given.text(options.bootstrap)
    return properties


async def _execute(options: TopicOptions, properties: Mapping[str, str]) -> int:
    from barnabas.client.errors import InvalidBootstrap, KafkaError

    from .session import ConfigException, open_cluster

    try:
        cluster = open_cluster(properties)
    except (InvalidBootstrap, ConfigException) as error:
        message = "Failed to create new KafkaAdminClient"
        sys.stderr.write(f"{message}\norg.apache.kafka.common.KafkaException: {message}\nCaused by: {java_text(error)}\n\n")
        return 1
    async with cluster:
        try:
            await _act(options, cluster)
        except (KafkaError, ValueError) as error:
            print(f"Error while executing topic command : {java_message(error)}")
            log_line("ERROR", f"{java_text(error)}\n", LOGGER)
            return 1
    return 0


async def _act(options: TopicOptions, cluster: Cluster) -> None:
    if options.has(options.create):
        await _create(options, cluster)
    elif options.has(options.alter):
        await _alter(options, cluster)
    elif options.has(options.list):
        print("\n".join(await _matching(options, cluster)))
    elif options.has(options.describe):
        await _describe(options, cluster)
    else:
        await _delete(options, cluster)


async def _matching(options: TopicOptions, cluster: Cluster) -> list[str]:
    """The names that --topic matches, in order."""
    from barnabas.client.admin import topics

    from .topic_names import INTERNAL, include

    visible = sorted(await topics.names(cluster, internal=not options.has(options.exclude_internal)))
    if options.has(options.exclude_internal):
        visible = [name for name in visible if name not in INTERNAL]
    if not options.has(options.topic):
        return visible
    allowed = include(options.given.text(options.topic))
    return [name for name in visible if allowed(name)]


def _ensure_found(options: TopicOptions, found: Sequence[str]) -> None:
    wanted = options.given.value(options.topic)
    if wanted and not found and not options.has(options.if_exists):
        raise CommandFailed(f"Topic '{wanted}' does not exist as expected")


# Create


def _requested(options: TopicOptions) -> tuple[str, int | None, int | None, dict[int, list[int]], dict[str, str]]:
    """Name, partitions, replication factor, assignment, configs."""
    given = options.given
    text = given.value(options.replica_assignment)
    return (
        given.text(options.topic),
        given.optional_number(options.partitions),
        given.optional_number(options.replication_factor),
        parse_assignment(text) if text else {},
        parse_configs(given.values(options.config)),
    )


async def _create(options: TopicOptions, cluster: Cluster) -> None:
    from barnabas.client.admin import first_failure, topics
    from barnabas.client.errors import KafkaError
    from barnabas.wire.errors import Error

    name, partitions, replication, assignment, configs = _requested(options)
    if "_" in name or "." in name:
        print(
            "WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') could collide. "
            "To avoid issues it is best to use either, but not both."
        )
    if replication is not None and not 1 <= replication <= MAX_REPLICATION:
        raise CommandFailed(f"The replication factor must be between 1 and {MAX_REPLICATION} inclusive")
    if partitions is not None and partitions < 1:
        raise CommandFailed("The partitions must be greater than 0")
    new = topics.NewTopic(name, partitions or topics.DEFAULT, replication or topics.DEFAULT, assignment or None, configs)
    try:
        first_failure(await topics.create(cluster, [new]))
    except KafkaError as error:
        if error.error is Error.TOPIC_ALREADY_EXISTS and options.has(options.if_not_exists):
            return
        raise
    print(f"Created topic {name}.")


# Alter and delete


async def _alter(options: TopicOptions, cluster: Cluster) -> None:
    from barnabas.client.admin import first_failure, topics

    _, partitions, _, assignment, _ = _requested(options)
    found = await _matching(options, cluster)
    _ensure_found(options, found)
    if not found:
        return
    described = await topics.describe(cluster, found)
    assert partitions is not None  # --alter requires it
    counts: dict[str, tuple[int, list[list[int]] | None]] = {}
    for name in found:
        new = [brokers for partition, brokers in assignment.items() if partition >= len(described[name].partitions)] if assignment else None
        counts[name] = (partitions, new)
    first_failure(await topics.create_partitions(cluster, counts))


async def _delete(options: TopicOptions, cluster: Cluster) -> None:
    from barnabas.client.admin import first_failure, topics

    found = await _matching(options, cluster)
    _ensure_found(options, found)
    first_failure(await topics.delete(cluster, found))


# Describe


async def _describe(options: TopicOptions, cluster: Cluster) -> None:
    from barnabas.client.admin import configs, nodes

    described = await _described(options, cluster)
    settings = await configs.describe(cluster, configs.TOPIC, described) if described else {}
    live = set(await nodes.broker_ids(cluster))
    moving = await _reassignments(cluster, described)
    lines: list[str] = []
    for description in described.values():
        partitions = sorted(description.partitions)
        entries = {entry.name: entry for entry in settings[description.name]}
        _topic_line(options, description, partitions, entries, moving, lines)
        if not options.has(options.with_overrides):
            for partition in partitions:
                reassignment = moving.get((description.name, partition.partition))
                if _wanted(options, partition, entries, reassignment, live):
                    lines.append(_partition_line(description.name, partition, reassignment))
    sys.stdout.write("".join(lines))


async def _described(options: TopicOptions, cluster: Cluster) -> dict[str, Description]:
    """The topics asked for, in the order in which Apache's tool happens to print them."""
    from barnabas.client.admin import topics
    from barnabas.wire.types import ZERO_UUID, uuid_from_text

    given = options.given
    wanted_id = given.value(options.topic_id)
    if wanted_id is not None and (topic_id := uuid_from_text(wanted_id)) != ZERO_UUID:
        known = await topics.names(cluster, internal=not options.has(options.exclude_internal))
        ids = [listing.topic_id for listing in known.values() if listing.topic_id == topic_id]
        if not ids and not options.has(options.if_exists):
            raise CommandFailed(f"TopicId '{wanted_id}' does not exist as expected")
        return await topics.describe_ids(cluster, ids) if ids else {}
    found = await _matching(options, cluster)
    _ensure_found(options, found)
    described = await topics.describe(cluster, found, partitions_per_page=given.optional_number(options.page_size) or 2000)
    order = string_order(described, len(described))
    order = string_order(order, int(len(order) / 0.75) + 1)
    return {name: described[name] for name in string_order(order, len(order))}


async def _reassignments(cluster: Cluster, described: Mapping[str, Description]) -> dict[tuple[str, int], Reassignment]:
    from barnabas.client.admin import reassignments
    from barnabas.client.errors import KafkaError
    from barnabas.wire.errors import Error

    try:
        return await reassignments.find(cluster, {name: [p.partition for p in topic.partitions] for name, topic in described.items()})
    except KafkaError as error:
        if error.error in (Error.UNSUPPORTED_VERSION, Error.CLUSTER_AUTHORIZATION_FAILED):
            return {}
        raise


def _replication_factor(partition: PartitionDescription, reassignment: Reassignment | None) -> int:
    if reassignment and set(partition.replicas) & {*reassignment.adding, *reassignment.removing}:
        return len(reassignment.replicas) - len(reassignment.adding)
    return len(partition.replicas)


def _topic_line(
    options: TopicOptions,
    topic: Description,
    partitions: Sequence[PartitionDescription],
    entries: Mapping[str, Entry],
    moving: Mapping[tuple[str, int], Reassignment],
    lines: list[str],
) -> None:
    from barnabas.wire.types import ZERO_UUID, uuid_text

    if any(map(options.has, options.reports)):
        return
    own = [entries[name] for name in string_order(entries) if not entries[name].is_default]
    if options.has(options.with_overrides) and not own:
        return
    replication = _replication_factor(partitions[0], moving.get((topic.name, partitions[0].partition)))
    parts = [f"Topic: {topic.name}"]
    if topic.topic_id != ZERO_UUID:
        parts.append(f"TopicId: {uuid_text(topic.topic_id)}")
    parts += [f"PartitionCount: {len(partitions)}", f"ReplicationFactor: {replication}"]
    parts.append("Configs: " + ",".join(f"{entry.name}={_text(entry.value)}" for entry in own))
    lines.append("\t".join(parts) + "\n")


def _text(value: Any) -> str:
    return "null" if value is None else str(value)


def _wanted(options: TopicOptions, p: PartitionDescription, entries: Mapping[str, Entry], reassignment: Reassignment | None, live: set[int]) -> bool:
    """Whether the partition falls under one of the reports asked for; without any, all do."""
    if not any(map(options.has, options.reports)):
        return True
    least = int(entries["min.insync.replicas"].value or 1)
    return (
        (options.has(options.under_replicated) and _replication_factor(p, reassignment) > len(p.isr))
        or (options.has(options.unavailable) and (p.leader < 0 or p.leader not in live))
        or (options.has(options.under_min_isr) and (p.leader < 0 or len(p.isr) < least))
        or (options.has(options.at_min_isr) and len(p.isr) == least)
    )


def _partition_line(topic: str, p: PartitionDescription, reassignment: Reassignment | None) -> str:
    parts = [f"\tTopic: {topic}", f"Partition: {p.partition}", f"Leader: {p.leader if p.leader >= 0 else 'none'}"]
    parts += [f"Replicas: {_ids(p.replicas)}", f"Isr: {_ids(p.isr)}"]
    if reassignment is not None:
        parts += [f"Adding Replicas: {_ids(reassignment.adding)}", f"Removing Replicas: {_ids(reassignment.removing)}"]
    parts += [f"Elr: {'N/A' if p.elr is None else _ids(p.elr)}", f"LastKnownElr: {'N/A' if p.last_known_elr is None else _ids(p.last_known_elr)}"]
    return "\t".join(parts) + "\n"


def _ids(ids: Iterable[int]) -> str:
    return ",".join(map(str, ids))
