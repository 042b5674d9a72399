"""Consumer, share and streams groups, kept but not served (G30): their records survive, are listed, and can be deleted.

Owns what can be told from a group's records alone: its kind, state and members. Its state is worked out when asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from barnabas.core.groups.records import KeptRecord, key_strings
from barnabas.core.timeline import TimelineDict

if TYPE_CHECKING:
    from barnabas.core.timeline import SnapshotRegistry

CONSUMER = "consumer"
SHARE = "share"
STREAMS = "streams"


class Layout:
    """Which record types make up a kind of group; -1 where it has none."""

    __slots__ = ("current", "epoch", "member", "target", "tombstone_order")

    def __init__(self, epoch: int, member: int, target: int, current: int, tombstone_order: tuple[int, ...]) -> None:
        self.epoch = epoch
        self.member = member
        self.target = target
        self.current = current
        self.tombstone_order = tombstone_order  # the group's own record is last


LAYOUTS = {
    CONSUMER: Layout(epoch=3, member=5, target=6, current=8, tombstone_order=(8, 7, 6, 5, 16, 4, 3)),
    SHARE: Layout(epoch=11, member=10, target=12, current=14, tombstone_order=(14, 13, 12, 10, 15, 11)),
    STREAMS: Layout(epoch=17, member=19, target=20, current=22, tombstone_order=(22, 21, 20, 19, 23, 17)),
}
KIND_OF_TYPE = {type_: kind for kind, layout in LAYOUTS.items() for type_ in layout.tombstone_order}

_MEMBER_IS_STABLE = 0  # the state in a current assignment


class ModernGroup:
    """One group of a newer protocol, as its records describe it."""

    __slots__ = ("_kept", "group_id", "kind")

    def __init__(self, group_id: str, kind: str, snapshots: SnapshotRegistry) -> None:
        self.group_id = group_id
        self.kind = kind
        self._kept: TimelineDict[bytes, KeptRecord] = TimelineDict(snapshots)

    def replay(self, record: KeptRecord) -> None:
        if record.value is None:
            self._kept.pop(record.key, None)
        else:
            self._kept[record.key] = record

    @property
    def is_gone(self) -> bool:
        return not self._kept.current

    @property
    def is_empty(self) -> bool:
        return not self.member_ids()

    @property
    def state(self) -> str:
        layout = LAYOUTS[self.kind]
        members = self.member_ids()
        if not members:
            return "Empty"
        if self.kind == SHARE:
            return "Stable"
        if self.kind == STREAMS and not self._of_type(23):
            return "NotReady"
        epoch = self._single(layout.epoch, "epoch")
        target_epoch = self._single(layout.target, "assignment_epoch")
        if epoch > target_epoch:
            return "Assigning"
        current = {key_strings(record.key, 2)[1]: record.message for record in self._of_type(layout.current)}
        for member_id in members:
            assignment: Any = current.get(member_id)
            if assignment is None or assignment.member_epoch != target_epoch or assignment.state != _MEMBER_IS_STABLE:
                return "Reconciling"
        return "Stable"

    def member_ids(self) -> list[str]:
        return [key_strings(record.key, 2)[1] for record in self._of_type(LAYOUTS[self.kind].member)]

    def member_epoch(self, member_id: str) -> int | None:
        """The epoch that a member was last told, None if there is no such member."""
        if member_id not in self.member_ids():
            return None
        for record in self._of_type(LAYOUTS[self.kind].current):
            if key_strings(record.key, 2)[1] == member_id:
                assignment: Any = record.message
                epoch: int = assignment.member_epoch
                return epoch
        return 0

    def uses_classic_protocol(self, member_id: str) -> bool:
        """Whether a consumer group's member joined by JoinGroup (G28)."""
        for record in self._of_type(LAYOUTS[self.kind].member):
            if key_strings(record.key, 2)[1] == member_id:
                member: Any = record.message
                return getattr(member, "classic_member_metadata", None) is not None
        return False

    def is_subscribed(self, topic: str) -> bool:
        """A group with members is taken to read everything: its offsets are left alone."""
        return not self.is_empty

    def tombstones(self) -> list[KeptRecord]:
        """What deletes the group from the log."""
        order = LAYOUTS[self.kind].tombstone_order
        kept = sorted(self._kept.current.values(), key=lambda record: order.index(record.type))
        return [KeptRecord(record.type, record.group, record.key, None, None) for record in kept]

    def _of_type(self, type_: int) -> list[KeptRecord]:
        return [record for record in self._kept.current.values() if record.type == type_]

    def _single(self, type_: int, field: str) -> int:
        for record in self._of_type(type_):
            value: int = getattr(record.message, field)
            return value
        return 0
