"""What the brokers' keys about tiered storage do (KIP-405)."""

from __future__ import annotations

from .texts import texts

REMOTE: dict[str, str] = texts("""
remote.fetch.max.wait.ms
    The most milliseconds that a fetch waits for remote storage.
remote.list.offsets.request.timeout.ms
    The most milliseconds that a search for an offset in remote storage may take.
remote.log.index.file.cache.total.size.bytes
    Bytes of local disk for indexes of remote segments.
remote.log.index.file.cache.ttl.ms
    Milliseconds after which the index of a remote segment that nobody reads leaves the local cache.
remote.log.manager.copier.thread.pool.size
    Threads that copy segments to remote storage.
remote.log.manager.copy.max.bytes.per.second
    Bytes a second that may be copied to remote storage.
remote.log.manager.copy.quota.window.num
    How many windows the rate of copies is measured over.
remote.log.manager.copy.quota.window.size.seconds
    The length in seconds of a window that the rate of copies is measured in.
remote.log.manager.expiration.thread.pool.size
    Threads that delete expired segments from remote storage.
remote.log.manager.fetch.max.bytes.per.second
    Bytes a second that may be read from remote storage.
remote.log.manager.fetch.quota.window.num
    How many windows the rate of remote reads is measured over.
remote.log.manager.fetch.quota.window.size.seconds
    The length in seconds of a window that the rate of remote reads is measured in.
remote.log.manager.follower.thread.pool.size
    Threads that follow, on followers, what leaders have copied.
remote.log.manager.task.interval.ms
    Milliseconds between looks for segments to copy and to delete.
remote.log.manager.task.retry.backoff.max.ms
    The most milliseconds before a failed task of tiered storage is tried again.
remote.log.manager.task.retry.backoff.ms
    Milliseconds before a failed task of tiered storage is tried again; each failure in a row doubles it.
remote.log.manager.task.retry.jitter
    The part of that wait, from 0 to 0.5, that is left to chance.
remote.log.manager.thread.pool.size
    Threads for tasks of tiered storage whose own pools aren't sized.
remote.log.metadata.custom.metadata.max.bytes
    The most bytes that a storage plug-in may note with a segment.
remote.log.metadata.manager.class.name
    The Java class that keeps track of remote segments.
remote.log.metadata.manager.class.path
    Where that class and what it needs are found.
remote.log.metadata.manager.impl.prefix
    Keys that begin so are handed to that class.
remote.log.metadata.manager.listener.name
    The broker's listener through which that class reaches the cluster.
remote.log.reader.max.pending.tasks
    How many reads of remote storage may wait for a thread before further ones fail.
remote.log.reader.threads
    Threads that read from remote storage.
remote.log.storage.manager.class.name
    The Java class that talks to the remote storage.
remote.log.storage.manager.class.path
    Where that class and what it needs are found.
remote.log.storage.manager.impl.prefix
    Keys that begin so are handed to that class.
remote.log.storage.system.enable
    Whether this broker has tiered storage at all; topics choose it with remote.storage.enable.
""")
