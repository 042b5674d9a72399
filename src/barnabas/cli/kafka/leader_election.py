"""kafka-leader-election: elect the preferred or an unclean leader. Flags, output and exit codes of Apache Kafka's LeaderElectionCommand."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from . import json_input
from .admin_tool import client_properties, guarded
from .java import EXECUTION, RUNTIME, Thrown, hash_order, java_text, partition_hash, wrapped
from .options import Option, OptionError, Options, Parser, exclude, help_or_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from barnabas.client.cluster import Cluster
    from barnabas.client.errors import KafkaError

PURPOSE = (
    "This tool attempts to elect a new leader for a set of topic partitions. "
    "The type of elections supported are preferred replicas and unclean replicas."
)
KINDS = ("PREFERRED", "UNCLEAN")
API_TIMEOUT_MS = 30_000
_FORMAT = '{"partitions":\n\t[{"topic": "foo", "partition": 1},\n\t {"topic": "foobar", "partition": 2}]\n}'
_FAILED = "org.apache.kafka.tools.AdminCommandFailedException"
_REFUSED = "org.apache.kafka.tools.AdminOperationException"

Key = tuple[str, int]


class ElectionOptions:
    """The options, checked against one another. Raises OptionError, Thrown, SystemExit."""

    def __init__(self, arguments: Sequence[str]) -> None:
        parser = self.parser = Parser()
        self.bootstrap = parser.required("bootstrap-server", "REQUIRED: the brokers to start from, by commas.", "host:port")
        self.admin_config = parser.required("admin.config", "Deprecated: use --command-config.", "config file")
        self.command_config = parser.required("command-config", "Properties file for the admin client.", "Config file")
        self.path = parser.required("path-to-json-file", f"A JSON file that lists the partitions, like this:\n{_FORMAT}", "Path to JSON file")
        self.topic = parser.required("topic", "The topic of one partition.", "topic name")
        self.partition = parser.required("partition", "The partition, with --topic.", "partition id", "Integer")
        self.everything = parser.flag("all-topic-partitions", "Every partition that needs it.")
        self.election = parser.required(
            "election-type",
            'REQUIRED: "preferred" puts the first replica back in the lead, where another one leads; '
            '"unclean" takes any living replica, where none leads, and may lose records.',
            "election type",
            "ElectionType",
        )
        self.given: Options = parser.parse(arguments)
        help_or_version(parser, self.given, arguments, PURPOSE)
        self._check()

    def _check(self) -> None:
        has = self.given.has
        missing = [option.name for option in (self.bootstrap, self.election) if not has(option)]
        if missing:
            raise Thrown(f"Missing required option(s): {', '.join(missing)}", _FAILED)
        exclude(self.parser, self.given, self.admin_config, self.command_config)
        scopes = (self.topic, self.everything, self.path)
        if sum(map(has, scopes)) != 1:
            raise Thrown(f"One and only one of the following options is required: {', '.join(scope.name for scope in scopes)}", _FAILED)
        if has(self.topic) and not has(self.partition):
            raise Thrown(f"Missing required option(s): {self.partition.name}", _FAILED)
        if has(self.partition) and not has(self.topic):
            raise Thrown(f"Option {self.partition.name} is only allowed if {self.topic.name} is used", _FAILED)

    @property
    def kind(self) -> str:
        text = self.given.text(self.election)
        if text.upper() not in KINDS:
            raise OptionError(f"Cannot parse argument '{text}' of option {self.election.name}", "OptionArgumentConversionException")
        return text.upper()

    def keys(self) -> list[Key] | None:
        """The partitions; None for all. Raises Thrown."""
        if self.given.has(self.path):
            return parse_partitions(self.given.text(self.path))
        if self.given.has(self.topic):
            return [(self.given.text(self.topic), self.given.number(self.partition))]
        return None

    def config_file(self) -> str | None:
        option: Option = self.command_config
        if self.given.has(self.admin_config):
            print("Option --admin.config has been deprecated and will be removed in a future version. Use --command-config instead.")
            option = self.admin_config
        return self.given.value(option)


def main(argv: Sequence[str]) -> int:
    return guarded(lambda: _execute(argv))


def _execute(argv: Sequence[str]) -> None:
    from .session import open_cluster, run

    options = ElectionOptions(argv)
    kind, keys = options.kind, options.keys()
    properties = client_properties(options.config_file(), options.given.text(options.bootstrap))
    properties.setdefault("default.api.timeout.ms", str(API_TIMEOUT_MS))
    properties.setdefault("request.timeout.ms", str(API_TIMEOUT_MS // 2))
    cluster = open_cluster(properties)

    async def act() -> None:
        async with cluster:
            _tell(kind, await _elect(cluster, kind, keys))

    run(act())


async def _elect(cluster: Cluster, kind: str, keys: Iterable[Key] | None) -> Mapping[Key, KafkaError | None]:
    from barnabas.client.admin import elections
    from barnabas.client.errors import KafkaError
    from barnabas.wire.errors import Error

    words = {
        Error.REQUEST_TIMED_OUT: "Timeout waiting for election results",
        Error.CLUSTER_AUTHORIZATION_FAILED: "Not authorized to perform leader election",
    }
    try:
        return await elections.elect(cluster, KINDS.index(kind), keys)
    except KafkaError as error:
        if error.error in words:
            print(words[error.error])
            raise Thrown(words[error.error], _FAILED) from None
        raise wrapped(error, EXECUTION, RUNTIME) from None


def _tell(kind: str, outcomes: Mapping[Key, KafkaError | None]) -> None:
    from barnabas.wire.errors import Error

    ordered = hash_order(hash_order(outcomes, partition_hash), partition_hash)
    done = [key for key in ordered if outcomes[key] is None]
    failed = {key: failure for key in ordered if (failure := outcomes[key]) is not None}
    needless = [key for key, failure in failed.items() if failure.error is Error.ELECTION_NOT_NEEDED]
    failed = {key: failure for key, failure in failed.items() if key not in needless}
    if done:
        print(f"Successfully completed leader election ({kind}) for partitions {_listed(done)}")
    if needless:
        print(f"Valid replica already elected for partitions {_listed(needless)}")
    if not failed:
        return
    for (topic, partition), failure in failed.items():
        print(f"Error completing leader election ({kind}) for partition: {topic}-{partition}: {java_text(failure)}")
    sys.stdout.flush()
    suppressed = "".join(f"\n\tSuppressed: {java_text(failure)}" for failure in failed.values())
    message = f"{len(failed)} replica(s) could not be elected"
    raise Thrown(message, _FAILED, suppressed)


def _listed(keys: Iterable[Key]) -> str:
    return ", ".join(f"{topic}-{partition}" for topic, partition in keys)


def parse_partitions(path: str) -> list[Key]:
    """Raises Thrown."""
    try:
        text = json_input.read_text(path)
        value = json_input.parse(text)
        if value is None:
            raise Thrown("Replica election data is empty", _REFUSED)
        given = json_input.as_object(value)
        if "partitions" not in given:
            raise Thrown('Replica election data is missing "partitions" field', _REFUSED)
        keys = [
            (json_input.as_text(json_input.field(entry, "topic")), json_input.as_number(json_input.field(entry, "partition")))
            for entry in json_input.as_array(given["partitions"])
        ]
    except Thrown as error:
        raise error if error.java_class == _REFUSED else wrapped(error, RUNTIME) from None
    twice = hash_order({key: None for key in keys if keys.count(key) > 1}, partition_hash)
    if twice:
        raise Thrown(f"Replica election data contains duplicate partitions: [{_listed(twice)}]", _REFUSED)
    return hash_order(keys, partition_hash)
