"""kafka-features: the levels of a cluster's features, and changing them. Flags, output and exit codes of Apache Kafka's FeatureCommand."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from barnabas.storage.release_features import (
    FEATURES,
    LATEST_STABLE_LEVEL,
    METADATA_VERSION,
    METADATA_VERSION_NAMES,
    MINIMUM_LEVEL,
    level_of_version,
)

from .admin_tool import Terse, bootstrapped
from .argparse4j import ArgumentError, HelpWanted
from .feature_levels import dependencies, name_and_level, version_mapping
from .flat_arguments import Argument
from .java import EXECUTION, Thrown, java_message, wrapped
from .options import OptionError
from .subcommands import Command, Tool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from barnabas.client.cluster import Cluster

    from .flat_arguments import Given

_METADATA = Argument("--metadata", "Deprecated: metadata.version's level by its name, such as 3.9-IV0.")
_RELEASE = Argument("--release-version", "Set all features as they are with this release; version-mapping shows which levels that are.")
_FEATURE = Argument("--feature", "One feature's new level, such as metadata.version=5. May be repeated.", repeats=True)
_UNSAFE = Argument("--unsafe", "Even if that may destroy metadata for good.", kind="Flag")
_DRY_RUN = Argument("--dry-run", "Only say whether it could be done.", kind="Flag")
TOOL = Tool(
    "kafka-features",
    "Shows and changes the levels of a cluster's features.",
    (
        Command(
            "describe",
            "Show the levels in force.",
            (Argument("--node-id", "The node to ask; else any broker, or the active controller.", kind="Integer"),),
        ),
        Command("upgrade", "Raise levels.", (_METADATA, _RELEASE, _FEATURE, _DRY_RUN)),
        Command("downgrade", "Lower levels.", (_METADATA, _RELEASE, _FEATURE, _UNSAFE, _DRY_RUN)),
        Command(
            "disable",
            "Set levels to zero.",
            (Argument("--feature", "The feature's name. May be repeated.", repeats=True), _UNSAFE, _DRY_RUN),
        ),
        Command(
            "version-mapping",
            "Show the levels that go with a release.",
            (
                Argument(
                    "--release-version",
                    f"The release to look up, from {METADATA_VERSION_NAMES[MINIMUM_LEVEL]} on; "
                    f"the default is {METADATA_VERSION_NAMES[LATEST_STABLE_LEVEL]}",
                ),
            ),
        ),
        Command(
            "feature-dependencies",
            "Show what a feature's level depends on.",
            (Argument("--feature", "A feature and its level, such as metadata.version=5. May be repeated.", required=True, repeats=True),),
        ),
    ),
    (
        Argument("--bootstrap-server", "Brokers to start from, host:port by commas.", in_group=True, group_needed=False),
        Argument("--bootstrap-controller", "Controllers to start from, host:port by commas.", in_group=True, group_needed=False),
        Argument("--command-config", "Properties file for the admin client."),
    ),
)


def main(argv: Sequence[str]) -> int:
    from barnabas.client.errors import InvalidBootstrap, KafkaError

    try:
        command, given = TOOL.parse(argv)
        _execute(command, given)
    except HelpWanted as page:
        print(page)
    except ArgumentError as error:
        return _fail(f"Command line error: {error.problem}. Type --help for help.")
    except InvalidBootstrap:
        return _fail("Failed to create new KafkaAdminClient\n")
    except (KafkaError, OptionError, Thrown, OSError, ValueError) as error:
        return _fail(f"{java_message(error)}\n")
    return 0


def _fail(text: str) -> int:
    sys.stdout.flush()
    sys.stderr.write(text)
    return 1


def _execute(command: str, given: Given) -> None:
    if command == "version-mapping":
        print(*version_mapping(given.one("--release-version")), sep="\n")
        return
    if command == "feature-dependencies":
        for text in given.all("--feature") or ():
            name, level = name_and_level(text)
            print(*dependencies(name, level, f"No feature:{name} with feature level {level}"), sep="\n")
        return
    if not given.has("--bootstrap-server") and not given.has("--bootstrap-controller"):
        if given.has("--command-config"):
            bootstrapped(given.one("--command-config"), given)
        raise given.fail("You must specify either --bootstrap-controller or --bootstrap-server.")
    from .session import open_cluster, run

    cluster = open_cluster(bootstrapped(given.one("--command-config"), given))
    if command == "describe":
        run(_describe(cluster, given.optional_number("--node-id")))
        return
    levels = _disabled(given) if command == "disable" else _levels(command, given)
    run(_update(cluster, command, levels, given))


# --- describe


async def _describe(cluster: Cluster, node_id: int | None) -> None:
    from barnabas.client.admin import features
    from barnabas.client.errors import KafkaError

    if node_id is not None and node_id < 0:
        raise ValueError(f"Invalid node id {node_id}: must be non-negative.")
    async with cluster:
        try:
            found = await features.describe(cluster, node_id=node_id)
        except KafkaError as error:
            raise wrapped(error, EXECUTION) from None
    epoch = "-" if found.epoch is None else str(found.epoch)
    for name, (low, high) in sorted(found.supported.items()):
        low_text, high_text, level = (_shown(name, number) for number in (low, high, found.finalized.get(name, 0)))
        bounds = f"SupportedMinVersion: {low_text:<15}  SupportedMaxVersion: {high_text:<15}"
        print(f"Feature: {name:<40}  {bounds}  FinalizedVersionLevel: {level:<15}  Epoch: {epoch}")


def _shown(name: str, level: int) -> str:
    return METADATA_VERSION_NAMES.get(level, f"UNKNOWN {level}") if name == METADATA_VERSION else str(level)


# --- upgrade, downgrade, disable


def _levels(command: str, given: Given) -> dict[str, int]:
    release, metadata, texts = given.one("--release-version"), given.one("--metadata"), given.all("--feature")
    if release is not None:
        if metadata is not None or texts is not None:
            raise Terse("Can not specify `release-version` with other feature flags.")
        base = level_of_version(release, unstable=True)
        defaults = {feature.name: feature.default_level(base) for feature in FEATURES}
        return {METADATA_VERSION: base} | {name: level for name, level in defaults.items() if command != "upgrade" or level > 0}
    levels = {}
    if metadata is not None:
        print(" `metadata` flag is deprecated and may be removed in a future release.")
        levels[METADATA_VERSION] = level_of_version(metadata, unstable=True)
    for text in texts or ():
        name, level = name_and_level(text)
        if name in levels:
            raise ValueError(f"Feature {name} was specified more than once.")
        levels[name] = level
    return levels


def _disabled(given: Given) -> dict[str, int]:
    names = given.all("--feature") or []
    for position, name in enumerate(names):
        if name in names[:position]:
            raise ValueError(f"Feature {name} was specified more than once.")
    return dict.fromkeys(names, 0)


async def _update(cluster: Cluster, command: str, levels: dict[str, int], given: Given) -> None:
    from barnabas.client.admin import features
    from barnabas.client.errors import KafkaError

    if not levels:
        raise Terse(f"You must specify at least one feature to {command}")
    if not all(name.strip() for name in levels):
        raise ValueError("Provided feature can not be empty.")
    kind = features.UPGRADE
    if command != "upgrade":
        kind = features.UNSAFE_DOWNGRADE if given.has("--unsafe") else features.SAFE_DOWNGRADE
    for level in levels.values():
        if level == 0 and kind == features.UPGRADE:
            said = "The upgradeType flag should be set to SAFE_DOWNGRADE or UNSAFE_DOWNGRADE when the provided maxVersionLevel:0 is < 1."
            raise ValueError(said)
        if level < 0:
            raise ValueError("Cannot specify a negative version level.")
    dry_run = given.has("--dry-run")
    outcomes: dict[str, KafkaError | None]
    async with cluster:
        try:
            outcomes = await features.update(cluster, levels, kind, validate_only=dry_run)
        except KafkaError as error:
            outcomes = dict.fromkeys(levels, error)
    failures = 0
    for name, failure in sorted(outcomes.items()):
        if failure is None:
            done = "disabled." if command == "disable" else f"{command}d to {levels[name]}."
            print(f"{name} {'can be' if dry_run else 'was'} {done}")
        else:
            what = f"disable {name}" if command == "disable" else f"{command} {name} to {levels[name]}"
            print(f"{'Can' if dry_run else 'Could'} not {what}. {failure}")
            failures += 1
    if failures:
        raise Terse(f"{failures} out of {len(levels)} operation(s) failed.")
