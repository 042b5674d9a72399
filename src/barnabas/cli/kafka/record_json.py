"""Records that Kafka itself keeps in logs, as the JSON that its tools print.

Owns: the rules of that JSON (names in camel case, fields of the version, tagged ones only when set, bytes as base64), and which class stands behind which record.
"""

from __future__ import annotations

from binascii import b2a_base64
from typing import TYPE_CHECKING, Any, NamedTuple

from barnabas.wire.schema import Message, Struct
from barnabas.wire.types import DecodeError, read_uvarint, uuid_text

if TYPE_CHECKING:
    from barnabas.wire.schema import Field

FRAME_VERSION = 1
GROUP_METADATA = 2
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


class UnknownRecordType(Exception):
    """A key of a type that this release doesn't know."""

    def __init__(self, record_type: int) -> None:
        super().__init__(f"Found an unknown record type {record_type}")
        self.record_type = record_type


class CoordinatorRecord(NamedTuple):
    """`value` is None for a tombstone."""

    record_type: int
    key: Message
    value: Message | None
    value_version: int


def to_tree(struct: Struct, version: int) -> dict[str, Any]:
    """A message as dicts, lists and scalars, in the order of its declaration."""
    tree: dict[str, Any] = {}
    for field in struct.fields:
        value = getattr(struct, field.name)
        if not field.first <= version <= field.last or (field.tag is not None and _is_default(field, value)):
            continue
        tree[_camel(field.name)] = _node(field, value, version)
    return tree


def _is_default(field: Field, value: Any) -> bool:
    if isinstance(value, Struct) and field.default is None:
        return bool(value == type(value)())
    return bool(value == field.default)


def _node(field: Field, value: Any, version: int) -> Any:
    if value is None:
        return None
    if isinstance(value, list):
        return [_scalar(field.type_name, item, version) for item in value]
    return _scalar(field.type_name, value, version)


def _scalar(kind: str, value: Any, version: int) -> Any:
    if isinstance(value, Struct):
        return to_tree(value, version)
    if kind == "Uuid":
        return uuid_text(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return b2a_base64(value, newline=False).decode()
    return value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)


def dump(tree: Any) -> str:
    """Compact JSON as Jackson writes it."""
    if isinstance(tree, dict):
        return "{" + ",".join(f"{_quoted(key)}:{dump(value)}" for key, value in tree.items()) + "}"
    if isinstance(tree, list):
        return "[" + ",".join(map(dump, tree)) + "]"
    if tree is None:
        return "null"
    if isinstance(tree, bool):
        return "true" if tree else "false"
    if isinstance(tree, str):
        return _quoted(tree)
    if isinstance(tree, float):
        from barnabas.core.configs.values import to_text

        return to_text(tree) or ""
    return str(tree)


def _quoted(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(c) or (c if c >= " " else f"\\u{ord(c):04X}") for c in text) + '"'


# Cluster metadata


def metadata_record(value: bytes) -> dict[str, Any]:
    """A value of __cluster_metadata: type, version, data (D28). Raises DecodeError."""
    from barnabas.wire.logs.cluster_metadata import RECORDS

    try:
        frame, position = read_uvarint(value, 0)
        if frame == 0:
            raise DecodeError("Could not deserialize metadata record with frame version 0: it is of the preview of KRaft in 2.8.")
        if frame != FRAME_VERSION:
            raise DecodeError(
                f"Could not deserialize metadata record due to unknown frame version {frame}(only frame version {FRAME_VERSION} is supported)"
            )
        record_type, position = read_uvarint(value, position)
        version, position = read_uvarint(value, position)
    except IndexError:
        raise DecodeError("Error while reading the frame of a metadata record: it ends too early") from None
    cls = RECORDS.get(record_type)
    if cls is None:
        raise DecodeError(f"Unknown metadata id {record_type}")
    message, end = cls.decode_from(value, version, position)
    if end != len(value):
        raise DecodeError(f"Found {len(value) - end} byte(s) of garbage after {cls.__name__}")
    return {"type": _screaming(cls.__name__), "version": version, "data": to_tree(message, version)}


def _screaming(name: str) -> str:
    return "".join(f"_{c}" if c.isupper() and position else c.upper() for position, c in enumerate(name))


# Coordinators


def coordinator_record(log: str, key: bytes, value: bytes | None) -> CoordinatorRecord:
    """A record of a coordinator's log: "group", "transaction" or "share". Raises UnknownRecordType, DecodeError."""
    keys, values = _classes(log)
    record_type = _version(key, "key")
    if record_type not in keys:
        raise UnknownRecordType(record_type)
    decoded_key = _decoded(keys[record_type], key, 0, record_type, "key")
    if value is None:
        return CoordinatorRecord(record_type, decoded_key, None, -1)
    version = _version(value, "value")
    cls = values[record_type]
    if not cls.valid_versions[0] <= version <= cls.valid_versions[1]:
        raise DecodeError(f"Found an unknown record version {version} for {record_type} type")
    return CoordinatorRecord(record_type, decoded_key, _decoded(cls, value, version, version, "value"), version)


def _version(data: bytes, name: str) -> int:
    if len(data) < 2:
        raise DecodeError(f"Could not read version from {name}'s buffer.")
    return int.from_bytes(data[:2], "big", signed=True)


def _decoded(cls: type[Message], data: bytes, version: int, shown: int, name: str) -> Message:
    try:
        return cls.decode(data[2:], version)
    except DecodeError:
        # Apache's tool has no more to say of bytes that end too early.
        raise DecodeError(f"Could not read record with version {shown} from {name}'s buffer due to: null.") from None


def _classes(log: str) -> tuple[dict[int, type[Message]], dict[int, type[Message]]]:
    if log == "group":
        from barnabas.wire.logs import group_coordinator

        return group_coordinator.KEYS, group_coordinator.VALUES
    if log == "share":
        from barnabas.wire.logs.share_coordinator import ShareSnapshotKey, ShareSnapshotValue, ShareUpdateKey, ShareUpdateValue

        return {0: ShareSnapshotKey, 1: ShareUpdateKey}, {0: ShareSnapshotValue, 1: ShareUpdateValue}
    from barnabas.wire.logs.transaction_coordinator import TransactionLogKey, TransactionLogValue

    return {0: TransactionLogKey}, {0: TransactionLogValue}


def group_metadata_tree(value: Message, version: int) -> dict[str, Any]:
    """A classic group's record with the members' subscriptions and assignments opened up, where they are a consumer's."""
    from barnabas.wire.messages.consumer_protocol import ConsumerProtocolAssignment, ConsumerProtocolSubscription

    tree = to_tree(value, version)
    if tree.get("protocolType") != "consumer":
        return tree
    for member, node in zip(getattr(value, "members", ()), tree["members"], strict=True):
        for field, cls in (("subscription", ConsumerProtocolSubscription), ("assignment", ConsumerProtocolAssignment)):
            data = bytes(getattr(member, field))
            try:
                inner = int.from_bytes(data[:2], "big", signed=True)
                if len(data) >= 2 and cls.valid_versions[0] <= inner <= cls.valid_versions[1]:
                    node[field] = to_tree(cls.decode(data[2:], inner), inner)
            except DecodeError:
                pass  # stays the bytes that it is
    return tree
