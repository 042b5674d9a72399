"""kafka-topics' options: what may stand with what, and the words behind --config and --replica-assignment. Rules and messages of Apache Kafka's TopicCommand."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .java import hash_order, string_order
from .options import Option, Parser, exclude, help_or_version, require, usage_and_exit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

PURPOSE = "This tool helps to create, delete, describe, or change a topic."
USE_CONFIGS = " (To alter topic configurations, the kafka-configs tool can be used.)"


class CommandFailed(ValueError):
    """What the tool itself refuses."""

    def __init__(self, message: str, java_class: str = "java.lang.IllegalArgumentException") -> None:
        super().__init__(message)
        self.java_class = java_class


class TopicOptions:
    """The options, checked against one another. Raises OptionError, CommandFailed, SystemExit."""

    def __init__(self, arguments: Sequence[str]) -> None:
        parser = self.parser = Parser()
        self.bootstrap = parser.required("bootstrap-server", "REQUIRED: the brokers to start from.", "server to connect to")
        self.command_config = parser.required("command-config", "Properties file for the admin client.", "command config property file")
        self.list = parser.flag("list", "Print the names of all topics.")
        self.create = parser.flag("create", "Create a topic.")
        self.delete = parser.flag("delete", "Delete topics.")
        self.alter = parser.flag("alter", "Change the number of partitions and where new ones go." + USE_CONFIGS)
        self.describe = parser.flag("describe", "Print topics with their partitions.")
        self.topic = parser.required("topic", "The topic; a regular expression except with --create.", "topic")
        self.topic_id = parser.required("topic-id", "The id of the topic to describe.", "topic-id")
        self.config = parser.required("config", _config_help(), "name=value")
        self.delete_config = parser.required("delete-config", "No longer supported since 4.0.", "name")
        self.partitions = parser.required(
            "partitions",
            "How many partitions the topic gets; the cluster's default if left out at creation. More partitions move keys.",
            "# of partitions",
            "Integer",
        )
        self.replication_factor = parser.required(
            "replication-factor", "How many replicas each partition gets; the cluster's default if left out.", "replication factor", "Integer"
        )
        self.replica_assignment = parser.required(
            "replica-assignment",
            "Which brokers get each partition, by hand.",
            "broker_id_for_part1_replica1 : broker_id_for_part1_replica2 , broker_id_for_part2_replica1 : broker_id_for_part2_replica2 , ...",
        )
        self.under_replicated = parser.flag("under-replicated-partitions", "With --describe: only partitions with replicas that lag.")
        self.unavailable = parser.flag("unavailable-partitions", "With --describe: only partitions without a live leader.")
        self.under_min_isr = parser.flag("under-min-isr-partitions", "With --describe: only partitions with fewer replicas in sync than configured.")
        self.at_min_isr = parser.flag(
            "at-min-isr-partitions", "With --describe: only partitions with exactly as many replicas in sync as configured."
        )
        self.with_overrides = parser.flag("topics-with-overrides", "With --describe: only topics with configurations of their own.")
        self.if_exists = parser.flag("if-exists", "Do nothing, successfully, if there is no such topic.")
        self.if_not_exists = parser.flag("if-not-exists", "With --create: succeed if the topic is there already.")
        self.exclude_internal = parser.flag("exclude-internal", "Leave internal topics out when listing or describing.")
        self.page_size = parser.required(
            "partition-size-limit-per-response", "How many partitions to ask for at a time.", "maximum number of partitions per response", "Integer"
        )
        self.given = parser.parse(arguments)
        self._check(arguments)

    def has(self, option: Option) -> bool:
        return self.given.has(option)

    @property
    def reports(self) -> tuple[Option, ...]:
        return (self.under_replicated, self.under_min_isr, self.at_min_isr, self.unavailable)

    def _check(self, arguments: Sequence[str]) -> None:
        if not arguments:
            usage_and_exit(self.parser, "Create, delete, describe, or change a topic.")
        help_or_version(self.parser, self.given, arguments, PURPOSE)
        if sum(map(self.has, (self.create, self.list, self.alter, self.describe, self.delete))) != 1:
            usage_and_exit(self.parser, "Command must include exactly one action: --list, --describe, --create, --alter or --delete")
        if self.has(self.delete_config):
            sys.stderr.write(
                "delete-config option is no longer supported and deprecated since version 4.0. The config will be fully removed in future releases.\n"
            )
        self._check_required()
        self._check_combinations()

    def _check_required(self) -> None:
        if not self.has(self.bootstrap):
            raise CommandFailed("--bootstrap-server must be specified")
        if self.has(self.describe) and self.has(self.if_exists):
            if not self.has(self.topic) and not self.has(self.topic_id):
                usage_and_exit(self.parser, "--topic or --topic-id is required to describe a topic")
            if self.has(self.topic) and self.has(self.topic_id):
                print("Only topic id will be used when both --topic and --topic-id are specified and topicId is not Uuid.ZERO_UUID")
        if not self.has(self.list) and not self.has(self.describe):
            require(self.parser, self.given, self.topic)
        if self.has(self.alter):
            if self.has(self.config):
                used = f"[{self.bootstrap}, {self.config}]"
                usage_and_exit(self.parser, f'Option combination "{used}" can\'t be used with option "{self.alter}"{USE_CONFIGS}')
            require(self.parser, self.given, self.partitions)

    def _check_combinations(self) -> None:
        actions = (self.alter, self.create, self.describe, self.list, self.delete)

        def only_with(option: Option, *allowed: Option) -> None:
            exclude(self.parser, self.given, option, *(action for action in actions if action not in allowed))

        only_with(self.config, self.alter, self.create)
        only_with(self.partitions, self.alter, self.create)
        only_with(self.replication_factor, self.create)
        only_with(self.replica_assignment, self.alter, self.create)
        if self.has(self.create):
            exclude(self.parser, self.given, self.replica_assignment, self.partitions, self.replication_factor)
        for report in self.reports:
            only_with(report, self.describe)
            exclude(self.parser, self.given, report, self.with_overrides)
        only_with(self.with_overrides, self.describe)
        exclude(self.parser, self.given, self.with_overrides, *self.reports)
        only_with(self.if_exists, self.alter, self.delete, self.describe)
        only_with(self.if_not_exists, self.create)
        only_with(self.exclude_internal, self.list, self.describe)


def _config_help() -> str:
    from barnabas.core.configs.definitions.topic import TOPIC

    known = "\n".join(f"\t{row[0]}" for row in TOPIC if row[5] != "internal")
    return f"A configuration of the new topic. These can be given: \n{known}\nOnly together with --create.{USE_CONFIGS}"


def parse_assignment(text: str) -> dict[int, list[int]]:
    """`0:1,1:2`: partitions by commas, their brokers by colons. Raises CommandFailed."""
    assignment: dict[int, list[int]] = {}
    for partition, brokers in enumerate(text.rstrip(",").split(",")):
        try:
            ids = [int(broker.strip()) for broker in brokers.rstrip(":").split(":")]
        except ValueError:
            wrong = next(broker.strip() for broker in brokers.split(":") if not broker.strip().lstrip("+-").isdecimal())
            raise CommandFailed(f'For input string: "{wrong}"', "java.lang.NumberFormatException") from None
        twice = hash_order({broker for broker in ids if ids.count(broker) > 1}, lambda number: number)
        if twice:
            duplicates = ",".join(map(str, twice))
            raise CommandFailed(
                f"Partition replica lists may not contain duplicate entries: {duplicates}", "org.apache.kafka.tools.AdminCommandFailedException"
            )
        assignment[partition] = ids
        if len(ids) != len(assignment[0]):
            shown = "[" + ", ".join(map(str, ids)) + "]"
            raise CommandFailed(f"Partition {partition} has different replication factor: {shown}", "org.apache.kafka.tools.AdminOperationException")
    return assignment


def parse_configs(pairs: Iterable[str]) -> dict[str, str]:
    """`key=value` words, checked as a broker would. Raises CommandFailed."""
    import re

    configs = {}
    for pair in pairs:
        parts = re.split(r"\s*=\s*", pair)
        while parts and not parts[-1]:
            parts.pop()
        if len(parts) != 2:
            raise CommandFailed('requirement failed: Invalid topic config: all configs to be added must be in the format "key=val".')
        configs[parts[0].strip()] = parts[1].strip()
    if configs:
        _check_configs(configs)
    return configs


def _check_configs(configs: Mapping[str, str]) -> None:
    from barnabas.core.configs.definitions.row import index
    from barnabas.core.configs.definitions.topic import TOPIC
    from barnabas.core.configs.error import ConfigError
    from barnabas.core.configs.values import parse_all

    rows = index(TOPIC)
    for name in string_order(configs):
        if name not in rows:
            raise CommandFailed(f"Unknown topic config name: {name}", "org.apache.kafka.common.errors.InvalidConfigurationException")
    try:
        values = parse_all(rows, configs)
    except ConfigError as error:
        raise CommandFailed(str(error), "org.apache.kafka.common.config.ConfigException") from None
    low, high = values.integer("min.compaction.lag.ms"), values.integer("max.compaction.lag.ms")
    if low > high:
        raise CommandFailed(
            f"conflict topic config setting min.compaction.lag.ms ({low}) > max.compaction.lag.ms ({high})",
            "org.apache.kafka.common.errors.InvalidConfigurationException",
        )
