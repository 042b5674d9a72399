"""Random partitions and wishes to Apache's PartitionChangeBuilder and to ours: the same record, or none (C45-C53, C56).

CASES=100000 says how many.
"""

from __future__ import annotations

import json
import os
import subprocess
from random import Random
from typing import Any

import pytest

from barnabas.core.controller.partition_change import PartitionChange
from barnabas.core.metadata.partition import Partition
from barnabas.core.metadata.record_versions import record_version
from barnabas.wire.logs.cluster_metadata import PartitionChangeRecord
from tests.apache import release

pytestmark = [pytest.mark.apache]

SOURCE = release.HERE / "java" / "ChangePartitions.java"
TOPIC_ID = (3).to_bytes(8, "big") + (4).to_bytes(8, "big")
CASES = int(os.environ.get("CASES", "5000"))


def directory(replica: int) -> bytes:
    return (1000 + replica).to_bytes(8, "big") + (7).to_bytes(8, "big")


def some(random: Random, items: list[int], least: int = 0) -> list[int]:
    return random.sample(items, random.randint(min(least, len(items)), len(items)))


def case(random: Random) -> dict[str, Any]:
    replicas = random.sample(range(6), random.randint(1, 4))
    adding = some(random, replicas) if random.random() < 0.3 else []
    removing = some(random, [each for each in replicas if each not in adding]) if random.random() < 0.3 else []
    elr_enabled = random.random() < 0.7
    isr = some(random, replicas, 0 if elr_enabled else 1)
    elr = some(random, [each for each in replicas if each not in isr]) if elr_enabled and random.random() < 0.5 else []
    leader = random.choice(isr) if isr and random.random() < 0.8 else -1
    last_known = [random.choice(replicas)] if leader < 0 and elr_enabled and random.random() < 0.7 else []
    partition = {
        "replicas": replicas, "isr": isr, "removing": removing, "adding": adding, "elr": elr, "lastKnownElr": last_known, "leader": leader,
        "recovery": random.randint(0, 1) if random.random() < 0.3 else 0,
    }  # fmt: skip
    wish = {
        "isr": isr, "replicas": replicas, "removing": removing, "adding": adding, "recovery": partition["recovery"], "unclean": -1,
        "acceptable": some(random, list(range(6))), "election": random.choice(["PREFERRED", "ONLINE", "UNCLEAN"]), "elrEnabled": elr_enabled,
        "level": random.choice([23, 30] if elr_enabled else [7, 11, 12, 17, 23, 30]), "minIsr": random.randint(1, 3), "partition": partition,
    }  # fmt: skip
    what = random.randrange(5)
    if what == 0:
        wish["isr"] = some(random, replicas)
    elif what == 1:
        wish["unclean"] = random.choice(replicas)
        wish["isr"] = [each for each in isr if each != wish["unclean"]]
    elif what == 2:
        target = random.sample(range(6), random.randint(1, 4))
        wish["removing"] = sorted(set(replicas) - set(target))
        wish["adding"] = sorted(set(target) - set(replicas))
        wish["replicas"] = [*target, *wish["removing"]]
    elif what == 3:
        wish["recovery"] = 0
    return wish


def ours(given: dict[str, Any]) -> PartitionChangeRecord | None:
    was = given["partition"]
    partition = Partition(
        leader=was["leader"],
        leader_epoch=5,
        isr=tuple(was["isr"]),
        replicas=tuple(was["replicas"]),
        partition_epoch=9,
        directories=tuple(directory(replica) for replica in was["replicas"]),
        removing_replicas=tuple(was["removing"]),
        adding_replicas=tuple(was["adding"]),
        elr=tuple(was["elr"]),
        last_known_elr=tuple(was["lastKnownElr"]),
        leader_recovery_state=was["recovery"],
    )
    change = PartitionChange(
        partition,
        acceptable=set(given["acceptable"]).__contains__,
        default_directory=directory,
        min_isr=given["minIsr"],
        elr_enabled=given["elrEnabled"],
        level=given["level"],
    )
    change.election = given["election"].lower()
    change.isr, change.replicas, change.removing, change.adding = given["isr"], given["replicas"], given["removing"], given["adding"]
    change.recovery_state = given["recovery"]
    change.unclean_shutdown = given["unclean"] if given["unclean"] >= 0 else None
    return change.build(TOPIC_ID, 0)


def as_json(record: PartitionChangeRecord, level: int) -> dict[str, Any]:
    """As the release's own converter shows it: what differs from the defaults, and only what the version has."""
    version = record_version(record, level)
    shown = PartitionChangeRecord.decode(record.encode(version), version)
    lists = {
        "isr": shown.isr, "replicas": shown.replicas, "removingReplicas": shown.removing_replicas, "addingReplicas": shown.adding_replicas,
        "eligibleLeaderReplicas": shown.eligible_leader_replicas, "lastKnownElr": shown.last_known_elr,
        "directories": None if shown.directories is None else len(shown.directories),
    }  # fmt: skip
    result = {name: value for name, value in lists.items() if value is not None}
    if shown.leader != -2:
        result["leader"] = shown.leader
    if shown.leader_recovery_state != -1:
        result["leaderRecoveryState"] = shown.leader_recovery_state
    return result


def test_same_record() -> None:
    random = Random(20_260_731)
    cases = [case(random) for _ in range(CASES)]
    done = subprocess.run(
        release.java_command(str(SOURCE)), input="".join(json.dumps(each) + "\n" for each in cases), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    theirs = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(theirs) == len(cases)
    for given, their_record in zip(cases, theirs, strict=True):
        assert not isinstance(their_record, str), (their_record, given)
        record = ours(given)
        if their_record is None or record is None:
            assert their_record is None and record is None, given
            continue
        for name in ("partitionId", "topicId"):
            their_record.pop(name, None)
        if "directories" in their_record:
            their_record["directories"] = len(their_record["directories"])
        assert as_json(record, given["level"]) == their_record, given
