"""What the brokers' keys about connections and threads do."""

from __future__ import annotations

from .texts import texts

NETWORK: dict[str, str] = texts("""
advertised.listeners
    The addresses that clients and other nodes are told to connect to, as NAME://host:port. Set it when they can't reach the node under the address it binds:
    behind NAT, in a container, or when it binds all interfaces.
background.threads
    Threads for chores such as deleting files.
config.providers
    Names of the providers that fill in ${provider:path:key} in values of this file, each with config.providers.NAME.class. Keeps passwords out of the file.
connection.failed.authentication.delay.ms
    Milliseconds for which a connection whose login failed stays open, so that passwords can't be tried quickly. Less than connections.max.idle.ms.
connections.max.idle.ms
    Milliseconds after which a connection that nothing happens on is closed; negative keeps them all. Lower it where clients come and go without closing.
controller.socket.timeout.ms
    Milliseconds that a broker's request to the controller may take.
fetch.max.bytes
    The most bytes that one fetch is answered with, whatever the client asks for; a single larger batch is still sent so that readers get on.
inter.broker.listener.name
    The listener through which brokers talk to each other. By default the first whose protocol is security.inter.broker.protocol; set only one of the two.
listener.security.protocol.map
    Which protocol each listener name speaks, as NAME:PROTOCOL pairs with PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL. Needed when listeners
    have names of their own. While the node runs entries can come and go, but not change for a listener that is there.
listeners
    Where the node listens, as NAME://host:port with commas between. 0.0.0.0 or no host binds all interfaces, and advertised.listeners must
    name a real one then. While the node runs listeners can come and go, by name and one broker at a time; those of advertised.listeners stay, what other
    nodes are told stays as it was at the start, and another address for one that is there waits for the next start.
max.connection.creation.rate
    How many connections a second the broker accepts, all listeners together; the rest wait. listener.name.NAME. in front sets it for one listener.
max.connections
    How many connections the broker keeps at once, all listeners together; further ones wait to be accepted. listener.name.NAME. in front
    sets it for one listener.
max.connections.per.ip
    How many connections the broker keeps from one address; further ones are closed. 0 only together with max.connections.per.ip.overrides.
max.connections.per.ip.overrides
    Addresses or host names with limits of their own, as host:count with commas between, instead of max.connections.per.ip.
max.incremental.fetch.session.cache.slots
    How many incremental fetch sessions are remembered. Consumers and followers without one send all their partitions in each fetch; raise
    it when there are more of them.
max.request.partition.size.limit
    How many partitions one DescribeTopicPartitions request is answered with at most; the client asks for the rest.
num.io.threads
    Threads that work on requests, including the waits for disks. Raise it when requests queue while the processor idles.
num.network.threads
    Threads that read requests from connections and write the answers. Raise it when they are busy all the time; a running broker takes up
    to twice or down to half at once.
queued.max.request.bytes
    Bytes of requests that may wait before no more is read from connections; negative sets no limit. At least socket.request.max.bytes.
queued.max.requests
    Requests that may wait for a request thread before the network threads stop reading.
request.timeout.ms
    Milliseconds for which this node waits for the answer to a request of its own.
security.inter.broker.protocol
    The protocol between brokers, where inter.broker.listener.name doesn't name a listener; set only one of the two.
socket.connection.setup.timeout.max.ms
    The most milliseconds that setting up a connection to another node may take, after repeated failures have raised the limit.
socket.connection.setup.timeout.ms
    Milliseconds that setting up a connection to another node may take; each failure in a row doubles it.
socket.listen.backlog.size
    How many connections may wait in the system's queue before they are accepted. Raise it, and the system's own limit, where thousands connect in one moment.
socket.receive.buffer.bytes
    The size in bytes of a connection's receive buffer in the system; -1 leaves it to the system. Raise it on fast networks over long distances.
socket.request.max.bytes
    The largest request in bytes; a connection that announces a larger one is closed. Guards the node's memory.
socket.send.buffer.bytes
    The size in bytes of a connection's send buffer in the system; -1 leaves it to the system. Raise it on fast networks over long distances.
""")
