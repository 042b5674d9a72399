"""The cluster's metadata as a tree of directories and files, as Apache's metadata shell shows it.

Owns the names and the text of every node; the image is `core.metadata`'s, where it comes from is `metadata_files`'. A directory makes its children when asked.
Source: Apache's `MetadataNode` and its kinds.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, NamedTuple

from barnabas.core.configs.values import to_text
from barnabas.core.metadata import image as images
from barnabas.storage.release_features import METADATA_VERSION_NAMES
from barnabas.wire.types import uuid_from_text, uuid_text

from . import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from barnabas.core.metadata.image import MetadataImage, QuotaEntity, Topic
    from barnabas.core.metadata.partition import Partition
    from barnabas.core.metadata.registration import Broker, Endpoint, RegisteredController
    from barnabas.wire.logs.cluster_metadata import AccessControlEntryRecord, DelegationTokenRecord, UserScramCredentialRecord

_CONFIG_TYPES = {images.TOPIC: "TOPIC", images.BROKER: "BROKER", images.BROKER_LOGGER: "BROKER_LOGGER"}
_CONFIG_TYPES |= {images.CLIENT_METRICS: "CLIENT_METRICS", images.GROUP: "GROUP"}
_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_MECHANISMS = {1: "SCRAM-SHA-256", 2: "SCRAM-SHA-512"}
_RESOURCES = ("UNKNOWN", "ANY", "TOPIC", "GROUP", "CLUSTER", "TRANSACTIONAL_ID", "DELEGATION_TOKEN", "USER")
_PATTERNS = ("UNKNOWN", "ANY", "MATCH", "LITERAL", "PREFIXED")
_OPERATIONS: tuple[str, ...] = ("UNKNOWN", "ANY", "ALL", "READ", "WRITE", "CREATE", "DELETE", "ALTER", "DESCRIBE", "CLUSTER_ACTION")
_OPERATIONS += ("DESCRIBE_CONFIGS", "ALTER_CONFIGS", "IDEMPOTENT_WRITE", "CREATE_TOKENS", "DESCRIBE_TOKENS", "TWO_PHASE_COMMIT")
_PERMISSIONS = ("UNKNOWN", "ANY", "DENY", "ALLOW")
GREATEST_LEVEL = 2**15 - 1


class File(NamedTuple):
    text: str


class Directory(NamedTuple):
    names: Callable[[], Iterable[str]]
    child: Callable[[str], Node | None]
    """The node of a name, which needn't be among `names`; None if there is none."""

    def children(self) -> list[str]:
        return sorted(self.names(), key=lambda name: name.encode("utf-16-be", "surrogatepass"))


Node = File | Directory


def _fixed(**children: Callable[[], Node]) -> Directory:
    return Directory(lambda: children, lambda name: children[name]() if name in children else None)


def _files(texts: Mapping[str, str]) -> Directory:
    return Directory(lambda: texts, lambda name: File(texts[name]) if name in texts else None)


def root(image: MetadataImage) -> Directory:
    return _fixed(local=lambda: _files({"version": VERSION, "commitId": "barnabas"}), image=lambda: _image(image))


def _image(image: MetadataImage) -> Directory:
    return _fixed(
        provenance=lambda: File(f"offset {image.offset}, epoch {image.epoch}, time {_time(image.timestamp_ms)}"),
        features=lambda: _features(image),
        cluster=lambda: _fixed(
            brokers=lambda: _by_number(image.cluster.brokers, lambda broker: File(_broker(broker))),
            controllers=lambda: _by_number(image.cluster.controllers, lambda controller: File(_controller(controller))),
        ),
        topics=lambda: _fixed(byName=lambda: _topics_by_name(image), byId=lambda: _topics_by_id(image)),
        configs=lambda: _configs(image),
        clientQuotas=lambda: _quotas(image),
        producerIds=lambda: _files({"nextProducerId": str(image.next_producer_id)}),
        acls=lambda: _fixed(byId=lambda: _by_id(image.acls, lambda acl: File(_acl(acl)))),
        scram=lambda: _scram(image),
        delegationToken=lambda: _files({name: _token(token) for name, token in image.delegation_tokens.items()}),
    )


def _time(timestamp_ms: int) -> str:
    try:
        moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=timestamp_ms)
    except OverflowError:
        return f"{timestamp_ms} ms"
    return moment.isoformat(timespec="microseconds").rstrip("0").removesuffix(".") + "Z[UTC]"


def _features(image: MetadataImage) -> Directory:
    version, levels = image.features.metadata_version, image.features.levels
    shown = "Optional.empty" if version is None else f"Optional[{METADATA_VERSION_NAMES.get(version, version)}]"

    def child(name: str) -> Node | None:
        if name == "metadataVersion":
            return File(shown)
        # A feature that isn't finalized has level 0: Apache's shell shows any.
        return File(str(levels.get(name.removeprefix("finalized_"), 0))) if name.startswith("finalized_") else None

    return Directory(lambda: ["metadataVersion", *(f"finalized_{name}" for name in levels)], child)


def _by_number(things: Mapping[int, object], node_of: Callable[..., Node]) -> Directory:
    def child(name: str) -> Node | None:
        digits = name.removeprefix("-").removeprefix("+")
        thing = things.get(int(name)) if digits.isascii() and digits.isdecimal() else None
        return None if thing is None else node_of(thing)

    return Directory(lambda: map(str, things), child)


def _by_id(things: Mapping[bytes, object], node_of: Callable[..., Node]) -> Directory:
    def child(name: str) -> Node | None:
        try:
            thing = things.get(uuid_from_text(name))
        except ValueError:
            return None
        return None if thing is None else node_of(thing)

    return Directory(lambda: map(uuid_text, things), child)


def _topics_by_name(image: MetadataImage) -> Directory:
    topics = image.topics.by_name
    return Directory(lambda: topics, lambda name: _topic(topics[name]) if name in topics else None)


def _topics_by_id(image: MetadataImage) -> Directory:
    return _by_id(image.topics.by_id, _topic)


def _topic(topic: Topic) -> Directory:
    partitions = _by_number(topic.partitions, lambda partition: File(_partition(partition)))
    named = {"name": topic.name, "id": uuid_text(topic.id)}
    return Directory(lambda: [*named, *partitions.names()], lambda name: File(named[name]) if name in named else partitions.child(name))


def _configs(image: MetadataImage) -> Directory:
    named = {_CONFIG_TYPES.get(kind, "UNKNOWN") + (f":{name}" if name else ""): values for (kind, name), values in image.configs.items() if values}
    return Directory(lambda: named, lambda name: _files(named[name]) if name in named else None)


def _quotas(image: MetadataImage) -> Directory:
    def child(name: str) -> Node | None:
        # Names leave defaults out, so a name may mean another entity than the one that it was made of, or none: as in Apache's shell.
        values = next((values for entity, values in image.client_quotas.items() if name == _entity_text(entity) and all(n for _, n in entity)), None)
        return None if values is None else _files({key: to_text(float(value)) or "" for key, value in values.items()})

    return Directory(lambda: map(_entity_text, image.client_quotas), child)


def _entity_text(entity: QuotaEntity) -> str:
    parts = {kind: name for kind, name in entity if name is not None}
    named = [(shown, parts[kind]) for shown, kind in (("clientId", "client-id"), ("ip", "ip"), ("user", "user")) if kind in parts]
    return "_".join(f"{shown}({_escaped(name)})" for shown, name in named)


def _escaped(name: str) -> str:
    return name.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


def _scram(image: MetadataImage) -> Directory:
    def child(name: str) -> Node | None:
        mechanism = next((number for number, shown in _MECHANISMS.items() if shown == name), None)
        if mechanism is None:
            return None
        return _files({user: _credential(record) for (kind, user), record in image.scram.items() if kind == mechanism})

    return Directory(_MECHANISMS.values, child)


# --- texts


def _list(values: Sequence[object]) -> str:
    return f"[{', '.join(map(str, values))}]"


def _ids(values: Sequence[bytes] | None) -> str:
    return "null" if values is None else _list([uuid_text(value) for value in values])


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _optional(value: object) -> str:
    return "Optional.empty" if value is None else f"Optional[{value}]"


def _listeners(listeners: Mapping[str, Endpoint]) -> str:
    return _list(
        [
            f"Endpoint(listenerName='{name}', securityProtocol={_PROTOCOLS[point.security_protocol]}, host='{point.host}', port={point.port})"
            for name, point in sorted(listeners.items())
        ]
    )


def _levels(features: Mapping[str, tuple[int, int]]) -> str:
    return "{" + ", ".join(f"{name}: {_range(*levels)}" for name, levels in sorted(features.items())) + "}"


def _range(least: int, greatest: int) -> str:
    return str(least) if least == greatest else f"{least}+" if greatest == GREATEST_LEVEL else f"{least}-{greatest}"


def _broker(broker: Broker) -> str:
    return (
        f"BrokerRegistration(id={broker.id}, epoch={broker.epoch}, incarnationId={uuid_text(broker.incarnation_id)}, "
        f"listeners={_listeners(broker.listeners)}, supportedFeatures={_levels(broker.features)}, rack={_optional(broker.rack)}, "
        f"fenced={_boolean(broker.fenced)}, inControlledShutdown={_boolean(broker.in_controlled_shutdown)}, "
        f"isMigratingZkBroker={_boolean(broker.is_migrating_zk_broker)}, directories={_ids(broker.directories)}, "
        f"cordonedDirectories={_ids(broker.cordoned_directories)})"
    )


def _controller(controller: RegisteredController) -> str:
    return (
        f"ControllerRegistration(id={controller.id}, incarnationId={uuid_text(controller.incarnation_id)}, "
        f"zkMigrationReady={_boolean(controller.zk_migration_ready)}, listeners={_listeners(controller.listeners)}, "
        f"supportedFeatures={_levels(controller.features)})"
    )


def _partition(partition: Partition) -> str:
    return (
        f"PartitionRegistration(replicas={_list(partition.replicas)}, directories={_ids(partition.directories)}, isr={_list(partition.isr)}, "
        f"removingReplicas={_list(partition.removing_replicas)}, addingReplicas={_list(partition.adding_replicas)}, elr={_list(partition.elr)}, "
        f"lastKnownElr={_list(partition.last_known_elr)}, leader={partition.leader}, "
        f"leaderRecoveryState={('RECOVERED', 'RECOVERING')[partition.leader_recovery_state]}, leaderEpoch={partition.leader_epoch}, "
        f"partitionEpoch={partition.partition_epoch})"
    )


def _named(names: Sequence[str], number: int) -> str:
    return names[number] if 0 <= number < len(names) else names[0]


def _acl(acl: AccessControlEntryRecord) -> str:
    return (
        f"StandardAcl[resourceType={_named(_RESOURCES, acl.resource_type)}, resourceName={acl.resource_name}, "
        f"patternType={_named(_PATTERNS, acl.pattern_type)}, principal={acl.principal}, host={acl.host}, "
        f"operation={_named(_OPERATIONS, acl.operation)}, permissionType={_named(_PERMISSIONS, acl.permission_type)}]"
    )


def _credential(record: UserScramCredentialRecord) -> str:
    return (
        f"ScramCredentialData(salt={record.salt.hex()}, storedKey={record.stored_key.hex()}, serverKey={record.server_key.hex()}, "
        f"iterations={record.iterations})"
    )


def _token(token: DelegationTokenRecord) -> str:
    """Brackets as Apache's shell sets them."""
    return (
        f"DelegationTokenDatatokenId={token.token_id}(owner={token.owner}(tokenRequester={token.requester}(renewers={' '.join(token.renewers)}, "
        f"issueTimestamp={token.issue_timestamp}, maxTimestamp={token.max_timestamp}), expiryTimestamp={token.expiration_timestamp}"
    )
