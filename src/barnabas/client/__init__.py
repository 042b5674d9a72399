"""An asyncio client of Kafka's public protocol.

`connection` is one socket, `cluster` the brokers behind a bootstrap address, `admin` what an administrator asks, `producer` and `consumer` records in and
out, `transactions` both as one, `share_consumer` records that members take in turns, `group` membership of a classic group, `consumer_group`, `share_group`
and `streams_group` of those that coordinators share out. Knows the protocol (`wire`) and nothing of nodes.
"""
