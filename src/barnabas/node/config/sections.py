"""The settings a node reads, typed and grouped by who reads them. Built from `Values`; a changed dynamic config makes new sections.

A setting is here when the node reads it, and only then (docs/configuration.md is written from that). Times in ms, sizes in bytes unless named so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.configs.broker_rules import log_dirs, per_address_limits

if TYPE_CHECKING:
    from barnabas.core.configs.values import Values


class Network:
    """Connections and the threads that serve them."""

    __slots__ = (
        "backlog",
        "connections_max_idle_ms",
        "max_connection_creation_rate",
        "max_connections",
        "max_connections_per_ip",
        "max_connections_per_ip_overrides",
        "receive_buffer_bytes",
        "request_max_bytes",
        "request_timeout_ms",
        "send_buffer_bytes",
        "threads",
    )

    def __init__(self, values: Values) -> None:
        integer = values.integer
        self.threads = integer("num.network.threads")
        self.send_buffer_bytes = integer("socket.send.buffer.bytes")
        """-1: the system's."""
        self.receive_buffer_bytes = integer("socket.receive.buffer.bytes")
        """-1: the system's."""
        self.request_max_bytes = integer("socket.request.max.bytes")
        self.backlog = integer("socket.listen.backlog.size")
        self.connections_max_idle_ms = integer("connections.max.idle.ms")
        """Negative: never closed."""
        self.max_connections = integer("max.connections")
        self.max_connections_per_ip = integer("max.connections.per.ip")
        self.max_connections_per_ip_overrides = per_address_limits(values.text("max.connections.per.ip.overrides"))
        self.max_connection_creation_rate = integer("max.connection.creation.rate")
        self.request_timeout_ms = integer("request.timeout.ms")


class Quorum:
    """The metadata quorum, the metadata log, and what a broker and the active controller owe one another."""

    __slots__ = (
        "append_linger_ms",
        "broker_heartbeat_interval_ms",
        "broker_session_timeout_ms",
        "election_backoff_max_ms",
        "election_timeout_ms",
        "fetch_max_bytes",
        "fetch_snapshot_max_bytes",
        "fetch_timeout_ms",
        "initial_registration_timeout_ms",
        "max_bytes_between_snapshots",
        "max_idle_interval_ms",
        "max_retention_bytes",
        "max_retention_ms",
        "max_snapshot_interval_ms",
        "request_timeout_ms",
        "retry_backoff_ms",
        "segment_bytes",
        "segment_ms",
        "snapshot_delete_delay_ms",
    )

    def __init__(self, values: Values) -> None:
        integer = values.integer
        self.election_timeout_ms = integer("controller.quorum.election.timeout.ms")
        self.election_backoff_max_ms = integer("controller.quorum.election.backoff.max.ms")
        self.fetch_timeout_ms = integer("controller.quorum.fetch.timeout.ms")
        self.append_linger_ms = integer("controller.quorum.append.linger.ms")
        self.request_timeout_ms = integer("controller.quorum.request.timeout.ms")
        self.retry_backoff_ms = integer("controller.quorum.retry.backoff.ms")
        self.fetch_max_bytes = integer("controller.quorum.fetch.max.bytes")
        self.fetch_snapshot_max_bytes = integer("controller.quorum.fetch.snapshot.max.bytes")
        self.broker_heartbeat_interval_ms = integer("broker.heartbeat.interval.ms")
        self.broker_session_timeout_ms = integer("broker.session.timeout.ms")
        self.initial_registration_timeout_ms = integer("initial.broker.registration.timeout.ms")
        self.max_bytes_between_snapshots = integer("metadata.log.max.record.bytes.between.snapshots")
        self.max_snapshot_interval_ms = integer("metadata.log.max.snapshot.interval.ms")
        """0: none by time."""
        self.max_idle_interval_ms = integer("metadata.max.idle.interval.ms")
        """0: no no-op records."""
        self.max_retention_bytes = integer("metadata.max.retention.bytes")
        self.max_retention_ms = integer("metadata.max.retention.ms")
        internal = values.optional_integer("internal.metadata.log.segment.bytes")
        self.segment_bytes = integer("metadata.log.segment.bytes") if internal is None else internal
        self.segment_ms = integer("metadata.log.segment.ms")
        self.snapshot_delete_delay_ms = integer("internal.metadata.delete.delay.millis")


class Logs:
    """Directories and the work on logs that no single topic decides."""

    __slots__ = (
        "cleaner_backoff_ms",
        "cleaner_dedupe_buffer_bytes",
        "cleaner_enable",
        "cleaner_io_buffer_bytes",
        "cleaner_io_max_bytes_per_second",
        "cleaner_threads",
        "directories",
        "directory_failure_timeout_ms",
        "flush_offset_checkpoint_interval_ms",
        "flush_scheduler_interval_ms",
        "flush_start_offset_checkpoint_interval_ms",
        "initial_task_delay_ms",
        "metadata_directory",
        "recovery_threads_per_directory",
        "retention_check_interval_ms",
    )

    def __init__(self, values: Values) -> None:
        integer = values.integer
        self.directories = log_dirs(values)
        self.metadata_directory = values.optional_text("metadata.log.dir") or self.directories[0]
        self.retention_check_interval_ms = integer("log.retention.check.interval.ms")
        self.flush_scheduler_interval_ms = integer("log.flush.scheduler.interval.ms")
        self.flush_offset_checkpoint_interval_ms = integer("log.flush.offset.checkpoint.interval.ms")
        self.flush_start_offset_checkpoint_interval_ms = integer("log.flush.start.offset.checkpoint.interval.ms")
        self.initial_task_delay_ms = integer("log.initial.task.delay.ms")
        self.recovery_threads_per_directory = integer("num.recovery.threads.per.data.dir")
        self.directory_failure_timeout_ms = integer("log.dir.failure.timeout.ms")
        self.cleaner_enable = values.flag("log.cleaner.enable")
        self.cleaner_threads = integer("log.cleaner.threads")
        self.cleaner_backoff_ms = integer("log.cleaner.backoff.ms")
        self.cleaner_dedupe_buffer_bytes = integer("log.cleaner.dedupe.buffer.size")
        self.cleaner_io_buffer_bytes = integer("log.cleaner.io.buffer.size")
        self.cleaner_io_max_bytes_per_second = values.real("log.cleaner.io.max.bytes.per.second")


class Topics:
    """What topics may be, and become, on this cluster."""

    __slots__ = ("auto_create_enable", "default_replication_factor", "delete_enable", "num_partitions")

    def __init__(self, values: Values) -> None:
        self.num_partitions = values.integer("num.partitions")
        self.default_replication_factor = values.integer("default.replication.factor")
        self.auto_create_enable = values.flag("auto.create.topics.enable")
        self.delete_enable = values.flag("delete.topic.enable")


class Replication:
    """Replicas, leadership, and the limits of fetching."""

    __slots__ = (
        "auto_leader_rebalance_enable",
        "controlled_shutdown_enable",
        "fetch_backoff_ms",
        "fetch_max_bytes",
        "fetch_response_max_bytes",
        "fetch_session_slots",
        "fetch_wait_max_ms",
        "fetchers",
        "high_watermark_checkpoint_interval_ms",
        "lag_time_max_ms",
        "leader_imbalance_check_interval_seconds",
        "max_partitions_per_request",
        "replica_fetch_max_bytes",
        "replica_fetch_min_bytes",
        "socket_receive_buffer_bytes",
        "socket_timeout_ms",
    )

    def __init__(self, values: Values) -> None:
        integer = values.integer
        self.fetch_max_bytes = integer("fetch.max.bytes")
        self.fetch_session_slots = integer("max.incremental.fetch.session.cache.slots")
        self.max_partitions_per_request = integer("max.request.partition.size.limit")
        self.lag_time_max_ms = integer("replica.lag.time.max.ms")
        self.fetchers = integer("num.replica.fetchers")
        self.fetch_wait_max_ms = integer("replica.fetch.wait.max.ms")
        self.replica_fetch_min_bytes = integer("replica.fetch.min.bytes")
        self.replica_fetch_max_bytes = integer("replica.fetch.max.bytes")
        self.fetch_response_max_bytes = integer("replica.fetch.response.max.bytes")
        self.fetch_backoff_ms = integer("replica.fetch.backoff.ms")
        self.socket_timeout_ms = integer("replica.socket.timeout.ms")
        self.socket_receive_buffer_bytes = integer("replica.socket.receive.buffer.bytes")
        self.high_watermark_checkpoint_interval_ms = integer("replica.high.watermark.checkpoint.interval.ms")
        self.auto_leader_rebalance_enable = values.flag("auto.leader.rebalance.enable")
        self.leader_imbalance_check_interval_seconds = integer("leader.imbalance.check.interval.seconds")
        self.controlled_shutdown_enable = values.flag("controlled.shutdown.enable")


class Groups:
    """The group coordinators and their topic, `__consumer_offsets`. What a group may override is `core.configs.group_rules`."""

    __slots__ = (
        "append_linger_ms",
        "assignors",
        "consumer_assignment_interval_ms",
        "consumer_heartbeat_interval_ms",
        "consumer_max_size",
        "consumer_session_timeout_ms",
        "initial_rebalance_delay_ms",
        "load_buffer_bytes",
        "max_session_timeout_ms",
        "max_size",
        "migration_policy",
        "min_session_timeout_ms",
        "offset_commit_timeout_ms",
        "offset_metadata_max_bytes",
        "offsets_retention_check_interval_ms",
        "offsets_retention_ms",
        "offsets_topic_codec",
        "offsets_topic_num_partitions",
        "offsets_topic_replication_factor",
        "offsets_topic_segment_bytes",
        "protocols",
    )

    def __init__(self, values: Values) -> None:
        integer = values.integer
        self.protocols = values.items_of("group.coordinator.rebalance.protocols")
        self.append_linger_ms = integer("group.coordinator.append.linger.ms")
        self.initial_rebalance_delay_ms = integer("group.initial.rebalance.delay.ms")
        self.min_session_timeout_ms = integer("group.min.session.timeout.ms")
        self.max_session_timeout_ms = integer("group.max.session.timeout.ms")
        self.max_size = integer("group.max.size")
        self.assignors = values.items_of("group.consumer.assignors")
        self.migration_policy = values.text("group.consumer.migration.policy").lower()
        """ "disabled", "downgrade", "upgrade" or "bidirectional"."""
        self.consumer_max_size = integer("group.consumer.max.size")
        self.consumer_session_timeout_ms = integer("group.consumer.session.timeout.ms")
        self.consumer_heartbeat_interval_ms = integer("group.consumer.heartbeat.interval.ms")
        self.consumer_assignment_interval_ms = integer("group.consumer.assignment.interval.ms")
        self.offset_metadata_max_bytes = integer("offset.metadata.max.bytes")
        self.offset_commit_timeout_ms = integer("offsets.commit.timeout.ms")
        self.load_buffer_bytes = integer("offsets.load.buffer.size")
        self.offsets_retention_ms = integer("offsets.retention.minutes") * 60_000
        self.offsets_retention_check_interval_ms = integer("offsets.retention.check.interval.ms")
        self.offsets_topic_codec = integer("offsets.topic.compression.codec")
        self.offsets_topic_num_partitions = integer("offsets.topic.num.partitions")
        self.offsets_topic_replication_factor = integer("offsets.topic.replication.factor")
        self.offsets_topic_segment_bytes = integer("offsets.topic.segment.bytes")


class Transactions:
    """Producer ids, the transaction coordinator and its topic, `__transaction_state`."""

    __slots__ = (
        "abort_timed_out_interval_ms",
        "load_buffer_bytes",
        "max_timeout_ms",
        "partition_verification_enable",
        "producer_id_expiration_check_interval_ms",
        "producer_id_expiration_ms",
        "remove_expired_interval_ms",
        "state_topic_min_isr",
        "state_topic_num_partitions",
        "state_topic_replication_factor",
        "state_topic_segment_bytes",
        "transactional_id_expiration_ms",
    )

    def __init__(self, values: Values) -> None:
        integer = values.integer
        self.producer_id_expiration_ms = integer("producer.id.expiration.ms")
        self.producer_id_expiration_check_interval_ms = integer("producer.id.expiration.check.interval.ms")
        self.partition_verification_enable = values.flag("transaction.partition.verification.enable")
        self.transactional_id_expiration_ms = integer("transactional.id.expiration.ms")
        self.max_timeout_ms = integer("transaction.max.timeout.ms")
        self.abort_timed_out_interval_ms = integer("transaction.abort.timed.out.transaction.cleanup.interval.ms")
        self.remove_expired_interval_ms = integer("transaction.remove.expired.transaction.cleanup.interval.ms")
        self.load_buffer_bytes = integer("transaction.state.log.load.buffer.size")
        self.state_topic_num_partitions = integer("transaction.state.log.num.partitions")
        self.state_topic_replication_factor = integer("transaction.state.log.replication.factor")
        self.state_topic_segment_bytes = integer("transaction.state.log.segment.bytes")
        self.state_topic_min_isr = integer("transaction.state.log.min.isr")


class Quotas:
    """The windows that quotas are measured over. The quotas themselves are in the metadata log."""

    __slots__ = ("controller_window_num", "controller_window_seconds", "window_num", "window_seconds")

    def __init__(self, values: Values) -> None:
        self.window_num = values.integer("quota.window.num")
        self.window_seconds = values.integer("quota.window.size.seconds")
        self.controller_window_num = values.integer("controller.quota.window.num")
        self.controller_window_seconds = values.integer("controller.quota.window.size.seconds")
