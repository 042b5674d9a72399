"""The settings a node reads, typed and grouped by who reads them. Built from `Values`; a changed dynamic config makes new sections.

A setting is here when the node reads it, and only then (docs/configuration.md is written from that). Times in ms, sizes in bytes unless named so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.configs.broker_rules import log_dirs, per_address_limits
from barnabas.core.configs.listeners import by_listener
from barnabas.core.quorum.settings import QuorumSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from barnabas.core.configs.values import Values


_LEAST_BACKLOG = 1024
_LARGE_SEND_BUFFER = 400 * 1024
RACK_AWARE_SELECTOR = "org.apache.kafka.common.replica.RackAwareReplicaSelector"


class Network:
    """Connections and the threads that serve them."""

    __slots__ = (
        "backlog",
        "connections_max_idle_ms",
        "first_setup_timeout_ms",
        "large_send_buffer_bytes",
        "listener_creation_rates",
        "listener_max_connections",
        "max_connection_creation_rate",
        "max_connections",
        "max_connections_per_ip",
        "max_connections_per_ip_overrides",
        "most_setup_timeout_ms",
        "queued_max_request_bytes",
        "quota_window_seconds",
        "quota_windows",
        "receive_buffer_bytes",
        "request_max_bytes",
        "send_buffer_bytes",
        "threads",
    )

    def __init__(self, values: Values, texts: Mapping[str, str]) -> None:
        """`texts` are all that is in force, of which those of single listeners count here. Raises ConfigError over them."""
        integer = values.integer
        self.threads = integer("num.network.threads")
        self.send_buffer_bytes = integer("socket.send.buffer.bytes")
        """-1: the system's."""
        self.large_send_buffer_bytes = 0 if "socket.send.buffer.bytes" in values.given else _LARGE_SEND_BUFFER
        """0, or without a word about it a larger one for connections with large replies: clients are woken less often, and wake the node less often."""
        self.receive_buffer_bytes = integer("socket.receive.buffer.bytes") if "socket.receive.buffer.bytes" in values.given else -1
        """-1: the system's, also without a word about it: it grows with what a client brings."""
        self.request_max_bytes = integer("socket.request.max.bytes")
        self.queued_max_request_bytes = integer("queued.max.request.bytes")
        """Negative: the node's own limit, a share of the machine's memory."""
        self.backlog = integer("socket.listen.backlog.size") if "socket.listen.backlog.size" in values.given else _LEAST_BACKLOG
        """Without a word about it more than Kafka's: who finds the queue full tries again after a second."""
        self.connections_max_idle_ms = integer("connections.max.idle.ms")
        """Negative: never closed."""
        self.first_setup_timeout_ms = integer("socket.connection.setup.timeout.ms")
        self.most_setup_timeout_ms = integer("socket.connection.setup.timeout.max.ms")
        self.max_connections = integer("max.connections")
        self.max_connection_creation_rate = integer("max.connection.creation.rate")
        self.listener_max_connections = by_listener(texts, "max.connections")
        self.listener_creation_rates = by_listener(texts, "max.connection.creation.rate")
        self.quota_window_seconds = integer("quota.window.size.seconds")
        self.quota_windows = integer("quota.window.num")
        self.max_connections_per_ip = integer("max.connections.per.ip")
        self.max_connections_per_ip_overrides = per_address_limits(values.text("max.connections.per.ip.overrides"))


class Quorum:
    """The metadata quorum, the metadata log, and what a broker and the active controller owe one another."""

    __slots__ = (
        "auto_leader_rebalance",
        "broker_heartbeat_interval_ms",
        "broker_session_timeout_ms",
        "controlled_shutdown",
        "controller_socket_timeout_ms",
        "leader_imbalance_check_interval_s",
        "max_bytes_between_snapshots",
        "max_idle_interval_ms",
        "max_retention_bytes",
        "max_retention_ms",
        "max_snapshot_interval_ms",
        "protocol",
        "registration_timeout_ms",
        "segment_bytes",
        "segment_ms",
        "snapshot_delete_delay_ms",
        "unclean_election_interval_ms",
    )

    def __init__(self, values: Values) -> None:
        integer = values.integer
        self.auto_leader_rebalance = values.flag("auto.leader.rebalance.enable")
        self.leader_imbalance_check_interval_s = integer("leader.imbalance.check.interval.seconds")
        self.unclean_election_interval_ms = integer("unclean.leader.election.interval.ms")
        self.broker_heartbeat_interval_ms = integer("broker.heartbeat.interval.ms")
        self.broker_session_timeout_ms = integer("broker.session.timeout.ms")
        self.registration_timeout_ms = integer("initial.broker.registration.timeout.ms")
        self.controller_socket_timeout_ms = integer("controller.socket.timeout.ms")
        self.controlled_shutdown = values.flag("controlled.shutdown.enable")
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
        self.protocol = QuorumSettings(
            election_timeout_ms=integer("controller.quorum.election.timeout.ms"),
            fetch_timeout_ms=integer("controller.quorum.fetch.timeout.ms"),
            election_backoff_max_ms=integer("controller.quorum.election.backoff.max.ms"),
            request_timeout_ms=integer("controller.quorum.request.timeout.ms"),
            retry_backoff_ms=integer("controller.quorum.retry.backoff.ms"),
            fetch_max_bytes=integer("controller.quorum.fetch.max.bytes"),
            fetch_snapshot_max_bytes=integer("controller.quorum.fetch.snapshot.max.bytes"),
            auto_join=values.flag("controller.quorum.auto.join.enable"),
            can_become_voter="controller" in values.items_of("process.roles"),
        )
        self.snapshot_delete_delay_ms = integer("internal.metadata.delete.delay.millis")


class Logs:
    """Directories and the work on logs that no single topic decides."""

    __slots__ = (
        "cordoned",
        "directories",
        "failure_timeout_ms",
        "flush_offset_checkpoint_interval_ms",
        "initial_task_delay_ms",
        "metadata_directory",
        "recovery_threads",
        "retention_check_interval_ms",
    )

    def __init__(self, values: Values) -> None:
        integer = values.integer
        self.directories = log_dirs(values)
        cordoned = values.items_of("cordoned.log.dirs")
        self.cordoned = frozenset(self.directories if "*" in cordoned else cordoned)
        """Of the directories those that get no new replicas."""
        self.metadata_directory = values.optional_text("metadata.log.dir") or self.directories[0]
        self.failure_timeout_ms = integer("log.dir.failure.timeout.ms")
        self.retention_check_interval_ms = integer("log.retention.check.interval.ms")
        self.flush_offset_checkpoint_interval_ms = integer("log.flush.offset.checkpoint.interval.ms")
        self.initial_task_delay_ms = integer("log.initial.task.delay.ms")
        self.recovery_threads = integer("num.recovery.threads.per.data.dir")


class Compaction:
    """Cleaners of compacted logs, all of them together."""

    __slots__ = ("backoff_ms", "dedupe_buffer_bytes", "enabled", "io_buffer_bytes", "load_factor", "max_bytes_per_second", "threads")

    def __init__(self, values: Values) -> None:
        integer = values.integer
        self.enabled = values.flag("log.cleaner.enable")
        self.threads = integer("log.cleaner.threads")
        self.backoff_ms = integer("log.cleaner.backoff.ms")
        self.dedupe_buffer_bytes = integer("log.cleaner.dedupe.buffer.size")
        self.load_factor = values.real("log.cleaner.io.buffer.load.factor")
        """How full the tables of keys may be, 0 to 1."""
        self.io_buffer_bytes = integer("log.cleaner.io.buffer.size")
        self.max_bytes_per_second = values.real("log.cleaner.io.max.bytes.per.second")


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
        "fetch_backoff_ms",
        "fetch_max_bytes",
        "fetch_min_bytes",
        "fetch_partition_max_bytes",
        "fetch_response_max_bytes",
        "fetch_session_slots",
        "fetch_wait_max_ms",
        "fetchers",
        "high_watermark_checkpoint_interval_ms",
        "is_rack_aware",
        "max_lag_ms",
        "max_partitions_per_request",
        "socket_receive_buffer_bytes",
        "socket_timeout_ms",
    )

    def __init__(self, values: Values) -> None:
        integer = values.integer
        self.fetch_max_bytes = integer("fetch.max.bytes")
        self.fetch_session_slots = integer("max.incremental.fetch.session.cache.slots")
        self.max_partitions_per_request = integer("max.request.partition.size.limit")
        self.is_rack_aware = values.optional_text("replica.selector.class") == RACK_AWARE_SELECTOR
        self.fetchers = integer("num.replica.fetchers")
        self.fetch_backoff_ms = integer("replica.fetch.backoff.ms")
        self.fetch_min_bytes = integer("replica.fetch.min.bytes")
        self.fetch_partition_max_bytes = integer("replica.fetch.max.bytes")
        self.fetch_response_max_bytes = integer("replica.fetch.response.max.bytes")
        self.fetch_wait_max_ms = integer("replica.fetch.wait.max.ms")
        self.socket_timeout_ms = integer("replica.socket.timeout.ms")
        key = "replica.socket.receive.buffer.bytes"
        self.socket_receive_buffer_bytes = integer(key) if key in values.given else -1
        """-1: the system's, also without a word about it: it grows with what is on its way."""
        self.max_lag_ms = integer("replica.lag.time.max.ms")
        self.high_watermark_checkpoint_interval_ms = integer("replica.high.watermark.checkpoint.interval.ms")


class Throttling:
    """How fast replicas may move. The rates exist as dynamic configs only, and are taken from `dynamic`."""

    __slots__ = ("copiers", "directory_rate", "directory_window_ms", "directory_windows", "follower_rate", "leader_rate", "window_ms", "windows")

    def __init__(self, values: Values, dynamic: Values) -> None:
        self.leader_rate = dynamic.integer("leader.replication.throttled.rate")
        self.follower_rate = dynamic.integer("follower.replication.throttled.rate")
        self.window_ms = values.integer("replication.quota.window.size.seconds") * 1000
        self.windows = values.integer("replication.quota.window.num")
        self.directory_rate = dynamic.integer("replica.alter.log.dirs.io.max.bytes.per.second")
        self.directory_window_ms = values.integer("alter.log.dirs.replication.quota.window.size.seconds") * 1000
        self.directory_windows = values.integer("alter.log.dirs.replication.quota.window.num")
        threads = values.optional_integer("num.replica.alter.log.dirs.threads")
        self.copiers = len(log_dirs(values)) if threads is None else threads


class Groups:
    """The group coordinators and their topic, `__consumer_offsets`. What a group may override is `core.configs.group_rules`."""

    __slots__ = (
        "initial_rebalance_delay_ms",
        "max_session_timeout_ms",
        "max_size",
        "min_session_timeout_ms",
        "offset_commit_timeout_ms",
        "offset_metadata_max_bytes",
        "offsets_retention_check_interval_ms",
        "offsets_retention_ms",
        "offsets_topic_codec",
        "offsets_topic_num_partitions",
        "offsets_topic_replication_factor",
        "offsets_topic_segment_bytes",
    )

    def __init__(self, values: Values) -> None:
        integer = values.integer
        self.initial_rebalance_delay_ms = integer("group.initial.rebalance.delay.ms")
        self.min_session_timeout_ms = integer("group.min.session.timeout.ms")
        self.max_session_timeout_ms = integer("group.max.session.timeout.ms")
        self.max_size = integer("group.max.size")
        self.offset_metadata_max_bytes = integer("offset.metadata.max.bytes")
        self.offset_commit_timeout_ms = integer("offsets.commit.timeout.ms")
        self.offsets_retention_ms = integer("offsets.retention.minutes") * 60_000
        self.offsets_retention_check_interval_ms = integer("offsets.retention.check.interval.ms")
        self.offsets_topic_codec = integer("offsets.topic.compression.codec")
        self.offsets_topic_num_partitions = integer("offsets.topic.num.partitions")
        self.offsets_topic_replication_factor = integer("offsets.topic.replication.factor")
        self.offsets_topic_segment_bytes = integer("offsets.topic.segment.bytes")


class Transactions:
    """Producer ids, the transaction coordinator and its topic, `__transaction_state`."""

    __slots__ = (
        "producer_id_expiration_check_interval_ms",
        "producer_id_expiration_ms",
    )

    def __init__(self, values: Values) -> None:
        integer = values.integer
        self.producer_id_expiration_ms = integer("producer.id.expiration.ms")
        self.producer_id_expiration_check_interval_ms = integer("producer.id.expiration.check.interval.ms")
