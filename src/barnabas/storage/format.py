"""Formatting log directories: meta.properties, bootstrap.checkpoint and, for a dynamic quorum, its first snapshot (D17-D19, D42, C32).

Owns which files a new node begins with and which levels its cluster has. Arguments and configuration are the tool's. Source: Apache's `Formatter`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from barnabas.wire.logs.cluster_metadata import FeatureLevelRecord, UserScramCredentialRecord
from barnabas.wire.logs.raft import VotersRecord
from barnabas.wire.types import uuid_from_text

from . import metadata_snapshot
from .bootstrap_checkpoint import write_bootstrap_checkpoint
from .checkpoint_file import parse_integer
from .meta_properties import MetaProperties, MetaPropertiesEnsemble, new_directory_id, write_meta_properties
from .release_features import FEATURES, KRAFT_VERSION, LATEST_STABLE_LEVEL, METADATA_VERSION, METADATA_VERSION_NAMES, MINIMUM_LEVEL, SCRAM_LEVEL
from .scram_arguments import parse_scram_argument

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from barnabas.wire.schema import Message

METADATA_DIRECTORY = "__cluster_metadata-0"


class FormatError(ValueError):
    """Nothing was written, or not all; the message is for the operator."""


class InitialController(NamedTuple):
    """One of --initial-controllers: id@host:port:directory."""

    id: int
    host: str
    port: int
    directory_id: bytes


class FormatOrder(NamedTuple):
    """What to format, checked by `format_directories`."""

    node_id: int
    cluster_id: str
    directories: Sequence[str]
    metadata_directory: str
    controller_listener: str
    metadata_version: int | None = None
    features: Mapping[str, int] = {}
    dynamic_quorum: bool = False
    """controller.quorum.voters is empty."""
    controllers: Sequence[InitialController] = ()
    scram: Sequence[str] = ()
    ignore_formatted: bool = False
    unstable_features: bool = False


def parse_initial_controllers(text: str) -> list[InitialController]:
    """The argument of --initial-controllers, in the order of the ids. Raises ValueError as Apache words it."""
    found: dict[int, InitialController] = {}
    for part in text.strip().split(","):
        if part:
            controller = _parse_controller(part.strip())
            if controller.id in found:
                raise ValueError(f"Node id {controller.id} was specified more than once.")
            found[controller.id] = controller
    if not found:
        raise ValueError("No voters given.")
    return sorted(found.values())


def _parse_controller(text: str) -> InitialController:
    id_text, at, rest = text.partition("@")
    if not at:
        raise ValueError("No @ found in dynamic voter string.")
    if not id_text:
        raise ValueError("Invalid @ at beginning of dynamic voter string.")
    node_id = _number(id_text, "Failed to parse node id in dynamic voter string.")
    if node_id < 0:
        raise ValueError(f"Invalid negative node id {node_id} in dynamic voter string.")
    if not rest:
        raise ValueError("No hostname found after node id.")
    if rest.startswith("["):
        host, bracket, rest = rest[1:].partition("]")
        if not bracket:
            raise ValueError("Hostname began with left bracket, but no right bracket was found.")
        if not rest.startswith(":"):
            raise ValueError("Port section must start with a colon.")
        rest = rest[1:]
    else:
        host, colon, rest = rest.partition(":")
        if not colon:
            raise ValueError("No colon following hostname could be found.")
    port_text, colon, directory = rest.partition(":")
    if not colon:
        raise ValueError("No colon following port could be found.")
    port = _number(port_text, "Failed to parse port in dynamic voter string.")
    if not 0 <= port <= 65535:
        raise ValueError(f"Invalid port {port} in dynamic voter string.")
    try:
        return InitialController(node_id, host, port, uuid_from_text(directory))
    except ValueError:
        raise ValueError("Failed to parse directory ID in dynamic voter string.") from None


def _number(text: str, problem: str) -> int:
    try:
        return parse_integer(text, 32)
    except ValueError:
        raise ValueError(problem) from None


def format_directories(order: FormatOrder, now_ms: int, say: Callable[[str], object]) -> None:
    """Write every directory that isn't formatted yet; `say` gets the lines that Apache's tool prints.

    Raises FormatError, MetaPropertiesError (the directories contradict one another or the order), OSError.
    """
    if order.node_id < 0:
        raise FormatError("You must specify a valid non-negative node ID.")
    level = _release_level(order)
    levels = _feature_levels(order, level)
    records = bootstrap_records(levels, order.scram)
    ensemble = MetaPropertiesEnsemble.load(order.directories)
    ensemble.verify(order.cluster_id, order.node_id)
    if ensemble.found and not order.ignore_formatted:
        raise FormatError(
            f"Log directory {min(ensemble.found)} is already formatted. Use --ignore-formatted to ignore this directory and format the others."
        )
    for directory in ensemble.failed:
        say(f"I/O error trying to read log directory {directory}. Ignoring...")
    if not ensemble.empty:
        if ensemble.failed and not ensemble.found:
            raise FormatError("No available log directories to format.")
        say("All of the log directories are already formatted.")
        return
    say(f"Bootstrap metadata: {_described(records, level)}")
    taken = [found.directory_id for found in ensemble.found.values() if found.directory_id is not None]
    for directory in ensemble.empty:
        taken.append(_format_directory(order, directory, level, levels, records, taken, now_ms, say))


def _format_directory(
    order: FormatOrder,
    directory: str,
    level: int,
    levels: Mapping[str, int],
    records: Sequence[Message],
    taken: Iterable[bytes],
    now_ms: int,
    say: Callable[[str], object],
) -> bytes:
    """Write one directory, meta.properties last: without it, it isn't formatted. Its new id."""
    holds_metadata = directory == order.metadata_directory
    own = next((controller for controller in order.controllers if holds_metadata and controller.id == order.node_id), None)
    kind = "data directory"
    if holds_metadata:
        kind = "metadata directory" if not order.controllers else f"dynamic metadata {'voter ' if own else ''}directory"
    say(f"Formatting {kind} {directory} with {METADATA_VERSION} {METADATA_VERSION_NAMES[level]}.")
    directory_id = own.directory_id if own else new_directory_id(taken)
    os.makedirs(directory, exist_ok=True)
    write_bootstrap_checkpoint(directory, records, now_ms)
    if holds_metadata and order.controllers:
        _write_voters(directory, order, levels[KRAFT_VERSION], now_ms)
    try:
        write_meta_properties(directory, MetaProperties(order.cluster_id, order.node_id, directory_id))
    except OSError as error:
        raise FormatError(f"Error while writing meta.properties file {directory}: {error}") from None
    return directory_id


def _write_voters(directory: str, order: FormatOrder, kraft_version: int, now_ms: int) -> None:
    voter = VotersRecord.Voter
    voters = [
        voter(
            voter_id=controller.id,
            voter_directory_id=controller.directory_id,
            endpoints=[voter.Endpoint(name=order.controller_listener.upper(), host=_java_host(controller.host), port=controller.port)],
            k_raft_version_feature=voter.KRaftVersionFeature(min_supported_version=0, max_supported_version=1),
        )
        for controller in order.controllers
    ]
    record = VotersRecord(version=0, voters=voters)
    path = os.path.join(directory, METADATA_DIRECTORY)
    os.makedirs(path, exist_ok=True)
    batches = metadata_snapshot.snapshot_batches((), epoch=0, now_ms=now_ms, last_timestamp_ms=now_ms, kraft_version=kraft_version, voters=record)
    metadata_snapshot.write_snapshot(path, metadata_snapshot.BOOTSTRAP, batches)


def _java_host(host: str) -> str:
    """A host as Java gives it back: a name as it is, an IPv6 address with all its groups."""
    if ":" not in host:
        return host
    from ipaddress import IPv6Address

    try:
        groups = IPv6Address(host).exploded.split(":")
    except ValueError:
        return host
    return ":".join(f"{int(group, 16):x}" for group in groups)


def _release_level(order: FormatOrder) -> int:
    level = order.metadata_version
    if METADATA_VERSION in order.features:
        if level is not None:
            raise FormatError(f"Use --release-version instead of --feature {METADATA_VERSION}=X to avoid ambiguity.")
        level = order.features[METADATA_VERSION]
        if level not in METADATA_VERSION_NAMES:
            last = max(METADATA_VERSION_NAMES)
            raise FormatError(f"No MetadataVersion with feature level {level}. Valid feature levels are from {MINIMUM_LEVEL} to {last}.")
    if level is None:
        return max(METADATA_VERSION_NAMES) if order.unstable_features else LATEST_STABLE_LEVEL
    if level > LATEST_STABLE_LEVEL and not order.unstable_features:
        raise FormatError(f"{METADATA_VERSION} {METADATA_VERSION_NAMES[level]} is not yet stable.")
    return level


def _feature_levels(order: FormatOrder, level: int) -> dict[str, int]:
    """Every feature's level: as asked for, else the release's own. Raises FormatError for unknown ones and unmet dependencies."""
    known = {feature.name: feature for feature in FEATURES}
    for name in order.features:
        if name != METADATA_VERSION and name not in known:
            raise FormatError(f"Unsupported feature: {name}. Supported features are: {', '.join(sorted(known))}")
    levels = {METADATA_VERSION: level}
    for feature in FEATURES:
        levels[feature.name] = order.features.get(feature.name, feature.default_level(level))
    levels[KRAFT_VERSION] = _kraft_version(order)
    for name in sorted(known):
        wanted = levels[name]
        if not 0 <= wanted < len(known[name].since):
            raise FormatError(f"No feature:{name} with feature level {wanted}")
        required = known[name].requires.get(wanted, 0)
        if level < required:
            raise FormatError(f"{name} could not be set to {wanted} because it depends on {METADATA_VERSION} level {required}")
    return levels


def _kraft_version(order: FormatOrder) -> int:
    asked = order.features.get(KRAFT_VERSION)
    if asked is None:
        return 1 if order.dynamic_quorum else 0
    if asked == 0 and order.dynamic_quorum:
        raise FormatError(
            "Cannot set kraft.version to 0 if controller.quorum.voters is empty and one of the flags --standalone, --initial-controllers, or "
            "--no-initial-controllers is used. For dynamic controllers support, try removing the --feature flag for kraft.version."
        )
    if asked != 0 and not order.dynamic_quorum:
        raise FormatError(
            f"Cannot set kraft.version to {asked} unless controller.quorum.voters is empty and one of the flags --standalone, --initial-controllers, "
            "or --no-initial-controllers is used. For dynamic controllers support, try using one of --standalone, --initial-controllers, or "
            "--no-initial-controllers and removing controller.quorum.voters."
        )
    return asked


def bootstrap_records(levels: Mapping[str, int], scram: Iterable[str] = ()) -> list[Message]:
    """The records of bootstrap.checkpoint: metadata.version, the other features by name, credentials; kraft.version never (D19)."""
    records: list[Message] = [FeatureLevelRecord(name=METADATA_VERSION, feature_level=levels[METADATA_VERSION])]
    for name in sorted(levels):
        if name not in (METADATA_VERSION, KRAFT_VERSION) and levels[name] > 0:
            records.append(FeatureLevelRecord(name=name, feature_level=levels[name]))
    arguments = list(scram)
    if arguments and levels[METADATA_VERSION] < SCRAM_LEVEL:
        raise FormatError(f"SCRAM is only supported in {METADATA_VERSION} {METADATA_VERSION_NAMES[SCRAM_LEVEL]} or later.")
    try:
        records += [parse_scram_argument(argument) for argument in arguments]
    except ValueError as error:
        raise FormatError(str(error)) from None
    return records


def _described(records: Iterable[Message], level: int) -> str:
    """The records as Apache's tool prints them."""
    texts = []
    for record in records:
        if isinstance(record, FeatureLevelRecord):
            texts.append(f"FeatureLevelRecord(name='{record.name}', featureLevel={record.feature_level})")
        elif isinstance(record, UserScramCredentialRecord):
            salt, stored_key, server_key = (_java_bytes(part) for part in (record.salt, record.stored_key, record.server_key))
            texts.append(
                f"UserScramCredentialRecord(name='{record.name}', mechanism={record.mechanism}, salt={salt}, storedKey={stored_key}, "
                f"serverKey={server_key}, iterations={record.iterations})"
            )
    listed = ", ".join(f"ApiMessageAndVersion({text} at version 0)" for text in texts)
    return f"BootstrapMetadata(records=[{listed}], metadataVersionLevel={level}, source=format command)"


def _java_bytes(data: bytes) -> str:
    return str([byte - 256 if byte > 127 else byte for byte in data])
