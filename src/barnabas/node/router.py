"""From a frame to its handler: which APIs this node serves, in which versions, on which listener.

Owns the table SERVED, which ApiVersions shows: what isn't in it doesn't exist for clients. Handlers and messages are imported at their first request.
Unknown keys, unsupported versions and undecodable bodies end the connection without an answer (W9); ApiVersions alone answers a version it doesn't know (W4).
"""

from __future__ import annotations

from importlib import import_module
from struct import Struct
from typing import TYPE_CHECKING, Any

from barnabas.node.call import Call
from barnabas.node.connection import GROUPS
from barnabas.wire.apis import API_VERSIONS, APIS, BROKER, CONTROLLER, FETCH, Api
from barnabas.wire.framing import encode_response, read_request_header
from barnabas.wire.types import DecodeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.node.connection import Connection
    from barnabas.wire.schema import Message

_KEY_AND_VERSION = Struct(">hh")

SERVED = frozenset(
    {
        "AddRaftVoter",
        "AllocateProducerIds",
        "AlterConfigs",
        "AlterPartition",
        "AlterPartitionReassignments",
        "AlterReplicaLogDirs",
        "AlterUserScramCredentials",
        "ApiVersions",
        "AssignReplicasToDirs",
        "BeginQuorumEpoch",
        "BrokerHeartbeat",
        "BrokerRegistration",
        "ControllerRegistration",
        "CreateAcls",
        "CreatePartitions",
        "CreateTopics",
        "DeleteAcls",
        "DeleteGroups",
        "DeleteRecords",
        "DeleteTopics",
        "DescribeAcls",
        "DescribeCluster",
        "DescribeConfigs",
        "DescribeGroups",
        "DescribeLogDirs",
        "DescribeProducers",
        "DescribeQuorum",
        "DescribeTopicPartitions",
        "DescribeUserScramCredentials",
        "ElectLeaders",
        "EndQuorumEpoch",
        "Envelope",
        "Fetch",
        "FetchSnapshot",
        "FindCoordinator",
        "Heartbeat",
        "IncrementalAlterConfigs",
        "InitProducerId",
        "JoinGroup",
        "LeaveGroup",
        "ListConfigResources",
        "ListGroups",
        "ListOffsets",
        "ListPartitionReassignments",
        "Metadata",
        "OffsetCommit",
        "OffsetDelete",
        "OffsetFetch",
        "OffsetForLeaderEpoch",
        "Produce",
        "RemoveRaftVoter",
        "SaslAuthenticate",
        "SaslHandshake",
        "SyncGroup",
        "UnregisterBroker",
        "UpdateFeatures",
        "UpdateRaftVoter",
        "Vote",
    }
)
"""Names of the APIs that are served, on those listeners that Apache Kafka serves them on."""

_FETCH_OF_QUORUM = "barnabas.node.quorum_service"  # a Fetch on a controllers' listener is for the metadata log

FORWARDABLE = frozenset(
    {
        "AddRaftVoter",
        "AllocateProducerIds",
        "AlterClientQuotas",
        "AlterConfigs",
        "AlterPartitionReassignments",
        "AlterUserScramCredentials",
        "CreateAcls",
        "CreateDelegationToken",
        "CreatePartitions",
        "CreateTopics",
        "DeleteAcls",
        "DeleteTopics",
        "DescribeQuorum",
        "ElectLeaders",
        "ExpireDelegationToken",
        "IncrementalAlterConfigs",
        "ListPartitionReassignments",
        "RemoveRaftVoter",
        "RenewDelegationToken",
        "UnregisterBroker",
        "UpdateFeatures",
    }
)
"""What the active controller answers and brokers forward to it, whole (C68). Of changes of configs a broker does its part first: their handlers forward."""

_SEEN_FIRST = {"AlterConfigs", "IncrementalAlterConfigs"}

_OF_MEMBERS = {"Heartbeat", "JoinGroup", "LeaveGroup", "OffsetCommit", "OffsetFetch", "SyncGroup"}
"""What consumers ask the coordinator of their group, by a connection that most of them have for nothing else."""


class Entry:
    """One served API."""

    __slots__ = ("api", "handle", "is_forwarded", "is_of_group", "request")

    def __init__(self, api: Api, listener: int) -> None:
        self.api = api
        self.request: type[Message] = api.request()
        self.handle = handler_of(api, listener)
        self.is_forwarded = listener == BROKER and api.name in FORWARDABLE - _SEEN_FIRST
        self.is_of_group = api.name in _OF_MEMBERS


def served_apis(listener: int) -> list[Api]:
    """The served APIs of a kind of listener (BROKER or CONTROLLER), keys ascending."""
    return [api for api in sorted(APIS.values()) if api.name in SERVED and api.listeners & listener]


def handler_of(api: Api, listener: int = CONTROLLER) -> Callable[[Any, Call], Any]:
    """What serves an API: it returns a Message or an EncodedResponse, or None, and the answer comes by the Call."""
    module = _FETCH_OF_QUORUM if api.key == FETCH and listener == CONTROLLER else f"barnabas.node.handlers.{api.stem}"
    handle: Callable[[Any, Call], Any] = import_module(module).handle
    return handle


class Router:
    def __init__(self) -> None:
        self._known = {listener: {api.key: api for api in served_apis(listener)} for listener in (BROKER, CONTROLLER)}
        self._entries: dict[int, dict[int, Entry]] = {BROKER: {}, CONTROLLER: {}}

    def dispatch(self, connection: Connection, frame: memoryview) -> None:
        """Serve one request: its reply goes to `connection.out` now, or later (the connection is muted meanwhile)."""
        key, version = _KEY_AND_VERSION.unpack_from(frame)
        listener = CONTROLLER if connection.listener.is_controller else BROKER
        api = self._known[listener].get(key)
        if api is None or not api.first <= version <= api.last:
            if key == API_VERSIONS:
                self._answer_unknown_version(connection, frame)
            else:
                connection.refuse()
            return
        entry = self._entries[listener].get(key) or self._load(api, listener)
        try:
            header = read_request_header(frame, version >= api.flexible_since)
            request = entry.request.decode_from(frame, version, header.body)[0]
        except DecodeError as error:
            connection.node.log_debug(f"closing {connection.peer}: {error}")
            connection.refuse()
            return
        call = Call(connection, api, version, header.correlation_id, header.client_id)
        connection.muted = True
        if entry.is_of_group:
            connection.kind = connection.kind or GROUPS
        try:
            if entry.is_forwarded:
                connection.node.forwarding.ask(call, request, call.reply)
                return
            response = entry.handle(request, call)
            if response is not None:
                connection.out.append(encode_response(api, version, header.correlation_id, response))
                connection.muted = False
        except Exception as error:  # a bug of ours costs its client the connection, nobody else anything
            connection.node.on_network_error(error)
            connection.close()

    def _load(self, api: Api, listener: int) -> Entry:
        entry = self._entries[listener][api.key] = Entry(api, listener)
        return entry

    def _answer_unknown_version(self, connection: Connection, frame: memoryview) -> None:
        from barnabas.node.handlers.api_versions import unsupported_version

        try:
            header = read_request_header(frame, flexible=False)
        except DecodeError:
            connection.close()
            return
        connection.out.append(encode_response(APIS[API_VERSIONS], 0, header.correlation_id, unsupported_version()))
