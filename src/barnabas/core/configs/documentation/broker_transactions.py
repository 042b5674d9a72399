"""What the brokers' keys about transactions and producer ids do."""

from __future__ import annotations

from .texts import texts

TRANSACTIONS: dict[str, str] = texts("""
add.partitions.to.txn.retry.backoff.max.ms
    The most milliseconds for which a broker asks again whether a partition belongs to an open transaction, before the producer must.
add.partitions.to.txn.retry.backoff.ms
    Milliseconds before a broker asks again whether a partition belongs to an open transaction.
producer.id.expiration.check.interval.ms
    Milliseconds between looks for idempotent producers that can be forgotten.
producer.id.expiration.ms
    Milliseconds after its last batch for which a partition remembers an idempotent producer and notices its duplicates. At least the time a producer may retry.
transaction.abort.timed.out.transaction.cleanup.interval.ms
    Milliseconds between looks for transactions that have run out of time and are aborted.
transaction.max.timeout.ms
    The longest transaction.timeout.ms, in milliseconds, that a producer may ask for. An open transaction holds up read_committed consumers that long.
transaction.partition.verification.enable
    Whether a broker asks the coordinator if a transaction is open before it takes the transaction's first batch. Off, a late batch can hang
    a partition's readers.
transaction.remove.expired.transaction.cleanup.interval.ms
    Milliseconds between looks for transactional ids that are past transactional.id.expiration.ms.
transaction.state.log.load.buffer.size
    Bytes read at a time when a coordinator loads its transactions; a larger batch is read anyway.
transaction.state.log.min.isr
    min.insync.replicas of the topic __transaction_state, counted when it is made.
transaction.state.log.num.partitions
    Partitions of the topic __transaction_state. Never change it once the topic is there: ids would find other coordinators.
transaction.state.log.replication.factor
    Replicas of the topic __transaction_state. It is not made before there are that many brokers, so a single node needs 1.
transaction.state.log.segment.bytes
    segment.bytes of the topic __transaction_state. Small ones are compacted and loaded sooner.
transaction.two.phase.commit.enable
    Whether producers may keep transactions open without a timeout, for a commit in two phases with another system.
transactional.id.expiration.ms
    Milliseconds without a transaction after which a transactional id is forgotten. Open transactions are never forgotten.
""")
