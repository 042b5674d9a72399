"""kafka-metadata-quorum: the controllers' quorum, and who is in it. Flags, output and exit codes of Apache Kafka's MetadataQuorumCommand."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from .admin_tool import Terse, bootstrapped, guarded
from .argparse4j import ArgumentError, HelpWanted
from .flat_arguments import Argument
from .java import EXECUTION, Thrown, wrapped
from .subcommands import Command, Tool

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from barnabas.client.admin.quorum import Endpoint, Quorum, Replica
    from barnabas.client.cluster import Cluster

    from .flat_arguments import Given

_DRY_RUN = Argument("--dry-run", "Only print what would be done.", kind="Flag")
TOOL = Tool(
    "kafka-metadata-quorum",
    "Shows and changes the quorum of controllers.",
    (
        Command(
            "describe",
            "Show the quorum.",
            (
                Argument("--status", "Leader, epoch, lag, voters and observers.", kind="Flag", section="Status"),
                Argument("--replication", "How far each voter and observer is.", kind="Flag", section="Replication"),
                Argument("--human-readable", "Times as how long ago they were.", kind="Flag", section="Replication"),
            ),
        ),
        Command("add-controller", "Make the controller of --command-config a voter.", (_DRY_RUN,)),
        Command(
            "remove-controller",
            "Take a voter out of the quorum.",
            (
                Argument("--controller-id", "The controller's id.", kind="Integer", required=True, short="-i"),
                Argument("--controller-directory-id", "The id of its metadata directory.", required=True, short="-d"),
                _DRY_RUN,
            ),
        ),
    ),
    (
        Argument("--bootstrap-server", "Brokers to start from, host:port by commas.", in_group=True),
        Argument("--bootstrap-controller", "Controllers to start from, host:port by commas.", in_group=True),
        Argument("--command-config", "Properties file for the admin client; with add-controller, the controller's own file."),
    ),
)
_COLUMNS = ("NodeId", "DirectoryId", "LogEndOffset", "Lag", "LastFetchTimestamp", "LastCaughtUpTimestamp", "Status")


def main(argv: Sequence[str]) -> int:
    try:
        command, given = TOOL.parse(argv)
    except HelpWanted as page:
        print(page)
        return 0
    except ArgumentError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return guarded(lambda: _execute(command, given))


def _execute(command: str, given: Given) -> None:
    from .session import open_cluster, run

    path = given.one("--command-config")
    if path is not None and not os.path.exists(path):
        raise Terse(f"Properties file {path} does not exists!")
    properties = bootstrapped(path, given)
    cluster = open_cluster(properties)
    if command == "describe":
        _check_views(given)
        work = _describe(cluster, given)
    elif command == "add-controller":
        if path is None:
            raise Terse("You must supply the configuration file of the controller you are adding when using add-controller.")
        work = _add(cluster, properties, dry_run=given.has("--dry-run"))
    else:
        work = _remove(cluster, given)

    async def act() -> None:
        from barnabas.client.errors import KafkaError

        async with cluster:
            try:
                await work
            except KafkaError as error:
                raise wrapped(error, EXECUTION) from None

    run(act())


# --- describe


def _check_views(given: Given) -> None:
    if given.has("--status") and given.has("--replication"):
        raise Terse("Only one of --status or --replication should be specified with describe sub-command")
    if given.has("--replication"):
        return
    if not given.has("--status"):
        raise Terse("One of --status or --replication must be specified with describe sub-command")
    if given.has("--human-readable"):
        raise Terse("The option --human-readable is only supported along with --replication")


async def _describe(cluster: Cluster, given: Given) -> None:
    from barnabas.client.admin import nodes, quorum

    if given.has("--replication"):
        _print_replication(await quorum.describe(cluster), human_readable=given.has("--human-readable"))
    else:
        cluster_id = (await nodes.describe(cluster, call="listNodes")).cluster_id
        _print_status(cluster_id, await quorum.describe(cluster))


def _leader(found: Quorum) -> Replica:
    leader = next((voter for voter in found.voters if voter.replica_id == found.leader_id), None)
    if leader is None:
        raise Thrown("No value present", "java.util.NoSuchElementException")
    return leader


def _print_replication(found: Quorum, *, human_readable: bool) -> None:
    from barnabas.wire.types import uuid_text

    leader = _leader(found)
    groups = (
        ("Leader", [leader]),
        ("Follower", [voter for voter in found.voters if voter.replica_id != found.leader_id]),
        ("Observer", found.observers),
    )

    def shown(moment_ms: int | None, what: str) -> str:
        if moment_ms is None:
            return "-1"
        return f"{_ago_ms(moment_ms, what)} ms ago" if human_readable else str(moment_ms)

    rows = [
        (
            str(replica.replica_id),
            uuid_text(replica.directory_id),
            str(replica.end_offset),
            str(leader.end_offset - replica.end_offset),
            shown(replica.last_fetch_ms, "last fetch"),
            shown(replica.last_caught_up_ms, "last caught up"),
            status,
        )
        for status, replicas in groups
        for replica in replicas
    ]
    widths = [max(map(len, column)) for column in zip(_COLUMNS, *rows, strict=True)]
    for row in (_COLUMNS, *rows):
        print("".join(f"{text:<{width}}\t" for text, width in zip(row, widths, strict=True)))


def _ago_ms(moment_ms: int, what: str) -> int:
    now_ms = time.time_ns() // 1_000_000
    if not 0 < moment_ms <= now_ms:
        said = f"Current timestamp is {now_ms}, {what} timestamp is {moment_ms}"
        raise Thrown(f"Error while computing relative time, possible drift in system clock.\n{said}", "org.apache.kafka.common.KafkaException")
    return now_ms - moment_ms


def _print_status(cluster_id: str, found: Quorum) -> None:
    leader = _leader(found)
    last = min(found.voters, key=lambda voter: voter.end_offset)
    behind_ms = -1
    if last is leader:
        behind_ms = 0
    elif leader.last_caught_up_ms is not None and last.last_caught_up_ms is not None:
        behind_ms = leader.last_caught_up_ms - last.last_caught_up_ms
    for title, value in (
        ("ClusterId", cluster_id),
        ("LeaderId", found.leader_id),
        ("LeaderEpoch", found.leader_epoch),
        ("HighWatermark", found.high_watermark),
        ("MaxFollowerLag", leader.end_offset - last.end_offset),
        ("MaxFollowerLagTimeMs", behind_ms),
        ("CurrentVoters", _listed(found.voters, found.endpoints)),
        ("CurrentObservers", _listed(found.observers, found.endpoints)),
    ):
        print(f"{title + ':':<24}{value}")


def _listed(replicas: Iterable[Replica], endpoints: Mapping[int, Sequence[Endpoint]]) -> str:
    from barnabas.wire.types import ZERO_UUID, uuid_text

    texts = []
    for replica in replicas:
        parts = [f'"id": {replica.replica_id}']
        if replica.directory_id != ZERO_UUID:
            parts.append(f'"directoryId": "{uuid_text(replica.directory_id)}"')
        addresses = ", ".join(f'"{_address(endpoint)}"' for endpoint in endpoints.get(replica.replica_id, ()))
        if addresses:
            parts.append(f'"endpoints": [{addresses}]')
        texts.append("{" + ", ".join(parts) + "}")
    return "[" + ", ".join(texts) + "]"


def _address(endpoint: Endpoint) -> str:
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    return f"{endpoint.listener}://{host}:{endpoint.port}"


# --- add-controller, remove-controller


async def _add(cluster: Cluster, properties: Mapping[str, str], *, dry_run: bool) -> None:
    from barnabas.client.admin import quorum
    from barnabas.wire.types import uuid_text

    from .controller_file import controller_endpoints, controller_id, metadata_directory, metadata_directory_id

    voter_id = controller_id(properties)
    directory_id = metadata_directory_id(metadata_directory(properties))
    endpoints = controller_endpoints(properties)
    if not dry_run:
        await quorum.add_voter(cluster, voter_id, directory_id, endpoints)
    addresses = ", ".join(map(_address, endpoints))
    done = "DRY RUN of adding" if dry_run else "Added"
    print(f"{done} controller {voter_id} with directory id {uuid_text(directory_id)} and endpoints: {addresses}")


async def _remove(cluster: Cluster, given: Given) -> None:
    from barnabas.client.admin import quorum
    from barnabas.wire.types import uuid_from_text, uuid_text

    voter_id, dry_run = given.number("--controller-id"), given.has("--dry-run")
    if voter_id < 0:
        raise Terse(f"Invalid negative --controller-id: {voter_id}")
    try:
        directory_id = uuid_from_text(given.text("--controller-directory-id"))
    except ValueError as error:
        raise Terse(f"Failed to parse --controller-directory-id: {error}") from None
    if not dry_run:
        await quorum.remove_voter(cluster, voter_id, directory_id)
    print(f"{'DRY RUN of removing ' if dry_run else 'Removed '} KRaft controller {voter_id} with directory id {uuid_text(directory_id)}")
