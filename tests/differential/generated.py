"""Requests made up from a seed: any API in any version, with values that exist, that don't, and that can't be; the same ones for every node.

Owns: what a field may hold, by its name. Left out: what docs/differences.md tells of (one partition twice, null records, ...), what waits (a second member of
a group), and names whose order isn't the same in both engines (of several wrong configs either names another).
"""

from __future__ import annotations

import random
import struct
from typing import TYPE_CHECKING, Any

from barnabas.wire.records.builder import build_batch
from barnabas.wire.records.record import Record
from barnabas.wire.schema import Field, Message, Struct

if TYPE_CHECKING:
    from collections.abc import Mapping

    from barnabas.wire.apis import Api

WHEN = 1_700_000_000_000
TOPICS = {"made-a": 3, "made-b": 1, "made-c": 2, "made-grown": 1, "made-configured": 1, "made-compacted": 1}
GROUPS = ["made-one", "made-two", "made-absent", ""]
NO_TOPIC, SUBSCRIPTION = b"\x12" * 16, struct.pack(">hih6si", 0, 1, 6, b"made-a", -1)
_NAMES = ["made-a", "made-a", "made-a", "made-b", "made-b", "made-c", "made-compacted", "made-absent", "not/legal", "x" * 250, ".", "made.a"]
_KEYS = ["retention.ms", "cleanup.policy", "segment.bytes", "max.message.bytes", "nonsense", "compression.type", "min.insync.replicas",
         "log.retention.ms", "num.io.threads", "follower.replication.throttled.replicas", "flush.ms", "broker.id", "message.timestamp.type"]  # fmt: skip
_VALUES = ["1000", "-1", "0", "compact", "delete", "compact,delete", "", None, "abc", "gzip", "LogAppendTime", "9" * 20, "1048576", "lz4", "2", "*",
           "0:1,1:1", "[1]"]  # fmt: skip
_INDEXES = [0, 0, 0, 1, 2, 7, -1]
_EPOCHS = [-1, -1, 0, 1, 5]


def _all(choices: list[Any], *names: str) -> dict[str, list[Any]]:
    return dict.fromkeys(names, choices)


CHOICES: dict[str, list[Any]] = {
    **_all(_NAMES, "topic", "topic_name", "topic_names", "name"),
    **_all(_INDEXES, "partition", "partition_index", "index", "partition_id", "partition_indexes", "partitions"),
    **_all(_EPOCHS, "current_leader_epoch", "last_fetched_epoch", "leader_epoch", "committed_leader_epoch"),
    **_all([0, 0, 1, 2, 5, 10, 99, -1, -2, 1 << 40], "fetch_offset", "offset", "committed_offset"),
    **_all(GROUPS, "group_id", "groups", "groups_names", "key", "coordinator_keys"),
    **_all([0, 1, 100, 1 << 20], "max_bytes", "partition_max_bytes"),
    **_all([30_000], "timeout_ms"),
    **_all([600_000], "rebalance_timeout_ms"),  # longer than all of it takes
    **_all([-1], "replica_id", "replica_epoch", "broker_id", "retention_time_ms"),
    **_all([1, 1, 1, 2, -1], "replicas", "broker_ids"),
    **_all([1, 2, 3, 4, -1, 0], "num_partitions", "count"),
    **_all([2, 2, 4, 16, 32, 0, 99, 1], "resource_type", "resource_types"),
    **_all([-1, 1, 1, 2, 0], "generation_id", "generation_id_or_member_epoch", "member_epoch"),
    "allow_auto_topic_creation": [False],  # it is there some time
    "acks": [1, -1, -1],
    "max_wait_ms": [0, 1, -1],
    "min_bytes": [0, 1, 100],
    "isolation_level": [0, 1],
    "session_id": [0, 0, 5],
    "session_epoch": [-1, -1, 0, 1],
    "log_start_offset": [-1, 0],
    "timestamp": [-1, -2, -3, -4, -5, -6, 0, WHEN, WHEN + 1500, 1 << 50],
    "replication_factor": [1, 1, -1, 0, 2, -2],
    "config_operation": [0, 0, 1, 2, 3],
    "session_timeout_ms": [600_000, 1, 10_000_000],
    "key_type": [0, 0, 0, 9],
    "election_type": [0, 1, 2],
    "endpoint_type": [1, 1, 2, 3, 0],
    "response_partition_limit": [2000, 1, 2, 0, -1],
    "producer_id": [-1, 5],
    "producer_epoch": [-1, 0],
    "transaction_timeout_ms": [0, 1000, -1],
    "resource_name": ["made-configured", "made-configured", "made-absent", "1", "", "2", "x", "not/legal", "made-one"],
    "configuration_keys": _KEYS,
    "value": _VALUES,
    "protocol_type": ["consumer", "consumer", "connect", ""],
    "protocol_name": ["range", "roundrobin", ""],
    "group_instance_id": ["i1", "i2", ""],
    "transactional_id": [None],
    "states_filter": ["Stable", "Empty", "Dead", "stable", "Foo"],
    "types_filter": ["classic", "Classic", "consumer", "Foo"],
    "committed_metadata": ["", "m", "y" * 5000],
    "path": ["/nowhere", "relative", ""],
}
IN_API: dict[tuple[str, str], list[Any]] = {
    ("CreateTopics", "name"): ["made-a", "made-new", "made-new2", "", "not/legal", "made.a", "..", "__consumer_offsets", "x" * 250],
    ("DeleteTopics", "name"): ["made-new", "made-new2", "made-absent", "", "not/legal"],
    ("DeleteTopics", "topic_names"): ["made-new", "made-new2", "made-absent", "", "not/legal"],
    ("CreatePartitions", "name"): ["made-grown", "made-grown", "made-absent", "not/legal", ""],
    ("JoinGroup", "name"): ["range", "range", "roundrobin"],
    ("AlterConfigs", "name"): _KEYS,
    ("IncrementalAlterConfigs", "name"): _KEYS,
    ("Metadata", "name"): [*_NAMES, "", "__consumer_offsets", "made-new", "made-grown"],
}
_AT_MOST_ONE = {"configs"}
_ONCE = ("partition", "index", "partition_index", "topic", "topic_id", "name", "resource_name", "group_id")


class Generated:
    """One node's requests of one seed. `ids`: of TOPICS there; `members`: what it called the members of groups, in order, by group."""

    def __init__(self, ids: Mapping[str, bytes]) -> None:
        self.ids = ids
        self.members: dict[str, str] = {}
        self.random = random.Random()

    def request(self, api: Api, version: int, seed: float) -> Message:
        self.random.seed(seed)
        made: Any = self._struct(api.request(), version, api.name)
        if api.name == "JoinGroup":  # who comes to a group that others are in waits for them
            known = self.random.choice([*self.members, None]) if self.members else None
            made.group_id, made.member_id = (f"made-{seed}", "") if known is None else (known, self.members[known])
            made.protocols = [part.replace(metadata=SUBSCRIPTION) for part in made.protocols]
        elif self.members and getattr(made, "group_id", "") and self.random.random() < 0.7:
            made.group_id = self.random.choice(list(self.members))
            for part in (made, *getattr(made, "members", ())):
                if getattr(part, "member_id", ""):
                    part.member_id = self.members[made.group_id]
        if api.name == "Metadata":  # of no topic at all
            made.topics = made.topics and [topic for topic in made.topics if topic.name is not None or any(topic.topic_id)]
        return made  # type: ignore[no-any-return]

    def _struct(self, cls: type[Struct], version: int, api: str) -> Struct:
        values = {}
        for field in cls.fields:
            if field.first <= version <= field.last and (field.tag is None or self.random.random() < 0.3):
                values[field.name] = self._value(cls, field, version, api)
        return cls(**values)

    def _value(self, cls: type[Struct], field: Field, version: int, api: str) -> Any:
        if version >= field.nullable and field.type_name != "Records" and self.random.random() < 0.12:
            return None
        if not field.is_array:
            return self._one(cls, field, version, api)
        count = self.random.choices([0, 1, 2, 3], [1, 6, 3, 1])[0]
        found = [self._one(cls, field, version, api) for _ in range(count)]
        return _distinct(found)[: 1 if field.name in _AT_MOST_ONE else 3]

    def _one(self, cls: type[Struct], field: Field, version: int, api: str) -> Any:
        nested = getattr(cls, field.type_name, None)
        if nested is not None:
            return self._struct(nested, version, api)
        choices = IN_API.get((api, field.name)) or CHOICES.get(field.name)
        if field.type_name == "Uuid":
            known = self.random.choice(["made-a", "made-a", "made-b", "made-c", None, "", ""])
            if not field.name.startswith("topic_id") or (known is None and api != "Fetch"):
                return bytes(16)
            return NO_TOPIC if api == "DeleteTopics" else self.ids.get(known or "", NO_TOPIC)
        if field.type_name == "Records":
            return self._records()
        if field.type_name == "Bool":
            return self.random.choice(choices or [False, False, True])
        if field.type_name == "Bytes":
            return self.random.choice([b"", b"abc"])
        if field.name == "member_id":
            return self.random.choice(["", "x", "x"])
        return self.random.choice(choices or (["", "a"] if field.type_name == "String" else [0, 1, -1]))

    def _records(self) -> bytes:
        records = [Record(timestamp=WHEN + n, value=b"%d" % n) for n in range(self.random.randrange(1, 4))]
        whole = bytearray(build_batch(records))
        kind = self.random.randrange(8)
        if kind == 0:
            return b""
        if kind == 1:
            return b"junk"
        if kind == 2:
            whole[25] ^= 1
        if kind == 3:
            del whole[-3:]
        return bytes(whole * 2 if kind == 4 else whole)


def _distinct(found: list[Any]) -> list[Any]:
    """What names one thing twice names it once."""
    by_name: dict[Any, Any] = {}
    for each in found:
        key = tuple(getattr(each, name, None) for name in _ONCE) if isinstance(each, Struct) else each
        by_name.setdefault(key, each)
    return list(by_name.values())
