"""A stage for plays about groups: one shard, a log in memory, a clock, and actors who are clients.

A play is a text. A line at the margin is what happens; the indented lines after it are all that comes of it: answers and records.
`tests/scenarios/groups/test_plays.py` runs each play and compares; with BARNABAS_REWRITE_PLAYS=1 it writes down what has come instead.

    ann joins g                     an actor sends a request; `key=value` changes its usual fields
    ann syncs g ann=A bob=B         assignments by name; the actor's member id and generation are remembered from its answers
    time +3000                      the clock moves on, deadlines run
    log refuses NOT_ENOUGH_REPLICAS the next append fails
    log holds / log commits         appended records stay uncommitted / commit
    turn                            the host has no more work at hand: the batch is written (done after each line, unless `... together`)
    restart                         a fresh shard loads the log
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from barnabas.core.groups.context import Caller
from barnabas.core.groups.records import GroupRecord, OffsetRecord, UnknownRecordType, decode_record
from barnabas.core.groups.settings import GroupSettings
from barnabas.core.groups.shard import GroupShard
from barnabas.core.groups.writes import AppendFailed
from barnabas.wire.errors import Error
from barnabas.wire.messages.consumer_protocol import ConsumerProtocolSubscription
from barnabas.wire.messages.heartbeat import HeartbeatRequest
from barnabas.wire.messages.join_group import JoinGroupRequest
from barnabas.wire.messages.leave_group import LeaveGroupRequest
from barnabas.wire.messages.offset_commit import OffsetCommitRequest
from barnabas.wire.messages.offset_delete import OffsetDeleteRequest
from barnabas.wire.messages.offset_fetch import OffsetFetchRequest
from barnabas.wire.messages.sync_group import SyncGroupRequest
from barnabas.wire.records.builder import build_batch
from barnabas.wire.records.record import Record, decode_records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from barnabas.core.groups.writes import LogRecord

START_MS = 1_000_000


class MemoryLog:
    """What a shard appends to: batches as they would stand on disk."""

    def __init__(self) -> None:
        self.batches: list[bytes] = []
        self.end_offset = 0
        self.high_watermark = 0
        self.holds = False
        self.refusal: Error | None = None
        self.new: list[tuple[bytes, bytes | None]] = []

    def append(self, records: Sequence[LogRecord]) -> int:
        if self.refusal is not None:
            error, self.refusal = self.refusal, None
            raise AppendFailed(error)
        rows = [Record(timestamp=timestamp, key=key, value=value) for timestamp, key, value in records]
        self.put(build_batch(rows, base_offset=self.end_offset, base_sequence=0), len(rows))
        self.new += [(key, value) for _, key, value in records]
        return self.end_offset

    def put(self, batch: bytes, count: int) -> None:
        self.batches.append(batch)
        self.end_offset += count
        if not self.holds:
            self.high_watermark = self.end_offset

    def committed_offset(self) -> int:
        return self.high_watermark

    def records(self) -> list[tuple[bytes | None, bytes | None]]:
        return [(record.key, record.value) for batch in self.batches for record in decode_records(batch)]


class Actor:
    """A client: what it remembers between requests."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.member_id = ""
        self.generation_id = -1
        self.instance_id: str | None = None


class Stage:
    """Runs the lines of a play."""

    session_ms = 10_000

    def __init__(self, **settings: Any) -> None:
        self.settings = GroupSettings(**settings)
        self.now_ms = START_MS
        self.log = MemoryLog()
        self.actors: dict[str, Actor] = {}
        self.count = 0
        self.shard = self._new_shard()
        self.asked: list[str] = []
        self.together = False

    def _new_shard(self) -> GroupShard:
        shard = GroupShard(self.settings, self.log, self._new_id)
        for batch in self.log.batches:
            for warning in shard.load_batch(batch, self.now_ms):
                self.told.append(warning)
        shard.loaded(self.log.end_offset, self.log.high_watermark, self.now_ms)
        return shard

    told: list[str] = []

    def _new_id(self) -> str:
        self.count += 1
        return str(self.count)

    def run(self, line: str) -> list[str]:
        """One line; what comes of it."""
        self.told = []
        words = line.split()
        if words[0] == "time":
            self._pass_time(int(words[1]))
        elif words[0] == "log":
            self._log(words[1], words[2:])
        elif words[0] == "restart":
            self.shard = self._new_shard()
        elif words[0] == "resign":
            self.shard.unload()
        elif words[0] == "forget":
            self.shard.forget_topic(words[1], topic_id(words[1]), self.now_ms)
        elif words[0] in ("together", "turn"):
            self.together = words[0] == "together"
        elif words[0] == "describe":
            self._describe(words[1:])
        elif words[0] == "list":
            self._list(words[1:])
        elif words[0] == "delete":
            self.shard.delete_groups(words[1:], ("delete", words[1:]), self.now_ms)
        else:
            actor = self.actors.setdefault(words[0], Actor(words[0]))
            getattr(self, f"_{words[1]}")(actor, words[2], dict(word.partition("=")[::2] for word in words[3:]))
        self._turn()
        return self.told

    def _turn(self) -> None:
        if not self.together:
            self.shard.flush()
            if (at := self.shard.next_deadline_ms()) is not None and at <= self.now_ms:
                self.shard.tick(self.now_ms)
        self._deliver()
        if self.shard.has_unwritten and not self.together:
            self._turn()

    def _deliver(self) -> None:
        for key, value in self.log.new:
            self.told.append(f"log: {describe_record(key, value)}")
        self.log.new = []
        for token, response in self.shard.take_replies():
            who, what = token  # type: ignore[misc]
            self.told.append(f"{who.name if isinstance(who, Actor) else who}: {self._describe_reply(who, what, response)}")

    def _pass_time(self, ms: int) -> None:
        until = self.now_ms + ms
        while (at := self.shard.next_deadline_ms()) is not None and at <= until:
            self.now_ms = max(self.now_ms, at)
            self.shard.tick(self.now_ms)
            self._turn()
        self.now_ms = until

    def _log(self, verb: str, rest: list[str]) -> None:
        if verb == "refuses":
            self.log.refusal = Error[rest[0]]
        elif verb == "holds":
            self.log.holds = True
        else:
            self.log.holds = False
            self.log.high_watermark = self.log.end_offset
            self.shard.committed(self.log.end_offset, self.now_ms)

    # Requests

    def _joins(self, actor: Actor, group: str, options: dict[str, str]) -> None:
        actor.instance_id = options.get("instance", actor.instance_id)
        actor.member_id = options.get("id", actor.member_id)
        protocols = options.get("protocols", "range:t").split(",")
        version = int(options.get("version", "9"))
        request = JoinGroupRequest(
            group_id=options.get("group", group),
            session_timeout_ms=int(options.get("session", self.session_ms)),
            rebalance_timeout_ms=int(options.get("rebalance", "60000")),
            member_id=actor.member_id,
            group_instance_id=actor.instance_id,
            protocol_type=options.get("type", "consumer"),
            protocols=[JoinGroupRequest.Protocol(name=p.partition(":")[0], metadata=subscription(p.partition(":")[2])) for p in protocols if p],
        )
        self.shard.join_group(request, Caller(actor.name, "/127.0.0.1", version), (actor, "join"), self.now_ms)

    def _syncs(self, actor: Actor, group: str, options: dict[str, str]) -> None:
        by_name = {name: other.member_id for name, other in self.actors.items()}
        protocol = options.pop("protocol", None)
        generation_id = int(options.pop("generation", actor.generation_id))
        request = SyncGroupRequest(
            group_id=group,
            generation_id=generation_id,
            member_id=options.pop("id", actor.member_id),
            group_instance_id=actor.instance_id,
            protocol_name=protocol,
            assignments=[SyncGroupRequest.Assignment(member_id=by_name.get(name, name), assignment=what.encode()) for name, what in options.items()],
        )
        self.shard.sync_group(request, (actor, "sync"), self.now_ms)

    def _beats(self, actor: Actor, group: str, options: dict[str, str]) -> None:
        generation_id = int(options.get("generation", actor.generation_id))
        member_id = options.get("id", actor.member_id)
        request = HeartbeatRequest(group_id=group, generation_id=generation_id, member_id=member_id, group_instance_id=actor.instance_id)
        self.shard.heartbeat(request, (actor, "beat"), self.now_ms)

    def _leaves(self, actor: Actor, group: str, options: dict[str, str]) -> None:
        """Itself, or `who=bob,cat`, or by instance: `instances=i`."""
        make = LeaveGroupRequest.MemberIdentity
        members = [make(member_id=actor.member_id, group_instance_id=actor.instance_id)]
        if "who" in options:
            members = [make(member_id=self.actors[name].member_id if name in self.actors else name) for name in options["who"].split(",")]
        if "instances" in options:
            members = [make(member_id="", group_instance_id=name) for name in options["instances"].split(",")]
        self.shard.leave_group(LeaveGroupRequest(group_id=group, members=members), (actor, "leave"), self.now_ms)

    def _commits(self, actor: Actor, group: str, options: dict[str, str]) -> None:
        """`t-0=5` commits 5; `alone` as a consumer without a group."""
        alone = "alone" in options
        version = int(options.pop("version", "9"))
        retention_ms = int(options.pop("retention", "-1"))
        metadata = options.pop("metadata", "")
        metadata = "x" * int(metadata[1:]) if metadata.startswith("*") else metadata
        generation_id = -1 if alone else int(options.pop("generation", actor.generation_id))
        make = OffsetCommitRequest.Topic
        topics = []
        for place, offset in options.items():
            topic, dash, partition = place.rpartition("-")
            if dash:
                row = make.Partition(partition_index=int(partition), committed_offset=int(offset), committed_metadata=metadata)
                topics.append(make(name=topic, topic_id=topic_id(topic), partitions=[row]))
        request = OffsetCommitRequest(
            group_id=group,
            generation_id_or_member_epoch=generation_id,
            member_id="" if alone else actor.member_id,
            group_instance_id=None if alone else actor.instance_id,
            retention_time_ms=retention_ms,
            topics=topics,
        )
        self.shard.commit_offsets(request, version, (actor, "commit"), self.now_ms)

    def _fetches(self, actor: Actor, group: str, options: dict[str, str]) -> None:
        make = OffsetFetchRequest.Group
        stable = "stable" in options
        topics = [
            make.Topics(name=place.rpartition("-")[0], topic_id=topic_id(place.rpartition("-")[0]), partition_indexes=[int(place.rpartition("-")[2])])
            for place in options
            if "-" in place
        ]
        request = make(group_id=group, topics=None if "all" in options else topics)
        self.shard.fetch_offsets(request, stable, 9, (actor, "fetch"), self.now_ms)

    def _forgets(self, actor: Actor, group: str, options: dict[str, str]) -> None:
        make = OffsetDeleteRequest.Topic
        topics = [make(name=p.rpartition("-")[0], partitions=[make.Partition(partition_index=int(p.rpartition("-")[2]))]) for p in options]
        self.shard.delete_offsets(OffsetDeleteRequest(group_id=group, topics=topics), (actor, "forget"), self.now_ms)

    def _describe(self, words: list[str]) -> None:
        version = 6
        for group in self.shard.describe_groups(words, version):
            members = " ".join(f"{m.member_id}={m.member_assignment.decode()}" for m in group.members)
            row = [group.group_id, group.group_state, group.protocol_type, group.protocol_data, members, error_name(group.error_code)]
            self.told.append(" ".join(word for word in row if word))

    def _list(self, words: list[str]) -> None:
        options = dict(word.partition("=")[::2] for word in words)
        states, types = (options.get(name, "").split(",") if name in options else [] for name in ("states", "types"))
        for group in self.shard.list_groups(states, types):
            self.told.append(f"{group.group_id} {group.group_type} {group.group_state} {group.protocol_type}".rstrip())

    # Answers

    def _describe_reply(self, who: Any, what: str, response: Any) -> str:
        if what == "join":
            return self._joined(who, response)
        if what == "sync":
            return (
                f"{error_name(response.error_code)}{response.assignment.decode() or 'nothing'}"
                if not response.error_code
                else error_name(response.error_code)
            )
        if what == "leave":
            each = [f"{member.member_id or member.group_instance_id} {error_name(member.error_code) or 'gone'}" for member in response.members]
            return ", ".join(each) or error_name(response.error_code)
        if what == "commit":
            return ", ".join(f"{t.name}-{p.partition_index} {error_name(p.error_code) or 'committed'}" for t in response.topics for p in t.partitions)
        if what == "fetch":
            rows = [f"{t.name}-{p.partition_index} {error_name(p.error_code) or p.committed_offset}" for t in response.topics for p in t.partitions]
            return ", ".join(rows) or error_name(response.error_code) or "no offsets"
        if what == "forget":
            rows = [f"{t.name}-{p.partition_index} {error_name(p.error_code) or 'forgotten'}" for t in response.topics for p in t.partitions]
            return ", ".join(rows) or error_name(response.error_code)
        if who == "delete":
            return ", ".join(f"{result.group_id} {error_name(result.error_code) or 'deleted'}" for result in response.results)
        return error_name(response.error_code) or "alive"

    def _joined(self, actor: Actor, response: Any) -> str:
        if response.error_code:
            if response.member_id:
                actor.member_id = response.member_id
            elif response.error_code == Error.UNKNOWN_MEMBER_ID:
                actor.member_id = ""
            return f"{error_name(response.error_code)} {response.member_id}".rstrip()
        actor.member_id = response.member_id
        actor.generation_id = response.generation_id
        role = "leads " + " ".join(member.member_id for member in response.members) if response.members else f"follows {response.leader}"
        skip = ", keeps the assignment" if response.skip_assignment else ""
        return f"{response.member_id} in generation {response.generation_id} ({response.protocol_name}), {role}{skip}"


def subscription(topics: str) -> bytes:
    """A consumer's subscription to `a+b`, or raw bytes after an equals sign."""
    if topics.startswith("="):
        return topics[1:].encode()
    names = [name for name in topics.split("+") if name]
    return b"\x00\x00" + ConsumerProtocolSubscription(topics=names, user_data=None).encode(0)


def topic_id(name: str) -> bytes:
    return name.encode().ljust(16, b"\x01")[:16]


def error_name(code: int) -> str:
    return "" if code == 0 else Error(code).name


def describe_record(key: bytes | None, value: bytes | None) -> str:
    try:
        record = decode_record(key, value)
    except UnknownRecordType as unknown:
        return str(unknown)
    if isinstance(record, OffsetRecord):
        offset = record.offset
        what = "tombstone" if offset is None else str(offset.committed_offset)
        return f"offset {record.group} {record.topic}-{record.partition} {what}"
    if isinstance(record, GroupRecord):
        if record.value is None:
            return f"group {record.group} tombstone"
        members = " ".join(f"{member.member_id}={member.assignment.decode()}" for member in record.value.members) or "no members"
        return f"group {record.group} generation {record.value.generation} leader {record.value.leader}: {members}"
    return f"type {record.type} {record.group} {'tombstone' if record.value is None else 'kept'}"
