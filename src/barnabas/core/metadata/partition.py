"""Partition: what the cluster's metadata says of one partition, and how records make and change it.

Immutable; shared by the image that everyone reads and by the controller's own state. Epochs are implied, not stored (C45, T11): each change raises
the partition epoch, a change that names a leader raises the leader epoch. Source: Apache's `PartitionRegistration`.
"""

from __future__ import annotations

from typing import NamedTuple

from barnabas.core.metadata.directory_ids import MIGRATING
from barnabas.wire.logs.cluster_metadata import PartitionChangeRecord, PartitionRecord

NO_LEADER = -1
NO_LEADER_CHANGE = -2
RECOVERED = 0
RECOVERING = 1
RECOVERY_UNCHANGED = -1


class Partition(NamedTuple):
    leader: int
    """Broker id, or -1."""
    leader_epoch: int
    isr: tuple[int, ...]
    replicas: tuple[int, ...]
    partition_epoch: int
    directories: tuple[bytes, ...]
    """The log directory's id of each replica, in the order of `replicas`."""
    removing_replicas: tuple[int, ...] = ()
    adding_replicas: tuple[int, ...] = ()
    elr: tuple[int, ...] = ()
    """Eligible leader replicas (KIP-966): out of the ISR, but they have everything that was committed."""
    last_known_elr: tuple[int, ...] = ()
    """While leaderless: the last leader."""
    leader_recovery_state: int = RECOVERED

    @property
    def preferred_leader(self) -> int:
        return self.replicas[0] if self.replicas else NO_LEADER

    @property
    def is_reassigning(self) -> bool:
        return bool(self.removing_replicas or self.adding_replicas)

    def directory_of(self, replica: int) -> bytes:
        """The directory id of `replica`. ValueError if it isn't a replica."""
        return self.directories[self.replicas.index(replica)]

    def changed_by(self, change: PartitionChangeRecord) -> Partition:
        """This partition after `change`; what the record leaves out stays. ValueError if its directories don't fit its replicas."""
        replicas = self.replicas if change.replicas is None else tuple(change.replicas)
        directories = self.directories if change.directories is None else tuple(change.directories)
        leader_moves = change.leader != NO_LEADER_CHANGE
        return Partition(
            leader=change.leader if leader_moves else self.leader,
            leader_epoch=self.leader_epoch + leader_moves,
            isr=self.isr if change.isr is None else tuple(change.isr),
            replicas=replicas,
            partition_epoch=self.partition_epoch + 1,
            directories=_fitting(directories, replicas),
            removing_replicas=self.removing_replicas if change.removing_replicas is None else tuple(change.removing_replicas),
            adding_replicas=self.adding_replicas if change.adding_replicas is None else tuple(change.adding_replicas),
            elr=self.elr if change.eligible_leader_replicas is None else tuple(change.eligible_leader_replicas),
            last_known_elr=self.last_known_elr if change.last_known_elr is None else tuple(change.last_known_elr),
            leader_recovery_state=(
                self.leader_recovery_state if change.leader_recovery_state == RECOVERY_UNCHANGED else change.leader_recovery_state
            ),
        )

    def without_elr(self) -> Partition:
        """This partition after a ClearElr record: unchanged if there is no ELR, else a change like any other."""
        if not self.elr and not self.last_known_elr:
            return self
        return self._replace(elr=(), last_known_elr=(), partition_epoch=self.partition_epoch + 1)


def from_record(record: PartitionRecord) -> Partition:
    """ValueError if the record's directories don't fit its replicas."""
    replicas = tuple(record.replicas)
    return Partition(
        leader=record.leader,
        leader_epoch=record.leader_epoch,
        isr=tuple(record.isr),
        replicas=replicas,
        partition_epoch=record.partition_epoch,
        directories=_fitting(tuple(record.directories), replicas),
        removing_replicas=tuple(record.removing_replicas),
        adding_replicas=tuple(record.adding_replicas),
        elr=tuple(record.eligible_leader_replicas or ()),
        last_known_elr=tuple(record.last_known_elr or ()),
        leader_recovery_state=record.leader_recovery_state,
    )


def to_record(partition: Partition, topic_id: bytes, index: int, *, with_directories: bool, with_elr: bool) -> PartitionRecord:
    """The record that makes `partition` from nothing. What the cluster's features can't express is left out."""
    return PartitionRecord(
        partition_id=index,
        topic_id=topic_id,
        replicas=list(partition.replicas),
        isr=list(partition.isr),
        removing_replicas=list(partition.removing_replicas),
        adding_replicas=list(partition.adding_replicas),
        leader=partition.leader,
        leader_recovery_state=partition.leader_recovery_state,
        leader_epoch=partition.leader_epoch,
        partition_epoch=partition.partition_epoch,
        directories=list(partition.directories) if with_directories else [],
        eligible_leader_replicas=list(partition.elr) if with_elr and partition.elr else None,
        last_known_elr=list(partition.last_known_elr) if with_elr and partition.last_known_elr else None,
    )


def _fitting(directories: tuple[bytes, ...], replicas: tuple[int, ...]) -> tuple[bytes, ...]:
    if len(directories) == len(replicas):
        return directories
    if all(directory == MIGRATING for directory in directories):
        return (MIGRATING,) * len(replicas)
    raise ValueError(f"{len(directories)} directories for the replicas {list(replicas)}")
