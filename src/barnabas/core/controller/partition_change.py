"""One change of one partition: which leader, ISR and ELR follow from what its brokers can do, as a PartitionChange record.

Pure arithmetic on one partition. Source: Apache's `PartitionChangeBuilder`, `PartitionReassignmentReplicas`; C45-C53, KIP-966.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.metadata.features import MV_3_6_IV0_NO_EPOCH_BUMP_ON_SHRINK, MV_3_7_IV2_DIRECTORY_ASSIGNMENT
from barnabas.core.metadata.partition import NO_LEADER, NO_LEADER_CHANGE, RECOVERING, RECOVERY_UNCHANGED
from barnabas.wire.logs.cluster_metadata import PartitionChangeRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.core.metadata.partition import Partition

ONLINE = "online"
"""Keep the leader if it may go on, else the first of the replicas that may lead."""
PREFERRED = "preferred"
"""The first replica if it may lead, else as ONLINE."""
UNCLEAN = "unclean"
"""As ONLINE, but rather any living replica than none."""


class PartitionChange:
    """Set the targets that differ from the present, then `build`."""

    __slots__ = (
        "_acceptable", "_default_directory", "_elr_enabled", "_level", "_min_isr", "_partition", "adding", "directories", "election",
        "elr", "isr", "recovery_state", "removing", "replicas", "unclean_shutdown",
    )  # fmt: skip

    def __init__(
        self,
        partition: Partition,
        *,
        acceptable: Callable[[int], bool],
        default_directory: Callable[[int], bytes],
        min_isr: int,
        elr_enabled: bool,
        level: int,
    ) -> None:
        """`acceptable`: may this broker lead the partition now. `min_isr`: min.insync.replicas, at most the replication factor (C50).
        `level`: metadata.version. `default_directory`: of a replica that is new on a broker."""
        self._partition = partition
        self._acceptable = acceptable
        self._default_directory = default_directory
        self._min_isr = min_isr
        self._elr_enabled = elr_enabled
        self._level = level
        self.election = ONLINE
        self.isr = list(partition.isr)
        self.replicas = list(partition.replicas)
        self.removing = list(partition.removing_replicas)
        self.adding = list(partition.adding_replicas)
        self.elr = list(partition.elr)
        self.recovery_state = partition.leader_recovery_state
        self.directories = dict(zip(partition.replicas, partition.directories, strict=True))
        self.unclean_shutdown: int | None = None
        """A broker that came back without having stopped cleanly: it may have lost data and leaves the ELR."""

    def build(self, topic_id: bytes, partition_id: int) -> PartitionChangeRecord | None:
        """None if nothing changes."""
        record = PartitionChangeRecord(topic_id=topic_id, partition_id=partition_id)
        self._complete_reassignment()
        self._find_elr()
        self._elect(record)
        self._bump_epoch_if_replicas_left(record)
        self._set_elr(record)
        if record.isr is None and (self.isr or self._elr_enabled) and self.isr != list(self._partition.isr):
            record.isr = self.isr
        self._bump_epoch_if_isr_shrank(record)
        self._set_last_known_leader(record)
        self._set_assignment(record)
        if self.recovery_state != self._partition.leader_recovery_state:
            record.leader_recovery_state = self.recovery_state
        return None if _changes_nothing(record) else record

    def _complete_reassignment(self) -> None:
        """C56: all that come are in the ISR, and, if the count shrinks, all that stay."""
        if not self.removing and not self.adding:
            return
        isr = [replica for replica in self.isr if replica not in self.removing]
        replicas = [replica for replica in self.replicas if replica not in self.removing]
        if self.removing and (not isr or not replicas):
            return
        if any(replica not in isr for replica in self.adding):
            return
        if len(self.adding) < len(self.removing) and any(replica not in isr for replica in replicas):
            return
        self.isr, self.replicas, self.removing, self.adding = isr, replicas, [], []

    def _find_elr(self) -> None:
        """Members that leave while the ISR is below the minimum stay eligible: nothing was committed without them."""
        if not self._elr_enabled:
            return
        if len(self.isr) >= self._min_isr:
            self.elr = []
            return
        candidates = {*self.elr, *self._partition.isr}
        self.elr = [replica for replica in sorted(candidates) if replica not in self.isr and replica != self.unclean_shutdown]

    def _elect(self, record: PartitionChangeRecord) -> None:
        leader, unclean = self._winner()
        if leader == self._partition.leader:
            return
        if leader in self.elr:
            self.isr = [leader]
            self.elr = [replica for replica in self.elr if replica != leader]
        record.leader = leader
        if unclean:
            record.isr = [leader]
            if self._partition.leader_recovery_state != RECOVERING:
                record.leader_recovery_state = RECOVERING

    def _winner(self) -> tuple[int, bool]:
        """(leader or -1, whether it may lack committed data)"""
        if self.election == PREFERRED and self._may_lead(self.replicas[0]):
            return self.replicas[0], False
        if self._may_lead(self._partition.leader):
            return self._partition.leader, False
        for replica in self.replicas:
            if self._may_lead(replica):
                return replica, False
        if self._last_leader_may_return():
            return self._partition.last_known_elr[0], True
        if self.election == UNCLEAN:
            for replica in self.replicas:
                if self._acceptable(replica):
                    return replica, True
        return NO_LEADER, False

    def _may_lead(self, replica: int) -> bool:
        return (replica in self.isr or (not self.isr and replica in self.elr)) and self._acceptable(replica)

    def _last_leader_may_return(self) -> bool:
        if not self._elr_enabled or self.elr or self.isr:
            return False
        last_known = self._partition.last_known_elr
        return len(last_known) == 1 and self._acceptable(last_known[0])

    def _bump_epoch_if_replicas_left(self, record: PartitionChangeRecord) -> None:
        if record.leader == NO_LEADER_CHANGE and any(replica not in self.replicas for replica in self._partition.replicas):
            record.leader = self._partition.leader

    def _bump_epoch_if_isr_shrank(self, record: PartitionChangeRecord) -> None:
        """Only before metadata.version 12 (C48): brokers of then needed it."""
        if self._level >= MV_3_6_IV0_NO_EPOCH_BUMP_ON_SHRINK or record.leader != NO_LEADER_CHANGE or record.isr is None:
            return
        if any(replica not in record.isr for replica in self._partition.isr):
            record.leader = self._partition.leader

    def _set_elr(self, record: PartitionChangeRecord) -> None:
        if record.isr is not None or not self._elr_enabled:
            self.elr = []
        if self.elr != list(self._partition.elr):
            record.eligible_leader_replicas = self.elr

    def _set_last_known_leader(self, record: PartitionChangeRecord) -> None:
        if not self._elr_enabled:
            return
        if record.leader == NO_LEADER and not self._partition.last_known_elr:
            record.last_known_elr = [self._partition.leader]
        elif record.leader >= 0 and self._partition.last_known_elr:
            record.last_known_elr = []

    def _set_assignment(self, record: PartitionChangeRecord) -> None:
        if self.replicas:
            if self._level >= MV_3_7_IV2_DIRECTORY_ASSIGNMENT:
                known = self.directories
                directories = [known[replica] if replica in known else self._default_directory(replica) for replica in self.replicas]
                if directories != list(self._partition.directories):
                    record.directories = directories
            if self.replicas != list(self._partition.replicas):
                record.replicas = self.replicas
        if self.removing != list(self._partition.removing_replicas):
            record.removing_replicas = self.removing
        if self.adding != list(self._partition.adding_replicas):
            record.adding_replicas = self.adding


def _changes_nothing(record: PartitionChangeRecord) -> bool:
    return (
        record.isr is None
        and record.eligible_leader_replicas is None
        and record.last_known_elr is None
        and record.leader == NO_LEADER_CHANGE
        and record.replicas is None
        and record.removing_replicas is None
        and record.adding_replicas is None
        and record.leader_recovery_state == RECOVERY_UNCHANGED
        and record.directories is None
    )
