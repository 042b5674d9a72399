"""A shard's durable state from its log: batches replayed in order, transactions and their markers too (G6, G7, G10)."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from barnabas.core.groups import rebalancing
from barnabas.core.groups.classic_group import ClassicGroup, group_from_record
from barnabas.core.groups.modern_group import KIND_OF_TYPE, ModernGroup
from barnabas.core.groups.records import NO_PRODUCER_ID, GroupRecord, OffsetRecord, UnknownRecordType, decode_record
from barnabas.wire.records.batch import read_header
from barnabas.wire.records.record import decode_records
from barnabas.wire.types import DecodeError

if TYPE_CHECKING:
    from barnabas.core.groups.context import Context
    from barnabas.core.groups.records import GroupLogRecord, KeptRecord

_CONTROL_KEY = Struct(">hh")
ABORT = 0
COMMIT = 1


def load_batch(context: Context, batch: bytes | bytearray | memoryview) -> list[str]:
    """Replay one batch; returns warnings about records that were skipped. DecodeError makes the partition unusable."""
    header = read_header(batch)
    warnings: list[str] = []
    if header.is_control:
        for record in decode_records(batch, check_crc=False):
            kind = _CONTROL_KEY.unpack_from(record.key)[1] if record.key is not None and len(record.key) >= _CONTROL_KEY.size else -1
            if kind in (ABORT, COMMIT):
                context.offsets.end_transaction(header.producer_id, kind == COMMIT)
        return warnings
    for record in decode_records(batch, check_crc=False):
        try:
            decoded = decode_record(record.key, record.value)
        except UnknownRecordType as unknown:
            warnings.append(f"offset {record.offset}: {unknown}; skipped")
            continue
        replay(context, decoded, record.offset, header.producer_id if header.is_transactional else NO_PRODUCER_ID)
    return warnings


def replay(context: Context, record: GroupLogRecord, offset: int, producer_id: int = NO_PRODUCER_ID) -> None:
    """Change the durable state by one record of the log."""
    if isinstance(record, OffsetRecord):
        if record.offset is not None and record.group not in context.groups.current:
            context.make_classic_group(record.group)
        context.offsets.replay(record, offset, producer_id)
    elif isinstance(record, GroupRecord):
        if record.value is None:
            context.groups.pop(record.group, None)
        else:
            context.groups[record.group] = group_from_record(record.group, record.value)
    else:
        _replay_kept(context, record)


def _replay_kept(context: Context, record: KeptRecord) -> None:
    group = context.groups.current.get(record.group)
    if record.value is None:
        if isinstance(group, ModernGroup):
            group.replay(record)
            if group.is_gone:
                context.groups.pop(record.group, None)
        return
    if isinstance(group, ClassicGroup) and group.is_simple:
        group = None  # its offsets came before the group that they belong to
    if group is None:
        group = ModernGroup(record.group, KIND_OF_TYPE[record.type], context.snapshots)
        context.groups[record.group] = group
    if not isinstance(group, ModernGroup) or group.kind != KIND_OF_TYPE[record.type]:
        raise DecodeError(f"group {record.group} is a {group.kind} group, and has a record of type {record.type}")
    group.replay(record)


def finish_loading(context: Context) -> None:
    """All is replayed: sessions of the members start anew, and groups that are larger than allowed now must rebalance."""
    for group in list(context.groups.current.values()):
        if not isinstance(group, ClassicGroup):
            continue
        for member in group.members.values():
            rebalancing.expect_heartbeat(context, group, member)
        if len(group.members) > context.settings.max_size:
            context.write_soft(rebalancing.prepare_rebalance(context, group))
