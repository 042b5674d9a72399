"""The same requests of the quorum to the controllers' listeners of Apache Kafka and of Barnabas: those that a leader refuses, and those that change nothing.

*Vote, BeginQuorumEpoch, EndQuorumEpoch, Fetch of the metadata log, FetchSnapshot, AddRaftVoter, RemoveRaftVoter, UpdateRaftVoter. Epochs and offsets are
shown as far as they say the same of two logs; the texts of errors aren't compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from barnabas.wire.messages.add_raft_voter import AddRaftVoterRequest
from barnabas.wire.messages.begin_quorum_epoch import BeginQuorumEpochRequest
from barnabas.wire.messages.describe_cluster import DescribeClusterRequest
from barnabas.wire.messages.describe_quorum import DescribeQuorumRequest
from barnabas.wire.messages.end_quorum_epoch import EndQuorumEpochRequest
from barnabas.wire.messages.fetch import FetchRequest
from barnabas.wire.messages.fetch_snapshot import FetchSnapshotRequest
from barnabas.wire.messages.remove_raft_voter import RemoveRaftVoterRequest
from barnabas.wire.messages.update_raft_voter import UpdateRaftVoterRequest
from barnabas.wire.messages.vote import VoteRequest
from tests.differential.transcript import DIFFERENCES, Client, Closed, Transcript, assert_same, module_scripts

if TYPE_CHECKING:
    from tests.nodes import Node

pytestmark = [pytest.mark.apache, pytest.mark.node]

METADATA = "__cluster_metadata"
TOPIC_ID = bytes(15) + b"\x01"
STRANGER = 9
DIRECTORY = bytes(range(16, 32))
NOWHERE = 1 << 40


class Quorum:
    """What requests must name to be believed."""

    def __init__(self, script: Transcript) -> None:
        self._script = script
        self._connect()
        data = DescribeQuorumRequest.TopicData
        asked = data(topic_name=METADATA, partitions=[data.PartitionData(partition_index=0)])
        found = script.client.call(DescribeQuorumRequest(topics=[asked]), 2).topics[0].partitions[0]
        self.epoch = found.leader_epoch
        self.leader = found.leader_id
        self.directory = found.current_voters[0].replica_directory_id
        self.cluster_id = script.client.call(DescribeClusterRequest(endpoint_type=2), 1).cluster_id

    def _connect(self) -> None:
        """To the controller."""
        self._script.client.close()
        listener = next(entry for entry in self._script.node.properties["listeners"].split(",") if entry.startswith("CONTROLLER://"))
        self._script.client = Client(int(listener.rsplit(":", 1)[1]))

    def call(self, request: Any, version: int, note: str, differs: str = "") -> None:
        """`differs`: as in Transcript.call."""
        try:
            reply = self._script.client.call(request, version)
        except Closed:
            self._connect()
            reply = "closed"
        if differs:
            assert differs in DIFFERENCES.read_text()
            return
        self._script.note(f"{type(request).__name__} {version} {note}", self._shown(self._script.normal("", reply)))

    def _shown(self, value: Any, field: str = "") -> Any:
        if isinstance(value, dict):
            return {key: self._shown(part, key) for key, part in value.items()}
        if field == "records" and value:
            return "some"
        if isinstance(value, list):
            return [self._shown(part, field) for part in value]
        if field == "leader_epoch" and isinstance(value, int) and value >= 0:
            return f"the epoch {value - self.epoch:+}"
        if field in ("error_message", "port") and value:
            return "some"
        if field in ("high_watermark", "log_start_offset", "end_offset", "last_stable_offset") and value > 0:
            return "an offset"
        return value


def votes(script: Transcript) -> None:
    """A leader grants none; a newer epoch isn't asked for, since that would make it resign."""
    quorum = Quorum(script)
    epoch = quorum.epoch
    data = VoteRequest.TopicData
    row = {
        "partition_index": 0,
        "replica_epoch": epoch,
        "replica_id": STRANGER,
        "replica_directory_id": DIRECTORY,
        "last_offset_epoch": 0,
        "last_offset": NOWHERE,
    }
    row["voter_directory_id"] = quorum.directory
    for version in range(3):
        for note, changed in (
            ("this epoch", {}),
            ("an older epoch", {"replica_epoch": epoch - 1}),
            ("its own", {"replica_id": quorum.leader, "replica_directory_id": quorum.directory}),
            ("a log of no epoch", {"last_offset_epoch": -1}),
            ("a log of a later epoch", {"last_offset_epoch": epoch + 1}),
            ("a log of this epoch", {"last_offset_epoch": epoch}),
            ("no offset", {"last_offset": -1}),
            ("another partition", {"partition_index": 1}),
            ("another directory", {"voter_directory_id": DIRECTORY}),
            *((("a pre-vote", {"pre_vote": True}), ("an older pre-vote", {"pre_vote": True, "replica_epoch": epoch - 1})) if version == 2 else ()),
        ):
            topic = data(topic_name=METADATA, partitions=[data.PartitionData(**(row | changed))])
            quorum.call(VoteRequest(cluster_id=quorum.cluster_id, voter_id=quorum.leader, topics=[topic]), version, note)
        good = data(topic_name=METADATA, partitions=[data.PartitionData(**row)])
        quorum.call(VoteRequest(voter_id=quorum.leader, topics=[good]), version, "no cluster")
        quorum.call(VoteRequest(cluster_id="another", voter_id=quorum.leader, topics=[good]), version, "another cluster")
        quorum.call(VoteRequest(cluster_id=quorum.cluster_id, voter_id=77, topics=[good]), version, "another voter")
        quorum.call(VoteRequest(cluster_id=quorum.cluster_id, voter_id=quorum.leader, topics=[]), version, "no topics")
        other = data(topic_name="other", partitions=[data.PartitionData(**row)])
        quorum.call(VoteRequest(cluster_id=quorum.cluster_id, voter_id=quorum.leader, topics=[other]), version, "another topic")
        quorum.call(VoteRequest(cluster_id=quorum.cluster_id, voter_id=quorum.leader, topics=[good, other]), version, "two topics")


def epochs_that_begin_and_end(script: Transcript) -> None:
    """(Another leader of the same epoch ends Apache Kafka's process, Q6.)"""
    quorum = Quorum(script)
    for kind, versions in ((BeginQuorumEpochRequest, 2), (EndQuorumEpochRequest, 2)):
        data = kind.TopicData
        own = {"voter_directory_id": quorum.directory} if kind is BeginQuorumEpochRequest else {}
        to = {"voter_id": quorum.leader} if kind is BeginQuorumEpochRequest else {}
        for version in range(versions):
            for note, changed in (
                ("an older epoch", {"leader_epoch": quorum.epoch - 1}),
                ("no leader", {"leader_id": -1}),
                ("another partition", {"partition_index": 1}),
            ):
                row = {"partition_index": 0, "leader_id": STRANGER, "leader_epoch": quorum.epoch, **own} | changed
                topic = data(topic_name=METADATA, partitions=[data.PartitionData(**row)])
                quorum.call(kind(cluster_id=quorum.cluster_id, topics=[topic], **to), version, note)
                quorum.call(kind(topics=[topic], **to), version, f"{note}, no cluster")
                quorum.call(kind(cluster_id="another", topics=[topic], **to), version, f"{note}, another cluster")
            old = {"partition_index": 0, "leader_id": STRANGER, "leader_epoch": quorum.epoch - 1, **own}
            other = data(topic_name="other", partitions=[data.PartitionData(**old)])
            quorum.call(kind(cluster_id=quorum.cluster_id, topics=[other], **to), version, "another topic")
            quorum.call(kind(cluster_id=quorum.cluster_id, topics=[], **to), version, "no topics")


def fetches(script: Transcript) -> None:
    """From the version on that names topics by id; Apache Kafka refuses version 12."""
    quorum = Quorum(script)
    epoch = quorum.epoch
    for version in range(13, 19):
        for note, changed in (
            ("the beginning", {}),
            ("an older epoch", {"current_leader_epoch": epoch - 1}),
            ("a newer epoch", {"current_leader_epoch": epoch + 1}),
            ("no epoch", {"current_leader_epoch": -1}),
            ("no last epoch", {"last_fetched_epoch": -1}),
            ("a last epoch to come", {"last_fetched_epoch": epoch + 1, "fetch_offset": 5}),
            ("a negative offset", {"fetch_offset": -1}),
            ("beyond the end", {"fetch_offset": NOWHERE, "last_fetched_epoch": epoch}),
            ("another partition", {"partition": 1}),
        ):
            row = {"partition": 0, "current_leader_epoch": epoch, "fetch_offset": 0, "last_fetched_epoch": 0, "partition_max_bytes": 1 << 20}
            for replica in (STRANGER, -1):
                quorum.call(_fetch(quorum, version, replica, row | changed), version, f"{note}, as {replica}")
        good = {"partition": 0, "current_leader_epoch": epoch, "fetch_offset": 0, "last_fetched_epoch": 0, "partition_max_bytes": 1 << 20}
        for note, request in (
            ("another cluster", _fetch(quorum, version, STRANGER, good, cluster_id="another")),
            ("no cluster", _fetch(quorum, version, STRANGER, good, cluster_id=None)),
            ("another topic", _fetch(quorum, version, STRANGER, good, topic="other")),
            ("no time", _fetch(quorum, version, STRANGER, good, max_wait_ms=-1)),
        ):
            quorum.call(request, version, note)


def _fetch(quorum: Quorum, version: int, replica: int, row: dict[str, Any], topic: str = METADATA, **changed: Any) -> FetchRequest:
    topic_id = TOPIC_ID if topic == METADATA else DIRECTORY
    named = FetchRequest.Topic(topic=topic, topic_id=topic_id, partitions=[FetchRequest.Topic.Partition(**row)])
    who: dict[str, Any] = (
        {"replica_id": replica} if version < 15 else {"replica_state": FetchRequest.ReplicaState(replica_id=replica, replica_epoch=-1)}
    )
    fields: dict[str, Any] = {"cluster_id": quorum.cluster_id, "max_wait_ms": 0, "min_bytes": 0, "topics": [named]}
    return FetchRequest(**(fields | who | changed))


def snapshots(script: Transcript) -> None:
    quorum = Quorum(script)
    data = FetchSnapshotRequest.TopicSnapshot
    for version in range(2):
        for note, changed, cluster_id, name in (
            ("absent", {}, quorum.cluster_id, METADATA),
            ("absent", {"position": -1}, quorum.cluster_id, METADATA),
            ("older epoch", {"current_leader_epoch": quorum.epoch - 1}, quorum.cluster_id, METADATA),
            ("newer epoch", {"current_leader_epoch": quorum.epoch + 1}, quorum.cluster_id, METADATA),
            ("another partition", {"partition": 1}, quorum.cluster_id, METADATA),
            ("another topic", {}, quorum.cluster_id, "other"),
            ("another cluster", {}, "another", METADATA),
            ("no cluster", {}, None, METADATA),
        ):
            wanted = data.PartitionSnapshot.SnapshotId(end_offset=NOWHERE, epoch=quorum.epoch)
            row = {"partition": 0, "current_leader_epoch": quorum.epoch, "snapshot_id": wanted, "position": 0} | changed
            topic = data(name=name, partitions=[data.PartitionSnapshot(**row)])
            differs = "" if cluster_id == "another" else "a FetchSnapshot that is refused for its partition"
            quorum.call(FetchSnapshotRequest(cluster_id=cluster_id, replica_id=STRANGER, topics=[topic]), version, note, differs)


def changes_of_voters(script: Transcript) -> None:
    quorum = Quorum(script)
    listeners = [AddRaftVoterRequest.Listener(name="CONTROLLER", host="localhost", port=1)]
    for note, cluster_id, voter, directory, where in (
        ("who is one", quorum.cluster_id, quorum.leader, quorum.directory, listeners),
        ("who is one, elsewhere", quorum.cluster_id, quorum.leader, DIRECTORY, listeners),
        ("another cluster", "another", STRANGER, DIRECTORY, listeners),
        ("no cluster", None, quorum.leader, quorum.directory, listeners),
        ("no id", quorum.cluster_id, -1, DIRECTORY, listeners),
        ("no directory", quorum.cluster_id, STRANGER, bytes(16), listeners),
        ("no listeners", quorum.cluster_id, STRANGER, DIRECTORY, []),
    ):
        for version in range(2):
            request = AddRaftVoterRequest(cluster_id=cluster_id, timeout_ms=2000, voter_id=voter, voter_directory_id=directory, listeners=where)
            quorum.call(request, version, note)
    for note, cluster_id, voter, directory in (
        ("nobody", quorum.cluster_id, STRANGER, DIRECTORY),
        ("the last one", quorum.cluster_id, quorum.leader, quorum.directory),
        ("another directory", quorum.cluster_id, quorum.leader, DIRECTORY),
        ("another cluster", "another", quorum.leader, quorum.directory),
        ("no cluster", None, STRANGER, DIRECTORY),
        ("no id", quorum.cluster_id, -1, DIRECTORY),
        ("no directory", quorum.cluster_id, STRANGER, bytes(16)),
    ):
        quorum.call(RemoveRaftVoterRequest(cluster_id=cluster_id, voter_id=voter, voter_directory_id=directory), 0, note)


def updates_of_voters(script: Transcript) -> None:
    quorum = Quorum(script)
    where = [UpdateRaftVoterRequest.Listener(name="CONTROLLER", host="localhost", port=1)]
    levels = UpdateRaftVoterRequest.KRaftVersionFeature
    for note, changed in (
        ("nobody", {}),
        ("older epoch", {"current_leader_epoch": quorum.epoch - 1}),
        ("newer epoch", {"current_leader_epoch": quorum.epoch + 1}),
        ("another cluster", {"cluster_id": "another"}),
        ("no id", {"voter_id": -1}),
        ("no directory", {"voter_directory_id": bytes(16)}),
        ("another directory", {"voter_id": quorum.leader}),
        ("no listeners", {"listeners": []}),
        ("no levels", {"k_raft_version_feature": levels(min_supported_version=-1, max_supported_version=-1)}),
    ):
        fields = {"cluster_id": quorum.cluster_id, "current_leader_epoch": quorum.epoch, "voter_id": STRANGER, "voter_directory_id": DIRECTORY}
        fields |= {"listeners": where, "k_raft_version_feature": levels(min_supported_version=0, max_supported_version=1)}
        quorum.call(UpdateRaftVoterRequest(**(fields | changed)), 0, note)


@pytest.mark.parametrize("script", module_scripts(__name__), ids=lambda script: script.__name__)
def test_same_replies(script: object, apache_node: Node, barnabas_node: Node) -> None:
    assert_same(script, apache_node, barnabas_node)  # type: ignore[arg-type]
