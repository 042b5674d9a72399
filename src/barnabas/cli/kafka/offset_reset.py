"""`kafka-consumer-groups --reset-offsets` and `--delete-offsets`: which partitions, to which offsets, and what is printed of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .consumer_groups import Refused
from .java import EXECUTION, RUNTIME, Thrown, hash_order, java_text, log_line, partition_hash, string_order, wrapped
from .options import usage_and_exit
from .reset_times import parse_datetime, parse_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from barnabas.client.admin.groups import Committed
    from barnabas.client.cluster import Cluster
    from barnabas.client.errors import KafkaError

    from .consumer_group_options import GroupOptions

Key = tuple[str, int]
Plan = dict[Key, int]
LOGGER = "org.apache.kafka.tools.OffsetsUtils"


async def reset(options: GroupOptions, cluster: Cluster, group_ids: Sequence[str]) -> None:
    """Plans each group and, with --execute, commits the plan; then prints all plans."""
    from barnabas.client.admin import group_descriptions
    from barnabas.client.errors import KafkaError
    from barnabas.wire.errors import Error

    outcomes = await group_descriptions.describe(cluster, list(dict.fromkeys(group_ids)))
    plans: dict[str, Plan] = {}
    for group_id in string_order(outcomes):
        outcome = outcomes[group_id]
        if isinstance(outcome, group_descriptions.Description) and outcome.state not in ("Empty", "Dead"):
            print(f"\nError: Assignments can only be reset if the group '{group_id}' is inactive, but the current state is {outcome.state}.")
            plans[group_id] = {}
        elif isinstance(outcome, Exception) and not (isinstance(outcome, KafkaError) and outcome.error is Error.GROUP_ID_NOT_FOUND):
            raise wrapped(outcome, EXECUTION, RUNTIME)
        else:
            plans[group_id] = await _reset_group(options, cluster, group_id)
    if options.has(options.export):
        from .reset_csv import exported

        print(exported(plans, with_group=len(options.given.values(options.group)) != 1))
    else:
        _print_plans(plans)


def _print_plans(plans: Mapping[str, Plan]) -> None:
    groups = max(15, *map(len, plans), 0)
    topics = max(15, *(len(topic) for plan in plans.values() for topic, _ in plan), 0)
    rows = [("GROUP", "TOPIC", "PARTITION", "NEW-OFFSET")] if plans else []
    rows += [(group_id, topic, str(partition), str(offset)) for group_id, plan in plans.items() for (topic, partition), offset in plan.items()]
    print("".join(f"\n{group:<{groups}} {topic:<{topics}} {partition:<10} {offset}" for group, topic, partition, offset in rows))


async def _reset_group(options: GroupOptions, cluster: Cluster, group_id: str) -> Plan:
    from barnabas.client.admin import groups

    keys = await _scope(options, cluster, group_id)
    await _check_keys(cluster, keys)
    planned = await _planned(options, cluster, group_id, keys)
    plan = {key: planned[key] for key in hash_order(planned, partition_hash)}
    if options.has(options.execute) and not options.has(options.dry_run):
        outcomes = await groups.alter_offsets(cluster, group_id, {key: groups.Committed(offset, -1, "") for key, offset in plan.items()})
        _raise_first(outcomes)
    return plan


def _raise_first(outcomes: Mapping[Key, KafkaError | None]) -> None:
    from barnabas.client.errors import KafkaError

    failed = {key: failure for key in hash_order(outcomes, partition_hash) if (failure := outcomes[key]) is not None}
    for failure in failed.values():
        listed = ", ".join(f"{topic}-{partition}" for topic, partition in failed)
        raise KafkaError(failure.error, f"Failed altering group offsets for the following partitions: [{listed}]")


# Which partitions


async def _scope(options: GroupOptions, cluster: Cluster, group_id: str) -> list[Key]:
    from barnabas.client.admin import topics

    if options.has(options.all_topics):
        return list(await _committed(cluster, group_id))
    if options.has(options.topic):
        arguments = options.given.values(options.topic)
        keys = [key for argument in arguments if ":" in argument for key in _parse(argument)]
        whole = [argument for argument in arguments if ":" not in argument]
        described = await topics.describe(cluster, whole) if whole else {}
        keys += [(name, p.partition) for name in string_order(described, len(described)) for p in described[name].partitions]
        return keys
    if not options.has(options.from_file):
        usage_and_exit(options.parser, "One of the reset scopes should be defined: --all-topics, --topic.")
    return []


def _parse(argument: str) -> list[Key]:
    """`topic:0,1`. Raises Refused."""
    parts = argument.split(":")
    while parts and not parts[-1]:
        parts.pop()
    if len(parts) != 2:
        raise Refused(f"Invalid topic arg '{argument}', expected topic name and partitions")
    keys = []
    for text in parts[1].rstrip(",").split(","):
        digits = text[1:] if text[:1] in ("+", "-") else text
        if not digits.isdecimal() or not -(2**31) <= int(text) < 2**31:
            raise Refused(f"Invalid partition '{text}' specified in topic arg '{argument}''")
        keys.append((parts[0], int(text)))
    return keys


async def _check_keys(cluster: Cluster, keys: Sequence[Key]) -> None:
    """Whether they exist and have leaders. Raises KafkaError, Thrown."""
    from barnabas.client.admin import topics
    from barnabas.client.errors import KafkaError
    from barnabas.wire.errors import Error

    try:
        described = await topics.describe(cluster, {topic for topic, _ in keys}) if keys else {}
    except KafkaError as error:
        raise wrapped(error, EXECUTION, RUNTIME) from None
    leaders = {(name, p.partition): p.leader for name, topic in described.items() for p in topic.partitions}
    for missing, what, code in (
        ([key for key in keys if key not in leaders], "do not exist", Error.UNKNOWN_TOPIC_OR_PARTITION),
        ([key for key in keys if leaders.get(key, 0) < 0], "have no leader", Error.LEADER_NOT_AVAILABLE),
    ):
        if missing:
            listed = ",".join(f"{topic}-{partition}" for topic, partition in missing)
            raise KafkaError(code, f'The partitions "{listed}" {what}')
    twice = next((key for index, key in enumerate(keys) if key in keys[:index]), None)
    if twice:
        raise Thrown(f"Duplicate key {twice[0]}-{twice[1]}", "java.lang.IllegalStateException")


# To which offsets


async def _planned(options: GroupOptions, cluster: Cluster, group_id: str, keys: Sequence[Key]) -> Plan:
    from barnabas.client.admin import offsets

    given = options.given
    if options.has(options.to_offset):
        return await _within(cluster, dict.fromkeys(keys, int(given.values(options.to_offset)[0])))
    if options.has(options.to_earliest):
        return await _find(cluster, keys, offsets.EARLIEST)
    if options.has(options.to_latest):
        return await _find(cluster, keys, offsets.LATEST)
    if options.has(options.shift_by):
        return await _shifted(cluster, keys, await _committed(cluster, group_id), given.number(options.shift_by))
    if options.has(options.to_datetime):
        return await _by_time(cluster, keys, parse_datetime(given.values(options.to_datetime)[0]))
    if options.has(options.by_duration):
        return await _by_time(cluster, keys, int(time.time() * 1000) - parse_duration(given.text(options.by_duration)))
    if options.has(options.from_file):
        return await _from_file(options, cluster, group_id)
    if not options.has(options.to_current):
        listed = ", ".join(map(str, options.scenarios))
        usage_and_exit(options.parser, f"Option '{options.reset_offsets}' requires one of the following scenarios: [{listed}]")
    current = await _committed(cluster, group_id)
    plan = {key: current[key].offset for key in keys if key in current}
    return plan | await _find(cluster, [key for key in keys if key not in current], offsets.LATEST)


async def _from_file(options: GroupOptions, cluster: Cluster, group_id: str) -> Plan:
    from .reset_csv import read

    names = options.given.values(options.group)
    wanted = read(options.given.values(options.from_file)[0], names[0] if len(names) == 1 else None).get(group_id)
    if wanted is None:
        print(f"\nError: No reset plan for group {group_id} found")
        return {}
    return await _within(cluster, wanted)


async def _committed(cluster: Cluster, group_id: str) -> dict[Key, Committed]:
    """What the group committed, in the order of Apache's tool."""
    from barnabas.client.admin import groups
    from barnabas.client.errors import KafkaError

    try:
        found = await groups.committed(cluster, group_id)
    except KafkaError as error:
        raise wrapped(error, EXECUTION, RUNTIME) from None
    return {key: found[key] for key in hash_order(found, partition_hash)}


async def _find(cluster: Cluster, keys: Iterable[Key], place: int) -> Plan:
    """The offset at a time or place, -1 where there is none. Raises Thrown."""
    from barnabas.client.admin import offsets
    from barnabas.client.errors import KafkaError

    found = await offsets.find(cluster, dict.fromkeys(keys, place))
    plan: Plan = {}
    for key, answer in found.items():
        if isinstance(answer, KafkaError):
            raise wrapped(answer, EXECUTION, RUNTIME)
        plan[key] = answer.offset
    return {key: plan[key] for key in keys}


async def _by_time(cluster: Cluster, keys: Sequence[Key], timestamp_ms: int) -> Plan:
    """The first offset of a time; the end of a partition that has nothing so late."""
    from barnabas.client.admin import offsets

    plan = await _find(cluster, keys, timestamp_ms)
    late = [key for key in keys if plan[key] == offsets.UNKNOWN_OFFSET]
    for topic, partition in hash_order(hash_order(late, partition_hash, len(keys)), partition_hash):
        print(f"\nWarn: Partition {partition} from topic {topic} is empty. Falling back to latest known offset.")
    return plan | await _find(cluster, late, offsets.LATEST)


async def _shifted(cluster: Cluster, keys: Sequence[Key], current: Mapping[Key, Committed], distance: int) -> Plan:
    for key in keys:
        if key not in current:
            raise Refused(f"Cannot shift offset for partition {key[0]}-{key[1]} since there is no current committed offset")
    return await _within(cluster, {key: current[key].offset + distance for key in keys})


async def _within(cluster: Cluster, wanted: Plan) -> Plan:
    """Offsets moved to what each partition has."""
    from barnabas.client.admin import offsets

    starts, ends = await _find(cluster, wanted, offsets.EARLIEST), await _find(cluster, wanted, offsets.LATEST)
    plan = {}
    for key in hash_order(wanted, partition_hash):
        offset = plan[key] = max(starts[key], min(wanted[key], ends[key]))
        if offset != wanted[key]:
            side = "higher than latest" if offset < wanted[key] else "lower than earliest"
            where = f"offset for topic partition {key[0]}-{key[1]}"
            log_line("WARN", f"New offset ({wanted[key]}) is {side} {where}. Value will be set to {offset}", LOGGER)
    return plan


# Deleting


async def delete_offsets(options: GroupOptions, cluster: Cluster) -> None:
    from barnabas.client.admin import groups, topics
    from barnabas.client.errors import KafkaError

    group_id = options.given.text(options.group)
    arguments = dict.fromkeys(options.given.values(options.topic))
    keys = [key for argument in arguments if ":" in argument for key in _parse(argument)]
    outcomes: dict[Key, KafkaError | None] = {}
    for name in (argument for argument in arguments if ":" not in argument):
        try:
            keys += [(name, p.partition) for p in (await topics.describe(cluster, [name]))[name].partitions]
        except KafkaError as error:
            outcomes[(name, -1)] = error
    keys = hash_order(dict.fromkeys(keys), partition_hash)
    failure: KafkaError | None = None
    try:
        answers = await groups.delete_offsets(cluster, group_id, keys)
        outcomes |= answers
        failure = next((answer for key in keys if (answer := answers.get(key)) is not None), None)
    except KafkaError as error:
        failure = error
        outcomes |= dict.fromkeys(keys, error)
    print(_summary(group_id, failure))
    _print_outcomes(outcomes)


def _summary(group_id: str, failure: KafkaError | None) -> str:
    from barnabas.wire.errors import Error

    if failure is None:
        return f"Request succeeded for deleting offsets from group {group_id}."
    if failure.error in (Error.INVALID_GROUP_ID, Error.GROUP_ID_NOT_FOUND, Error.GROUP_AUTHORIZATION_FAILED, Error.NON_EMPTY_GROUP):
        return f"\nError: {failure}"
    if failure.error in (Error.GROUP_SUBSCRIBED_TO_TOPIC, Error.TOPIC_AUTHORIZATION_FAILED, Error.UNKNOWN_TOPIC_OR_PARTITION):
        return "\nError: Encountered some partition-level error, see the follow-up details."
    return f"\nError: Encountered some unknown error: {failure.error.name}"


def _print_outcomes(outcomes: Mapping[Key, KafkaError | None]) -> None:
    width = max(15, *(len(topic) for topic, _ in outcomes), 0)
    rows = [("TOPIC", "PARTITION", "STATUS")]
    for (topic, partition), failure in sorted(outcomes.items(), key=lambda item: f"{item[0][0]}{item[0][1]}"):
        rows.append((topic, str(partition) if partition >= 0 else "-", "Successful" if failure is None else f"Error: {java_text(failure)}"))
    print("".join(f"\n{topic:<{width}} {partition:<10} {status:<15}" for topic, partition, status in rows))
