"""What `kafka-consumer-groups --describe` prints: the partitions of a group with their lag, its members, its state."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from .java import EXECUTION, RUNTIME, Thrown, string_order, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from barnabas.client.admin.group_descriptions import Description, Member
    from barnabas.client.admin.groups import Committed
    from barnabas.client.cluster import Cluster

    from .consumer_group_options import GroupOptions

MISSING = "-"
_REBALANCING = ("PreparingRebalance", "CompletingRebalance", "Assigning", "Reconciling")


class Row(NamedTuple):
    """A partition of a group, or a member without any."""

    group: str
    topic: str = MISSING
    partition: int | None = None
    leader_epoch: int | None = None
    offset: int | None = None
    end_offset: int | None = None
    consumer_id: str = MISSING
    host: str = MISSING
    client_id: str = MISSING

    @property
    def lag(self) -> int | None:
        return None if self.offset is None or self.end_offset is None else self.end_offset - self.offset


async def describe(options: GroupOptions, cluster: Cluster, group_ids: Sequence[str]) -> None:
    from barnabas.client.admin import group_descriptions

    outcomes = await group_descriptions.describe(cluster, list(dict.fromkeys(group_ids)))
    found: dict[str, Description] = {}
    for group_id in string_order(outcomes):
        outcome = outcomes[group_id]
        if isinstance(outcome, Exception):
            raise wrapped(outcome, EXECUTION)
        found[group_id] = outcome
    verbose = options.has(options.verbose)
    if options.has(options.members):
        for group_id in sorted(found):
            _print_members(found[group_id], verbose)
    elif options.has(options.state):
        for group_id in sorted(found):
            _print_state(found[group_id], verbose)
    else:
        rows = {group_id: await _rows(cluster, group) for group_id, group in found.items()}
        for group_id in sorted(found):
            _print_offsets(found[group_id], rows[group_id], verbose)


def _introduce(group: Description, count: int) -> bool:
    """Says what is remarkable about the group's state; whether there is anything to show."""
    if group.state == "Dead":
        print(f"\nError: Consumer group '{group.group_id}' does not exist.")
        return False
    sys.stdout.flush()
    if group.state == "Empty":
        sys.stderr.write(f"\nConsumer group '{group.group_id}' has no active members.\n")
    elif group.state in _REBALANCING:
        sys.stderr.write(f"\nWarning: Consumer group '{group.group_id}' is rebalancing.\n")
    elif group.state != "Stable":
        raise Thrown(f"Expected a valid consumer group state, but found '{group.state}'.", "org.apache.kafka.common.KafkaException")
    sys.stderr.flush()
    return count > 0


def _text(value: object) -> str:
    return MISSING if value is None else str(value)


def _width(least: int, values: Iterable[str]) -> int:
    return max(least, *map(len, values), 0)


# Offsets


async def _rows(cluster: Cluster, group: Description) -> list[Row]:
    """The members' partitions, busiest member first, then those that nobody reads."""
    from barnabas.client.admin import groups
    from barnabas.client.errors import KafkaError

    try:
        committed = await groups.committed(cluster, group.group_id)
    except KafkaError as error:
        raise wrapped(error, EXECUTION, RUNTIME) from None
    readers = sorted((member for member in group.members if member.assignment), key=lambda member: -len(member.assignment))
    assigned = {key for member in readers for key in member.assignment}
    parts = [(_of(group, member), list(member.assignment)) for member in readers]
    parts.append((Row(group.group_id), [key for key in committed if key not in assigned]))
    ends = await _end_offsets(cluster, [key for _, keys in parts for key in keys])
    rows = []
    for row, keys in parts:
        rows += [_filled(row, key, committed, ends) for key in sorted(set(keys))]
    return rows


def _of(group: Description, member: Member) -> Row:
    return Row(group.group_id, consumer_id=member.member_id, host=member.host, client_id=member.client_id)


def _filled(row: Row, key: tuple[str, int], committed: Mapping[tuple[str, int], Committed], ends: Mapping[tuple[str, int], int]) -> Row:
    offset = committed.get(key)
    row = row._replace(topic=key[0], partition=key[1], end_offset=ends.get(key))
    if offset is None:
        return row
    return row._replace(offset=offset.offset, leader_epoch=offset.leader_epoch if offset.leader_epoch >= 0 else None)


async def _end_offsets(cluster: Cluster, keys: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """Where each partition ends; those without a leader are left out."""
    from barnabas.client.admin import offsets, topics
    from barnabas.client.errors import KafkaError

    if not keys:
        return {}
    try:
        described = await topics.describe(cluster, {topic for topic, _ in keys})
        leaderless = {(name, p.partition) for name, topic in described.items() for p in topic.partitions if p.leader < 0}
        found = await offsets.find(cluster, {key: offsets.LATEST for key in keys if key not in leaderless})
    except KafkaError as error:
        raise wrapped(error, EXECUTION, RUNTIME) from None
    ends = {}
    for key, answer in found.items():
        if isinstance(answer, KafkaError):
            raise wrapped(answer, EXECUTION, RUNTIME)
        ends[key] = answer.offset
    return ends


def _print_offsets(group: Description, rows: Sequence[Row], verbose: bool) -> None:
    if not _introduce(group, len(rows)):
        return
    topics, consumers, hosts = (_width(15, (getattr(row, column) for row in rows)) for column in ("topic", "consumer_id", "host"))
    widths = [_width(15, [group.group_id]), topics, 10, 15, 15, 15, consumers, hosts, 0]
    titles = ["GROUP", "TOPIC", "PARTITION", "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG", "CONSUMER-ID", "HOST", "CLIENT-ID"]
    if verbose:
        widths.insert(3, 15)
        titles.insert(3, "LEADER-EPOCH")
    lines = [titles]
    for row in rows:
        fields = [row.group, row.topic, row.partition, row.offset, row.end_offset, row.lag, row.consumer_id, row.host, row.client_id]
        if verbose:
            fields.insert(3, row.leader_epoch)
        lines.append([_text(field) for field in fields])
    for line in lines:
        sys.stdout.write("\n" + _columns(line, widths))
    print()


def _columns(fields: Sequence[str], widths: Sequence[int]) -> str:
    return " ".join(f"{field:<{width}}" for field, width in zip(fields, widths, strict=True))


# Members


def _print_members(group: Description, verbose: bool) -> None:
    members = group.members
    known = members if _introduce(group, len(members)) else []
    static = any(member.instance_id for member in known)
    kinds = {member.upgraded for member in known}
    columns = [
        ("GROUP", 15, [group.group_id for _ in members]),
        ("CONSUMER-ID", 15, [member.member_id for member in members]),
        ("HOST", 15, [member.host for member in members]),
        ("CLIENT-ID", 15, [member.client_id for member in members]),
        ("#PARTITIONS", 15, [str(len(member.assignment)) for member in members]),
    ]
    if static:
        columns.insert(2, ("GROUP-INSTANCE-ID", 17, [member.instance_id or "" for member in members]))
    if verbose:
        columns += [
            ("CURRENT-EPOCH", 15, [_text(member.epoch) for member in members]),
            ("CURRENT-ASSIGNMENT", 20, [_assignment(member.assignment) for member in members]),
            ("TARGET-EPOCH", 15, [_text(group.assignment_epoch) for _ in members]),
            ("TARGET-ASSIGNMENT", 20, [_assignment(member.target or ()) for member in members]),
        ]
        if {True, False} <= kinds:
            columns.append(("UPGRADED", 0, [MISSING if m.upgraded is None else str(m.upgraded).lower() for m in members]))
    fixed = ("#PARTITIONS", "CURRENT-EPOCH", "TARGET-EPOCH")
    widths = [least if title in fixed else _width(least, values) for title, least, values in columns]
    end = "" if verbose else " "
    print()
    print(_columns([title for title, _, _ in columns], widths) + end)
    for index in range(len(members)):
        print(_columns([values[index] for _, _, values in columns], widths) + end)


def _assignment(partitions: Iterable[tuple[str, int]]) -> str:
    """`one:0,1;two:2`"""
    topics: dict[str, list[int]] = {}
    for topic, partition in sorted(partitions):
        topics.setdefault(topic, []).append(partition)
    return ";".join(sorted(f"{topic}:{','.join(map(str, listed))}" for topic, listed in topics.items())) or MISSING


# State


def _print_state(group: Description, verbose: bool) -> None:
    if not _introduce(group, 1):
        return
    node = group.coordinator
    coordinator = f"{node.host}:{node.port}  ({node.node_id})"
    columns = [
        ("GROUP", _width(15, [group.group_id]), group.group_id),
        ("COORDINATOR (ID)", _width(25, [coordinator]), coordinator),
        ("ASSIGNMENT-STRATEGY", 20, group.assignor or MISSING),
        ("STATE", 20, group.state),
        ("#MEMBERS", 0, str(len(group.members))),
    ]
    if verbose:
        columns[4:4] = [("GROUP-EPOCH", 15, _text(group.epoch)), ("TARGET-ASSIGNMENT-EPOCH", 25, _text(group.assignment_epoch))]
    widths = [width for _, width, _ in columns]
    print("\n" + _columns([title for title, _, _ in columns], widths))
    print(_columns([value for _, _, value in columns], widths))
