"""Plans of reassignments as files: JSON in, checked; JSON out, in the layout that Apache Kafka's tool prints and reads.

Owns: the two files of kafka-reassign-partitions (where replicas shall be; which topics shall move) and the complaints about them, which name the field.
Doesn't own: what becomes of a plan (reassign_partitions.py).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from . import json_input
from .java import Thrown, hash_order, integer_hash, partition_hash, string_order
from .options import is_integer

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

FAILED = "org.apache.kafka.tools.AdminCommandFailedException"
REFUSED = "org.apache.kafka.tools.AdminOperationException"
ANYWHERE = "any"
VERSION = 1

Key = tuple[str, int]
Replica = tuple[str, int, int]
"""Topic, partition, broker."""
H = TypeVar("H", bound="Hashable")


class Plan(NamedTuple):
    """`rows` as they stand in the file, a partition perhaps twice; `directories` of the replicas that name one."""

    rows: list[tuple[Key, list[int]]]
    directories: dict[Replica, str]

    @property
    def targets(self) -> dict[Key, list[int]]:
        return dict(self.rows)

    def check(self) -> Plan:
        """What may be carried out. Raises Thrown."""
        if not self.rows:
            raise Thrown("Partition reassignment list cannot be empty", FAILED)
        if any(not replicas for _, replicas in self.rows):
            raise Thrown("Partition replica list cannot be empty", FAILED)
        twice = hash_order(_twice([key for key, _ in self.rows]), partition_hash)
        if twice:
            raise Thrown(f"Partition reassignment contains duplicate topic partitions: {','.join(map(key_text, twice))}", FAILED)
        brokers = ((key, hash_order(_twice(replicas), integer_hash)) for key, replicas in self.rows)
        wrong = [f"{key_text(key)} contains multiple entries for {','.join(map(str, again))}" for key, again in brokers if again]
        if wrong:
            raise Thrown(f"Partition replica lists may not contain duplicate entries: {'. '.join(wrong)}", FAILED)
        return self


def key_text(key: Key) -> str:
    return f"{key[0]}-{key[1]}"


def replica_text(replica: Replica) -> str:
    return f"{replica[0]}-{replica[1]}-{replica[2]}"


def _twice(items: Sequence[H]) -> dict[H, None]:
    seen: set[H] = set()
    found: dict[H, None] = {}
    for item in items:
        if item in seen:
            found[item] = None
        seen.add(item)
    return found


# --- in


def read_plan(path: str) -> Plan:
    """Raises Thrown, whose trace names the place in the file."""
    value = _parsed(path)
    where = "the file"
    try:
        given = json_input.as_object(value)
        where = "version"
        _check_version(given)
        where = "partitions"
        plan = Plan([], {})
        for index, entry in enumerate(json_input.as_array(given.get("partitions", []))):
            where = f"partitions[{index}]"
            fields = json_input.as_object(entry)
            for name in ("topic", "partition", "replicas", "log_dirs"):
                where = f"partitions[{index}].{name}"
                if name == "log_dirs" and name not in fields:
                    break
                _TAKE[name](json_input.field(fields, name))
            _add(plan, fields)
    except Thrown as error:
        raise _located(error, where, path) from None
    return plan


def _check_version(given: Mapping[str, Any]) -> None:
    version = json_input.as_number(given.get("version", VERSION))
    if version != VERSION:
        raise Thrown(f"Not supported version field value {version}", REFUSED)


def _numbers(value: Any) -> list[int]:
    return [json_input.as_number(each) for each in json_input.as_list(value)]


def _texts(value: Any) -> list[str]:
    return [json_input.as_text(each) for each in json_input.as_list(value)]


_TAKE: dict[str, Callable[[Any], object]] = {"topic": json_input.as_text, "partition": json_input.as_number, "replicas": _numbers, "log_dirs": _texts}


def _add(plan: Plan, fields: Mapping[str, Any]) -> None:
    key: Key = (fields["topic"], fields["partition"])
    replicas: list[int] = fields["replicas"]
    directories: list[str] = fields.get("log_dirs", [ANYWHERE] * len(replicas))
    if len(replicas) != len(directories):
        brokers, places = ("[" + ", ".join(map(str, listed)) + "]" for listed in (replicas, directories))
        raise Thrown(f"Size of replicas list {brokers} is different from size of log dirs list {places} for partition {key_text(key)}", FAILED)
    plan.rows.append((key, replicas))
    plan.directories.update(((*key, broker), path) for broker, path in zip(replicas, directories, strict=True) if path != ANYWHERE)


def _parsed(path: str) -> Any:
    text = json_input.read_text(path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise Thrown(f"{path}:{error.lineno}:{error.colno}: {error.msg}: this is no JSON", REFUSED) from None


def _located(error: Thrown, where: str, path: str) -> Thrown:
    return Thrown(str(error), error.java_class, f"\n\tat {where} of {path}")


def parse_topics(text: str, path: str) -> list[str]:
    """The names in the text of a file. Raises Thrown, whose trace names the place."""
    value = json_input.parse(text)
    if value is None:
        raise Thrown("The input string is not a valid JSON", REFUSED)
    where = "the file"
    try:
        given = json_input.as_object(value)
        where = "version"
        _check_version(given)
        where = "topics"
        names = []
        for index, entry in enumerate(json_input.as_array(given.get("topics", []))):
            where = f"topics[{index}].topic"
            names.append(json_input.as_text(json_input.field(entry, "topic")))
    except Thrown as error:
        raise _located(error, where, path) from None
    twice = string_order(_twice(names))
    if twice:
        raise Thrown(f"List of topics to reassign contains duplicate entries: [{', '.join(twice)}]", FAILED)
    return names


def broker_list(text: str) -> list[int]:
    """`1,2,3`. Raises Thrown."""
    words = text.split(",")
    while len(words) > 1 and not words[-1]:
        words.pop()
    for word in words:
        if not is_integer(word):
            raise Thrown(f'For input string: "{word}"', "java.lang.NumberFormatException")
    twice = hash_order(_twice([int(word) for word in words]), integer_hash)
    if twice:
        raise Thrown(f"Broker list contains duplicate entries: [{', '.join(map(str, twice))}]", FAILED)
    return [int(word) for word in words]


# --- out


def plan_text(assignment: Mapping[Key, Iterable[int]], directories: Mapping[Replica, str]) -> str:
    """A plan on one line, partitions in order."""
    partitions = [
        {
            "topic": topic,
            "partition": partition,
            "replicas": list(replicas),
            "log_dirs": [directories.get((topic, partition, broker), ANYWHERE) for broker in replicas],
        }
        for (topic, partition), replicas in sorted(assignment.items())
    ]
    return json.dumps({"version": VERSION, "partitions": partitions}, separators=(",", ":"), ensure_ascii=False)
