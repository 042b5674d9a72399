"""kafka-reassign-partitions: move replicas between brokers and log directories. Flags, output and exit codes of Apache Kafka's ReassignPartitionsCommand.

Owns: the five actions and what they say. The files are `reassignment_plan`, the limits on traffic `reassignment_throttles`, the options `reassign_options`.
All complaints but those about options go to standard output, as Apache's tool has it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from . import json_input
from . import reassignment_throttles as throttles
from .admin_tool import Terse
from .java import EXECUTION, Thrown, hash_order, integer_hash, java_message, java_text, partition_hash, replica_hash, string_order, wrapped
from .options import OptionError
from .reassign_options import NO_LIMIT, ReassignOptions
from .reassignment_plan import FAILED, REFUSED, broker_list, key_text, parse_topics, plan_text, read_plan, replica_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from barnabas.client.admin.log_dirs import Place
    from barnabas.client.cluster import Cluster, Topic
    from barnabas.client.errors import KafkaError

    from .reassignment_plan import Key, Plan, Replica

RETRY_PAUSE_MS = 100
EXISTING = (
    "Cannot execute because there is an existing partition assignment.  Use --additional to override this and create a new partition assignment in "
    "addition to the existing one. The --additional flag can also be used to change the throttle by resubmitting the current reassignment."
)
VERIFY_LATER = "Warning: You must run --verify periodically, until the reassignment completes, to ensure the throttle is removed."
RACKS_MISSING = "Not all brokers have rack information. Add --disable-rack-aware in command line to make replica assignment without rack information."


def main(argv: Sequence[str]) -> int:
    try:
        options = ReassignOptions(argv)
    except OptionError as error:
        sys.stdout.flush()
        sys.stderr.write(f'Exception in thread "main" {java_text(error)}\n')
        return 1
    from barnabas.client.errors import InvalidBootstrap, KafkaError

    from .session import open_cluster, run

    try:
        run(_act(open_cluster(options.properties()), options))
    except Terse as error:
        print(error)
    except InvalidBootstrap as error:
        message = "Failed to create new KafkaAdminClient"
        print(f"Error: {message}\norg.apache.kafka.common.KafkaException: {message}\nCaused by: {java_text(error)}\n")
    except KafkaError as error:
        _tell(wrapped(error, EXECUTION))
    except (OptionError, Thrown, OSError, ValueError) as error:
        _tell(error)
    else:
        return 0
    return 1


def _tell(error: BaseException) -> None:
    print(f"Error: {java_message(error)}\n{java_text(error)}{getattr(error, 'trace', '')}\n")


async def _act(cluster: Cluster, options: ReassignOptions) -> None:
    given = options.given
    async with cluster:
        if given.has(options.verify):
            await _verify(cluster, read_plan(given.text(options.plan)), preserve_throttles=given.has(options.preserve_throttles))
        elif given.has(options.generate):
            path, brokers = given.text(options.topics), given.text(options.broker_list)
            await _generate(cluster, path, brokers, racks=not given.has(options.no_racks))
        elif given.has(options.execute):
            await _execute(cluster, options)
        elif given.has(options.cancel):
            plan = read_plan(given.text(options.plan))
            await _cancel(cluster, plan, given.number(options.timeout), preserve_throttles=given.has(options.preserve_throttles))
        else:
            await _list(cluster)


def _sorted(replicas: Iterable[Replica]) -> list[Replica]:
    """By broker, then by partition."""
    return sorted(replicas, key=lambda replica: (replica[2], replica[0], replica[1]))


def _ids(brokers: Iterable[int]) -> str:
    return ",".join(map(str, brokers))


# --- what is there


async def _described(cluster: Cluster, topics: Iterable[str]) -> dict[str, Topic]:
    """These topics, all of them. Raises the first failure, in the order in which Apache's tool meets them."""
    from barnabas.client.errors import KafkaError
    from barnabas.wire.errors import Error

    names = string_order(set(topics))
    await cluster.refresh(names)
    for name in names:
        failure = cluster.topic_errors.get(name)
        if failure is Error.UNKNOWN_TOPIC_OR_PARTITION:
            raise KafkaError(failure, f"Topic {name} not found.")
        if failure is not None:
            raise KafkaError(failure)
    return {name: cluster.topics[name] for name in names}


async def _assigned(cluster: Cluster, keys: Iterable[Key]) -> dict[Key, tuple[int, ...]]:
    """The brokers of each partition. Raises UNKNOWN_TOPIC_OR_PARTITION."""
    from barnabas.client.errors import KafkaError
    from barnabas.wire.errors import Error

    wanted = list(keys)
    topics = await _described(cluster, (topic for topic, _ in wanted))
    missing = [key for key in hash_order(wanted, partition_hash) if key[1] not in topics[key[0]].partitions]
    if missing:
        raise KafkaError(Error.UNKNOWN_TOPIC_OR_PARTITION, f"Unable to find partition: {', '.join(map(key_text, missing))}")
    return {key: topics[key[0]].partitions[key[1]].replicas for key in wanted}


async def _directories(cluster: Cluster, assigned: Mapping[Key, Iterable[int]]) -> dict[Replica, str]:
    """Where the replicas of living brokers lie."""
    from barnabas.client.admin import log_dirs

    wanted = [(*key, broker) for key, brokers in assigned.items() for broker in brokers if broker in cluster.brokers]
    return {replica: place.current for replica, place in (await log_dirs.places(cluster, wanted)).items() if place.current is not None}


# --- --generate


async def _generate(cluster: Cluster, path: str, brokers_text: str, *, racks: bool) -> None:
    text = json_input.read_text(path)
    brokers = broker_list(brokers_text)
    topics = await _described(cluster, parse_topics(text, path))
    assigned = {(name, number): place.replicas for name, topic in topics.items() for number, place in topic.partitions.items()}
    directories = await _directories(cluster, assigned)
    proposed = await _proposed(cluster, topics, brokers, racks=racks)
    print(f"Current partition replica assignment\n{plan_text(assigned, directories)}\n")
    print(f"Proposed partition reassignment configuration\n{plan_text(proposed, {})}")


async def _proposed(cluster: Cluster, topics: Mapping[str, Topic], brokers: Sequence[int], *, racks: bool) -> dict[Key, list[int]]:
    """Placed as a controller places new topics."""
    import os

    from barnabas.client.admin import nodes
    from barnabas.core.controller.placement import Dice, UsableBroker, place
    from barnabas.core.controller.result import ApiError

    known = (await nodes.describe(cluster)).nodes
    usable = [UsableBroker(node.node_id, node.rack if racks else None, False) for node in known if node.node_id in brokers]
    if racks and 0 < sum(broker.rack is None for broker in usable) < len(usable):
        raise Thrown(RACKS_MISSING, REFUSED)
    found: dict[Key, list[int]] = {}
    try:
        for name, topic in topics.items():
            factor = len(topic.partitions[min(topic.partitions)].replicas)
            placed = place(Dice(os.urandom), usable, len(topic.partitions), factor)
            found.update({(name, number): replicas for number, replicas in enumerate(placed)})
    except ApiError as error:
        raise Thrown(error.message or "", "org.apache.kafka.common.errors.InvalidReplicationFactorException") from None
    return found


# --- --execute


async def _execute(cluster: Cluster, options: ReassignOptions) -> None:
    from barnabas.client.admin import nodes, reassignments

    given = options.given
    plan = read_plan(given.text(options.plan))
    limit, directory_limit, timeout_ms = (given.number(option) for option in (options.throttle, options.directory_throttle, options.timeout))
    plan.check()
    targets = plan.targets
    current = await reassignments.find(cluster)
    if current and not given.has(options.additional):
        raise Terse(EXISTING)
    known = {node.node_id for node in (await nodes.describe(cluster)).nodes}
    for broker in hash_order({broker for replicas in targets.values() for broker in replicas}, integer_hash):
        if broker not in known:
            raise Thrown(f"Unknown broker id {broker}", FAILED)
    assigned = await _assigned(cluster, targets)
    print(f"Current partition replica assignment\n\n{plan_text(assigned, await _directories(cluster, assigned))}\n")
    print("Save this to use as the --reassignment-json-file option during rollback")
    if limit > NO_LIMIT or directory_limit > NO_LIMIT:
        print(VERIFY_LATER)
    if limit > NO_LIMIT:
        await throttles.limit_replication(cluster, throttles.moves(current, targets, assigned), limit)
        print(f"The inter-broker throttle limit was set to {limit} B/s")
    if directory_limit > NO_LIMIT:
        await throttles.limit_directories(cluster, {broker for _, _, broker in plan.directories}, directory_limit)
        print(f"The replica-alter-dir throttle limit was set to {directory_limit} B/s")
    failed = _failed(await _alter(cluster, targets, allow_replication_factor_change=not given.has(options.same_factor)))
    if failed:
        raise Terse(f"Error reassigning partition(s):\n{failed}")
    print(f"Successfully started partition reassignment{'s' * (len(targets) != 1)} for {','.join(map(key_text, sorted(targets)))}")
    await _move(cluster, plan.directories, timeout_ms)


async def _alter(
    cluster: Cluster, targets: Mapping[Key, Sequence[int] | None], *, allow_replication_factor_change: bool = True
) -> Mapping[Key, KafkaError | None]:
    """A failure of the call is one of each partition."""
    from barnabas.client.admin import reassignments
    from barnabas.client.errors import KafkaError

    try:
        return await reassignments.alter(cluster, targets, allow_replication_factor_change=allow_replication_factor_change)
    except KafkaError as failure:
        return dict.fromkeys(targets, failure)


def _failed(outcomes: Mapping[Key, KafkaError | None]) -> str:
    return "\n".join(f"{key_text(key)}: {failure}" for key, failure in sorted(outcomes.items(), key=lambda item: item[0]) if failure is not None)


async def _move(cluster: Cluster, directories: Mapping[Replica, str], timeout_ms: int) -> None:
    """Into these directories; a broker that doesn't have the replica yet is asked again until the time is over."""
    import asyncio
    import time

    deadline_s = time.monotonic() + timeout_ms / 1000
    pending = dict(directories)
    while pending:
        for replica in await _begun(cluster, pending):
            topic, partition, broker = replica
            print(f"Successfully started moving log directory to {pending.pop(replica)} for replica {topic}-{partition} with broker {broker} ")
        if not pending:
            return
        if time.monotonic() >= deadline_s:
            listed = ",".join(map(replica_text, _sorted(pending)))
            raise Terse(f"Timed out before log directory move{'s' * (len(pending) != 1)} could be started for: {listed}")
        await asyncio.sleep(RETRY_PAUSE_MS / 1000)


async def _begun(cluster: Cluster, pending: Mapping[Replica, str]) -> list[Replica]:
    """The moves that have begun. Raises Thrown for one that can't."""
    from barnabas.client.admin import log_dirs
    from barnabas.wire.errors import Error

    outcomes = await log_dirs.alter(cluster, pending)
    for replica in hash_order(outcomes, replica_hash):
        failure = outcomes[replica]
        if failure is not None and failure.error is not Error.REPLICA_NOT_AVAILABLE:
            raise Thrown(f"Failed to alter dir for {replica_text(replica)}", FAILED, f"\nCaused by: {java_text(failure)}")
    return _sorted(replica for replica, failure in outcomes.items() if failure is None)


# --- --verify


async def _verify(cluster: Cluster, plan: Plan, *, preserve_throttles: bool) -> None:
    from barnabas.client.admin import log_dirs, reassignments
    from barnabas.client.errors import KafkaError
    from barnabas.wire.errors import Error

    current = await reassignments.find(cluster)
    settled = {topic for (topic, partition), _ in plan.rows if (topic, partition) not in current}
    await cluster.refresh(string_order(settled))
    for name in string_order(settled):
        failure = cluster.topic_errors.get(name, Error.NONE)
        if failure not in (Error.NONE, Error.UNKNOWN_TOPIC_OR_PARTITION):
            raise KafkaError(failure)
    print("Status of partition reassignment:")
    for key, replicas in sorted(plan.targets.items()):
        print(_progress(cluster, key, replicas, under_way=key in current))
    places = await log_dirs.places(cluster, plan.directories)
    print("\n".join(_place_text(replica, plan.directories[replica], places[replica]) for replica in _sorted(places)))
    moving = any(place.future is not None or place.current is None for place in places.values())
    if not current and not moving and not preserve_throttles:
        await _lift(cluster, plan)


def _progress(cluster: Cluster, key: Key, replicas: Sequence[int], *, under_way: bool) -> str:
    if under_way:
        return f"Reassignment of partition {key_text(key)} is still in progress."
    topic = cluster.topics.get(key[0])
    place = topic.partitions.get(key[1]) if topic else None
    found = place.replicas if place else ()
    if list(found) == list(replicas):
        return f"Reassignment of partition {key_text(key)} is completed."
    return f"There is no active reassignment of partition {key_text(key)}, but replica set is {_ids(found)} rather than {_ids(replicas)}."


def _place_text(replica: Replica, wanted: str, place: Place) -> str:
    topic, partition, broker = replica
    if place.current is None:
        return f"Partition {topic}-{partition} is not found in any live log dir on broker {broker}. There is likely an offline log directory on the broker."
    if place.future == wanted:
        return f"Reassignment of replica {replica_text(replica)} is still in progress."
    if place.future is not None:
        return f"Partition {topic}-{partition} on broker {broker} is being moved to log dir {place.future} instead of {wanted}."
    if place.current == wanted:
        return f"Reassignment of replica {replica_text(replica)} completed successfully."
    return f"Partition {topic}-{partition} on broker {broker} is not being moved from log dir {place.current} to {wanted}."


async def _lift(cluster: Cluster, plan: Plan) -> None:
    """The throttles of all brokers, since nobody knows which ones had a part in the moves."""
    from barnabas.client.admin import nodes

    known = [node.node_id for node in (await nodes.describe(cluster)).nodes]
    brokers = hash_order(dict.fromkeys([*known, *(broker for _, replicas in plan.rows for broker in replicas)]), integer_hash)
    print(f"Clearing broker-level throttles on broker{'s' * (len(brokers) != 1)} {_ids(brokers)}")
    await throttles.lift_brokers(cluster, brokers)
    topics = string_order({topic for (topic, _), _ in plan.rows})
    print(f"Clearing topic-level throttles on topic{'s' * (len(topics) != 1)} {','.join(topics)}")
    await throttles.lift_topics(cluster, topics)


# --- --cancel, --list


async def _cancel(cluster: Cluster, plan: Plan, timeout_ms: int, *, preserve_throttles: bool) -> None:
    from barnabas.client.admin import log_dirs, reassignments

    topics: dict[str, list[int]] = {}
    for topic, partition in plan.targets:
        topics.setdefault(topic, []).append(partition)
    under_way = sorted(key for key, found in (await reassignments.find(cluster, topics)).items() if found.adding or found.removing)
    if under_way:
        outcomes = await _alter(cluster, dict.fromkeys(under_way))
        failed = _failed(outcomes)
        if failed:
            several = "s" * (sum(failure is not None for failure in outcomes.values()) != 1)
            raise Terse(f"Error cancelling partition reassignment{several} for:\n{failed}")
        print(f"Successfully cancelled partition reassignment{'s' * (len(under_way) != 1)} for: {','.join(map(key_text, under_way))}")
    else:
        print("None of the specified partition reassignments are active.")
    places = await log_dirs.places(cluster, plan.directories)
    back = {replica: place.current for replica, place in places.items() if place.current is not None and place.future is not None}
    if back:
        await _move(cluster, back, timeout_ms)
    else:
        sys.stdout.write("None of the specified partition moves are active.")  # no end of line: Apache's tool prints none
    if not preserve_throttles:
        await _lift(cluster, plan)


async def _list(cluster: Cluster) -> None:
    from barnabas.client.admin import reassignments

    current = await reassignments.find(cluster)
    if not current:
        print("No partition reassignments found.")
        return
    print("Current partition reassignments:")
    for key, found in sorted(current.items()):
        lists = ((" adding: ", found.adding), (" removing: ", found.removing))
        print(f"{key_text(key)}: replicas: {_ids(found.replicas)}." + "".join(f"{title}{_ids(brokers)}." for title, brokers in lists if brokers))
