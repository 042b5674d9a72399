"""kafka-consumer-groups: list, describe, delete groups, move and forget their offsets. Flags, output and exit codes of Apache Kafka's ConsumerGroupCommand.

Owns: which action, its failures, listing and deleting. Describing is `consumer_group_views`, moving offsets `offset_reset`.
A failure is told and still ends with status 0, as Apache's tool does; only a command line that makes no sense ends with 1.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .consumer_group_options import GroupOptions
from .java import EXECUTION, RUNTIME, Thrown, java_message, java_text, string_order, wrapped
from .options import OptionError, usage_and_exit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from barnabas.client.admin.groups import GroupListing
    from barnabas.client.cluster import Cluster
    from barnabas.client.errors import KafkaError

CONSUMER_TYPES = ("Classic", "Consumer")
CONSUMER_STATES = ("CompletingRebalance", "Stable", "Dead", "Reconciling", "PreparingRebalance", "Empty", "Assigning")


class Refused(ValueError):
    """An argument that makes no sense: told with the help page, status 1."""


def main(argv: Sequence[str]) -> int:
    try:
        options = GroupOptions(argv)
    except OptionError as error:
        sys.stdout.flush()
        sys.stderr.write(f'Exception in thread "main" {java_text(error)}\n')
        return 1
    if options.has(options.validate_regex):
        print(_verdict(options.given.text(options.validate_regex)))
        return 0
    from barnabas.client.errors import InvalidBootstrap, KafkaError

    from .session import ConfigException, run

    try:
        run(_execute(options))
    except Refused as error:
        usage_and_exit(options.parser, str(error))
    except (InvalidBootstrap, ConfigException) as error:
        message = "Failed to create new KafkaAdminClient"
        _tell(message, f"org.apache.kafka.common.KafkaException: {message}\nCaused by: {java_text(error)}")
    except OSError as error:
        failure = wrapped(error, RUNTIME)
        _tell(str(failure), java_text(failure))
    except (KafkaError, OptionError, Thrown) as error:
        _tell(java_message(error), java_text(error))
    return 0


def _tell(message: str, trace: str) -> None:
    print(f"\nError: Executing consumer group command failed due to {message}")
    sys.stdout.flush()
    sys.stderr.write(f"{trace}\n")


def _verdict(regex: str) -> str:
    from .re2 import RegexError, check

    try:
        check(regex)
    except RegexError as error:
        return f"The regular expression `{regex}` is invalid: {error}."
    return f"The regular expression `{regex}` is valid."


async def _execute(options: GroupOptions) -> None:
    from .session import load_properties, open_cluster

    given = options.given
    properties = load_properties(given.text(options.command_config)) if options.has(options.command_config) else {}
    properties["bootstrap.servers"] = given.text(options.bootstrap)
    cluster = open_cluster(properties)
    given.values(options.to_offset)  # numbers are read whatever the action is
    given.value(options.by_duration)
    given.value(options.shift_by)
    cluster.settings = cluster.settings._replace(api_timeout_ms=given.number(options.timeout))
    async with cluster:
        if options.has(options.list):
            await _list(options, cluster)
        elif options.has(options.describe):
            from .consumer_group_views import describe

            await describe(options, cluster, await _chosen(options, cluster))
        elif options.has(options.delete):
            await _delete(cluster, await _chosen(options, cluster))
        elif options.has(options.reset_offsets):
            from .offset_reset import reset

            await reset(options, cluster, await _chosen(options, cluster))
        else:
            from .offset_reset import delete_offsets

            await delete_offsets(options, cluster)


async def _chosen(options: GroupOptions, cluster: Cluster) -> list[str]:
    """The groups that the action is about."""
    if not options.has(options.all_groups):
        return options.given.values(options.group)
    return [group.group_id for group in await _groups(cluster, CONSUMER_TYPES, ())]


async def _groups(cluster: Cluster, types: Iterable[str], states: Iterable[str]) -> list[GroupListing]:
    """Groups of consumers, in the order in which Apache's tool prints them."""
    from barnabas.client.admin import groups
    from barnabas.client.admin.group_descriptions import CONSUMER_PROTOCOL, state_of
    from barnabas.client.errors import KafkaError, TimedOut

    try:
        found = await groups.names(cluster, types=types, states=states)
    except TimedOut:
        raise wrapped(Thrown("Failed to find brokers to send ListGroups", "org.apache.kafka.common.KafkaException"), EXECUTION, RUNTIME) from None
    except KafkaError as error:
        raise wrapped(error, EXECUTION, RUNTIME) from None
    listed = {
        group.group_id: group._replace(type=group.type.capitalize() or "Unknown", state=state_of(group.state))
        for group in found
        if group.protocol_type in ("", CONSUMER_PROTOCOL)
    }
    return [listed[name] for name in string_order(listed)]


# List


async def _list(options: GroupOptions, cluster: Cluster) -> None:
    with_type, with_state = options.has(options.type), options.has(options.state)
    if not with_type and not with_state:
        for group in await _groups(cluster, CONSUMER_TYPES, ()):
            print(group.group_id)
        return
    types = _filter(options.given.value(options.type), CONSUMER_TYPES, "types")
    states = _filter(options.given.value(options.state), CONSUMER_STATES, "state")
    listed = await _groups(cluster, types, states)
    width = max((max(15, len(group.group_id)) for group in listed), default=15) + 10
    rows = [("GROUP", "TYPE", "STATE"), *((group.group_id, group.type, group.state) for group in listed)]
    for name, kind, state in rows:
        print(f"{name:<{width}}" + (f" {kind:<20}" if with_type else "") + (f" {state:<20}" if with_state else ""))


def _filter(text: str | None, valid: Sequence[str], what: str) -> list[str]:
    """Names by commas in any case. Raises Refused."""
    if not text:
        return []
    known = {name.lower(): name for name in valid}
    wanted = [known.get(word.strip().lower()) for word in text.split(",")]
    if None in wanted:
        raise Refused(f"Invalid {what} list '{text}'. Valid {what.removesuffix('s')}s are: {', '.join(valid)}")
    return [name for name in wanted if name is not None]


# Delete


async def _delete(cluster: Cluster, group_ids: Sequence[str]) -> None:
    from barnabas.client.admin import groups

    outcomes: Mapping[str, KafkaError | None] = await groups.delete(cluster, group_ids)
    ordered = string_order(dict.fromkeys(group_ids))
    deleted = ", ".join(f"'{group_id}'" for group_id in ordered if outcomes[group_id] is None)
    failed = [(group_id, failure) for group_id in ordered if (failure := outcomes[group_id]) is not None]
    if not failed:
        print(f"Deletion of requested consumer groups ({deleted}) was successful.")
        return
    print("\nError: Deletion of some consumer groups failed:")
    for group_id, failure in failed:
        print(f"* Group '{group_id}' could not be deleted due to: {java_text(failure)}")
    if deleted:
        print(f"\nThese consumer groups were deleted successfully: {deleted}")
