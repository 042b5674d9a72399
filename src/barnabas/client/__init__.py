"""An asyncio client of Kafka's public protocol.

`connection` is one socket, `cluster` the brokers behind a bootstrap address, `admin` what an administrator asks, `producer` and `consumer` records in and
out, `group` membership of a classic consumer group. Knows the protocol (`wire`) and nothing of nodes.
"""
