"""What goes by itself: offsets that nobody wants any more, groups without members and offsets, offsets of deleted topics (G12, G14, G16)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.groups.administering import group_tombstones
from barnabas.core.groups.classic_group import EMPTY, NO_TIMESTAMP, STABLE, ClassicGroup
from barnabas.core.groups.modern_group import SHARE
from barnabas.core.groups.records import NO_EXPIRY, OffsetRecord
from barnabas.core.groups.settings import EXPIRY_RETRY_MS
from barnabas.core.groups.writes import Write
from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from barnabas.core.groups.context import Context, Group
    from barnabas.core.groups.records import GroupLogRecord, Offset

EXPIRY_KEY = ("expiry",)


def arm_expiry(context: Context, delay_ms: int | None = None) -> None:
    after_ms = context.settings.offsets_retention_check_interval_ms if delay_ms is None else delay_ms
    context.deadlines.arm(EXPIRY_KEY, context.now_ms + after_ms, expire, context)


def expire(context: Context) -> None:
    """Write tombstones for what has expired; again after the check interval, or soon if that failed."""
    records: list[GroupLogRecord] = []
    for group_id, group in list(context.groups.current.items()):
        if group.kind != SHARE and _expire_offsets(context, group, records) and group.is_empty:
            records += group_tombstones(context, group_id)
    arm_expiry(context)

    def done(error: Error) -> None:
        if error is not Error.NONE:
            arm_expiry(context, EXPIRY_RETRY_MS)

    if records:
        context.write(Write(records, done=done, atomic=False))


def forget_topic(context: Context, topic: str, topic_id: bytes) -> None:
    """A topic has been deleted: tombstones for the offsets that belong to it, not to a newer topic of that name."""
    records = list(context.offsets.of_topic(topic, topic_id))
    if records:
        context.write(Write(records, atomic=False))


def _expire_offsets(context: Context, group: Group, records: list[GroupLogRecord]) -> bool:
    """Add the tombstones of one group's old offsets; whether nothing is left of them."""
    group_id = group.group_id
    table = context.offsets.by_group.current.get(group_id)
    if table is None:
        return not context.offsets.has_transactions(group_id)
    if not _may_expire(group):
        return False
    all_expired = True
    for (topic, partition), offset in table.current.items():
        pending = context.offsets.has_pending(group_id, topic, partition)
        if group.is_subscribed(topic) or pending or not _has_expired(context, group, offset):
            all_expired = False
        else:
            records.append(OffsetRecord(group_id, topic, partition, None))
    return all_expired and not context.offsets.has_transactions(group_id)


def _may_expire(group: Group) -> bool:
    """Offsets of a group that is rebalancing, or whose subscriptions aren't known, are kept."""
    if not isinstance(group, ClassicGroup) or group.protocol_type is None or group.state == EMPTY:
        return True
    return group.uses_consumer_protocol and group.subscribed_topics is not None and group.state == STABLE


def _has_expired(context: Context, group: Group, offset: Offset) -> bool:
    if offset.expire_timestamp_ms != NO_EXPIRY:
        return context.now_ms >= offset.expire_timestamp_ms
    since_ms = offset.commit_timestamp_ms
    if isinstance(group, ClassicGroup) and group.protocol_type is not None and group.state == EMPTY and group.state_since_ms != NO_TIMESTAMP:
        since_ms = group.state_since_ms
    return context.now_ms - since_ms >= context.settings.offsets_retention_ms
