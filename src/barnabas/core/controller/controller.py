"""Controller: the whole state of the quorum controller, the operations on it, and the replay that alone changes it.

Pure. The contract with its host, which runs it on one thread:

- Every record of the metadata log goes through `replay(record, offset)`, in order: committed ones on a standby; on the active controller its own,
  right when they are appended, followed by `appended(last offset of the batch)`.
- `committed(offset)` when the high watermark passes the end of a batch. Losing leadership: `deactivate()` takes back what had not committed.
- On becoming the leader: `activate(...)`, append its records, from then on run operations: each returns a Result; append its records (in one batch
  if it is atomic), replay them, send the response when they are committed. An ApiError is the answer to the whole request. A Result without records
  waits for what is appended already, as it may tell of it.
- `next_write_offset` must be the log's end when an operation runs: the host sets it after control records.

Operations never change replayed state. Broker sessions are soft state of the active controller only, see `heartbeats`.
Modules of rare operations are imported when they are first asked for: a node starts sooner. Source: Apache's `QuorumController`; C1-C10.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from barnabas.core.controller.brokers import Brokers
from barnabas.core.controller.configs import Configs
from barnabas.core.controller.features import Features
from barnabas.core.controller.heartbeats import Heartbeats
from barnabas.core.controller.producer_ids import ProducerIds
from barnabas.core.controller.result import MAX_RECORDS_PER_USER_OPERATION, TOO_LARGE, ApiError, Result
from barnabas.core.controller.stored import Stored
from barnabas.core.controller.topics import Topics
from barnabas.core.metadata.record_versions import record_version
from barnabas.core.timeline import SnapshotRegistry
from barnabas.wire.errors import Error
from barnabas.wire.logs import cluster_metadata as records

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from barnabas.core.controller.configs import ConfigRules
    from barnabas.wire.schema import Message


class ControllerSettings(NamedTuple):
    node_id: int
    cluster_id: str
    voter_ids: tuple[int, ...] = ()
    session_timeout_ms: int = 9000
    default_partitions: int = 1
    default_replication_factor: int = 1
    end_session_on_shutdown: bool = True
    """A broker that was granted its shutdown, or whose directories another process has locked while it is missing, may register again at once (O3); Apache
    makes it wait for the rest of its session."""


class Controller:
    def __init__(self, settings: ControllerSettings, rules: ConfigRules, random_bytes: Callable[[int], bytes]) -> None:
        self.settings = settings
        self.random_bytes = random_bytes
        registry = self._registry = SnapshotRegistry()
        self.heartbeats = Heartbeats(settings.session_timeout_ms)
        self.features = Features(registry)
        self.brokers = Brokers(registry, self.heartbeats)
        self.topics = Topics(registry)
        self.configs = Configs(registry, rules, settings.node_id)
        self.producer_ids = ProducerIds(registry)
        self.stored = Stored(registry)
        self.is_active = False
        self.next_write_offset = 0
        self.committed_offset = -1
        """Of the last record that is committed."""
        self._transaction_start: int | None = None
        self._replay = self._replay_table()

    # The log.

    def replay(self, record: Message, offset: int) -> None:
        """Apply one record of the log. Any exception means that this node can't go on with this log (C3)."""
        replay = self._replay.get(type(record))
        if replay is not None:
            replay(record)
        elif isinstance(record, records.RegisterBrokerRecord):
            self.brokers.replay_register(record, offset)
        elif isinstance(record, records.RemoveTopicRecord):
            self.configs.replay_topic_removed(self.topics.replay_remove_topic(record))
        elif isinstance(record, records.BeginTransactionRecord):
            self._begin_transaction(offset)
        elif isinstance(record, records.EndTransactionRecord):
            self._require_transaction()
            self._transaction_start = None
        elif isinstance(record, records.AbortTransactionRecord):
            self._abort_transaction()
        else:
            raise ValueError(f"{type(record).__name__} can't be replayed by the controller")
        self.next_write_offset = offset + 1

    def record_version(self, record: Message) -> int:
        """In which version `record` is to be written now (C34)."""
        return record_version(record, self.features.metadata_version)

    def appended(self, offset: int) -> None:
        """The records up to `offset`, the end of a batch, are in the local log and replayed, but not committed yet."""
        if self._transaction_start is None:
            self._registry.take(offset)

    def unwritten(self, now_ms: int) -> None:
        """An operation's records could not be appended: nothing of it has happened, and it may be tried again."""
        self.heartbeats.unwritten(self.brokers.registrations.current.values(), now_ms)

    def committed(self, offset: int) -> None:
        """Everything up to `offset`, the end of a batch, is committed."""
        self.committed_offset = offset
        stable = self.last_stable_offset
        if self.is_active and self._transaction_start is None and offset == self.next_write_offset - 1:
            self._registry.clear()
            self._registry.take(stable)
        else:
            self._registry.delete_up_to(stable)

    @property
    def last_stable_offset(self) -> int:
        """Up to here all is committed and in no open metadata transaction."""
        if self._transaction_start is None:
            return self.committed_offset
        return min(self._transaction_start - 1, self.committed_offset)

    def activate(self, next_write_offset: int, bootstrap: Sequence[Message], now_ms: int) -> Result:
        """This node leads the quorum and has replayed all its log. The response is None; the records must be appended first of all."""
        from barnabas.core.controller.activation import activation_records

        self.is_active = True
        self.next_write_offset = next_write_offset
        if self._transaction_start is None:
            self._registry.clear()
            self._registry.take(self.committed_offset)
        self.heartbeats.activate(list(self.brokers.registrations.current.values()), now_ms)
        start = self._transaction_start
        opening = activation_records(
            self.features.metadata_version if start is None else self.features.metadata_version_at(start - 1),
            bootstrap,
            in_transaction=self._transaction_start is not None,
            static_min_insync_replicas=self.configs.rules.static_min_insync_replicas(),
        )
        return Result(opening, None)

    def deactivate(self) -> bool:
        """This node leads no longer: back to what is committed. Pending requests are the host's to refuse with NOT_CONTROLLER.

        False if that state is gone, or lies inside a metadata transaction that began and didn't end: replay the log into a new Controller then.
        """
        self.is_active = False
        stable = self.last_stable_offset
        if stable < self.committed_offset or stable not in self._registry.offsets:
            return False
        self._registry.revert_to(stable)
        self._registry.clear()
        self._transaction_start = None
        self.next_write_offset = stable + 1
        return True

    def _begin_transaction(self, offset: int) -> None:
        if self._transaction_start is not None:
            raise ValueError(f"a metadata transaction begins at {offset} inside the one from {self._transaction_start}")
        self._transaction_start = offset
        self._registry.take(offset - 1)

    def _abort_transaction(self) -> None:
        self._registry.revert_to(self._require_transaction() - 1)
        self._transaction_start = None

    def _require_transaction(self) -> int:
        if self._transaction_start is None:
            raise ValueError("a metadata transaction ends that never began")
        return self._transaction_start

    def _replay_table(self) -> dict[type[Message], Callable[[Any], None]]:
        return {
            records.UnregisterBrokerRecord: self.brokers.replay_unregister,
            records.BrokerRegistrationChangeRecord: self.brokers.replay_change,
            records.FenceBrokerRecord: self.brokers.replay_fence,
            records.UnfenceBrokerRecord: self.brokers.replay_unfence,
            records.RegisterControllerRecord: self.brokers.replay_controller,
            records.TopicRecord: self.topics.replay_topic,
            records.PartitionRecord: self.topics.replay_partition,
            records.PartitionChangeRecord: self.topics.replay_partition_change,
            records.ClearElrRecord: self.topics.replay_clear_elr,
            records.ConfigRecord: self.configs.replay,
            records.FeatureLevelRecord: self.features.replay,
            records.ProducerIdsRecord: self.producer_ids.replay,
            records.AccessControlEntryRecord: self.stored.replay_acl,
            records.RemoveAccessControlEntryRecord: self.stored.replay_remove_acl,
            records.UserScramCredentialRecord: self.stored.replay_scram,
            records.RemoveUserScramCredentialRecord: self.stored.replay_remove_scram,
            records.ClientQuotaRecord: self.stored.replay_client_quota,
            records.DelegationTokenRecord: self.stored.replay_delegation_token,
            records.RemoveDelegationTokenRecord: self.stored.replay_remove_delegation_token,
            records.NoOpRecord: _nothing,
            records.ZkMigrationStateRecord: _nothing,
        }

    # Operations that are one line; the others are functions (controller, request, ...) -> Result in the modules of their areas.

    def allocate_producer_ids(self, broker_id: int, broker_epoch: int) -> Result:
        """AllocateProducerIds (67). The response is (first id, count)."""
        self.brokers.check_epoch(broker_id, broker_epoch)
        return self.producer_ids.allocate(broker_id, broker_epoch)

    def check_record_count(self, made: Sequence[Message]) -> None:
        """C10: what one user may cause by one request is bounded."""
        if len(made) > MAX_RECORDS_PER_USER_OPERATION:
            raise ApiError(Error.POLICY_VIOLATION, TOO_LARGE)


def _nothing(record: Message) -> None:
    """Only the offset advances (C81)."""
