"""What the brokers' keys about quotas, metrics and telemetry do."""

from __future__ import annotations

from .texts import texts

QUOTAS: dict[str, str] = texts("""
alter.log.dirs.replication.quota.window.num
    How many windows the rate of moves between directories is measured over.
alter.log.dirs.replication.quota.window.size.seconds
    The length in seconds of a window that the rate of moves between directories is measured in.
client.quota.callback.class
    A Java class that decides clients' quotas.
controller.quota.window.num
    How many windows the rate of clients' changes to topics is measured over.
controller.quota.window.size.seconds
    The length in seconds of a window that the rate of clients' changes to topics is measured in.
kafka.metrics.polling.interval.secs
    Seconds between reports of the classes in kafka.metrics.reporters.
kafka.metrics.reporters
    Java classes that report the server's older kind of metrics.
metric.reporters
    Java classes that report metrics.
metrics.num.samples
    How many windows a metric's rate is computed over.
metrics.recording.level
    How much is measured: INFO, or more with DEBUG and TRACE.
metrics.sample.window.ms
    The length in milliseconds of a window that a metric's rate is computed in.
quota.window.num
    How many windows clients' use of their quotas is measured over. More smooth bursts.
quota.window.size.seconds
    The length in seconds of a window that clients' use of their quotas is measured in.
replication.quota.window.num
    How many windows the rate of throttled replication is measured over.
replication.quota.window.size.seconds
    The length in seconds of a window that the rate of throttled replication is measured in.
telemetry.max.bytes
    The largest package of metrics in bytes, after compression, that a client may push (KIP-714).
""")

DYNAMIC_ONLY: dict[str, str] = texts("""
follower.replication.throttled.rate
    Bytes a second that this broker fetches of replicas in follower.replication.throttled.replicas. Tools set it around a reassignment and take it away after.
leader.replication.throttled.rate
    Bytes a second that this broker serves of replicas in leader.replication.throttled.replicas. Tools set it around a reassignment and take it away after.
replica.alter.log.dirs.io.max.bytes.per.second
    Bytes a second that moves between this broker's directories may take.
""")
