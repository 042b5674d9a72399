"""What a shard needs of the node's configuration, with Apache Kafka 4.3.1's defaults. Owns no parsing."""

from __future__ import annotations

MAXIMUM_INT32 = (1 << 31) - 1

# A member that joins for the first time can't send heartbeats yet; its parked JoinGroup is given up after this long.
NEW_MEMBER_JOIN_TIMEOUT_MS = 5 * 60 * 1000

# How long to wait before an expiry run whose write failed is tried again.
EXPIRY_RETRY_MS = 500


class GroupSettings:
    """Settings of a group coordinator; each is named after its key in server.properties, the unit last."""

    __slots__ = (
        "initial_rebalance_delay_ms",
        "max_batch_bytes",
        "max_session_timeout_ms",
        "max_size",
        "min_session_timeout_ms",
        "offset_metadata_max_length",
        "offsets_commit_timeout_ms",
        "offsets_retention_check_interval_ms",
        "offsets_retention_ms",
    )

    def __init__(
        self,
        *,
        initial_rebalance_delay_ms: int = 3000,  # group.initial.rebalance.delay.ms
        min_session_timeout_ms: int = 6000,  # group.min.session.timeout.ms
        max_session_timeout_ms: int = 1_800_000,  # group.max.session.timeout.ms
        max_size: int = MAXIMUM_INT32,  # group.max.size
        offsets_retention_ms: int = 7 * 24 * 3_600_000,  # offsets.retention.minutes
        offsets_retention_check_interval_ms: int = 600_000,  # offsets.retention.check.interval.ms
        offset_metadata_max_length: int = 4096,  # offset.metadata.max.bytes, which Apache counts in characters
        offsets_commit_timeout_ms: int = 5000,  # offsets.commit.timeout.ms
        max_batch_bytes: int = 1_048_588,  # max.message.bytes of __consumer_offsets
    ) -> None:
        self.initial_rebalance_delay_ms = initial_rebalance_delay_ms
        self.min_session_timeout_ms = min_session_timeout_ms
        self.max_session_timeout_ms = max_session_timeout_ms
        self.max_size = max_size
        self.offsets_retention_ms = offsets_retention_ms
        self.offsets_retention_check_interval_ms = offsets_retention_check_interval_ms
        self.offset_metadata_max_length = offset_metadata_max_length
        self.offsets_commit_timeout_ms = offsets_commit_timeout_ms
        self.max_batch_bytes = max_batch_bytes
