"""kafka-get-offsets: `topic:partition:offset` by time or place. Flags, output and exit codes of Apache Kafka's GetOffsetShell."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from .admin_tool import Terse
from .java import java_message, java_text
from .options import OptionError, Options, Parser, help_or_version, require, usage_and_exit
from .session import ConfigException, load_properties, open_cluster, run
from .topic_names import InvalidFilter, include

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PURPOSE = "An interactive shell for getting topic-partition offsets."
MAX_PARTITION = 2**31 - 1
_RULE = re.compile("([^:,]*)(?::(?:([0-9]*)|(?:([0-9]*)-([0-9]*))))?")
_PLACES = {"latest": -1, "earliest": -2, "max-timestamp": -3, "earliest-local": -4, "latest-tiered": -5, "earliest-pending-upload": -6}
_PLACES_HELP = "-1 or latest / -2 or earliest / -3 or max-timestamp / -4 or earliest-local / -5 or latest-tiered / -6 or earliest-pending-upload"

Filter = tuple["Callable[[str], bool]", "Callable[[int], bool]"]
"""Whether a topic, and whether a partition of it, is meant."""


class OffsetOptions:
    """Raises Terse, SystemExit."""

    def __init__(self, arguments: Sequence[str]) -> None:
        parser = self.parser = Parser()
        self.bootstrap = parser.required("bootstrap-server", "REQUIRED. The brokers to start from.", "HOST1:PORT1,...,HOST3:PORT3")
        self.topic_partitions = parser.required(
            "topic-partitions",
            "Which partitions: patterns by commas, each a regular expression of topics and, behind a colon, one partition, "
            "a range (the end left out), or half of one. "
            f"As '{_RULE.pattern}'.",
            "topic1:1,topic2:0-3,topic3,topic4:5-,topic5:-3",
        )
        self.topic = parser.required("topic", "Topics, as a regular expression; all if left out. Not with --topic-partitions.", "topic")
        self.partitions = parser.required("partitions", "Partitions by commas; all if left out. Not with --topic-partitions.", "partition ids")
        self.time = parser.required(
            "time", "Which offset: the first one not older than a time, or a place.", f"<timestamp> / {_PLACES_HELP}", default="latest"
        )
        self.command_config = parser.required("command-config", "Properties file for the admin client.", "config file")
        self.exclude_internal = parser.flag("exclude-internal-topics", "Leave internal topics out.")
        if not arguments:
            usage_and_exit(parser, PURPOSE)
        try:
            self.given: Options = parser.parse(arguments)
        except OptionError as error:
            raise Terse(str(error)) from None
        help_or_version(parser, self.given, arguments, PURPOSE)
        require(parser, self.given, self.bootstrap)
        if not is_bootstrap(self.given.text(self.bootstrap)):
            usage_and_exit(parser, "Please provide valid host:port like host1:9091,host2:9092\n")


def is_bootstrap(text: str) -> bool:
    """Whether every part ends in a port, as the tools check before anything else."""
    parts = text.rstrip(",").split(",") if "," in text else [text]
    return bool(text.strip()) and all(re.fullmatch(r".*?\[?([0-9a-zA-Z\-%._:]*)\]?:([0-9]+)", part) for part in parts)


def main(argv: Sequence[str]) -> int:
    from barnabas.client.errors import InvalidBootstrap, KafkaError

    try:
        options = OffsetOptions(argv)
        offsets = run(_fetch(options))
    except Terse as error:
        sys.stderr.write(f"Error occurred: {error}\n")
        return 1
    except InvalidBootstrap as error:
        message = "Failed to create new KafkaAdminClient"
        sys.stderr.write(f"Error occurred: {message}\norg.apache.kafka.common.KafkaException: {message}\nCaused by: {java_text(error)}\n\n")
        return 1
    except KafkaError as error:
        # A failed call comes wrapped, its class in front of its text.
        sys.stderr.write(f"Error occurred: {java_text(error)}\njava.util.concurrent.ExecutionException: {java_text(error)}\n\n")
        return 1
    except (OptionError, InvalidFilter, ConfigException, OSError, ValueError) as error:
        sys.stderr.write(f"Error occurred: {java_message(error)}\n{java_text(error)}\n\n")
        return 1
    sys.stdout.write("".join(f"{topic}:{partition}:{offset}\n" for (topic, partition), offset in offsets.items()))
    return 0


async def _fetch(options: OffsetOptions) -> dict[tuple[str, int], int]:
    from barnabas.client.admin import offsets, topics
    from barnabas.client.errors import KafkaError

    given = options.given
    if given.has(options.topic_partitions) and (given.has(options.topic) or given.has(options.partitions)):
        raise Terse("--topic-partitions cannot be used with --topic or --partitions")
    place = parse_time(given.text(options.time))
    if given.has(options.topic_partitions):
        filters = [parse_rule(rule) for rule in given.text(options.topic_partitions).split(",")]
    else:
        filters = [(include(given.value(options.topic) or ".*"), _parse_partitions(given.value(options.partitions)))]
    properties = load_properties(given.text(options.command_config)) if given.has(options.command_config) else {}
    properties |= {"bootstrap.servers": given.text(options.bootstrap), "client.id": "GetOffsetShell"}
    async with open_cluster(properties) as cluster:
        listed = await topics.names(cluster, internal=not given.has(options.exclude_internal))
        described = await topics.describe(cluster, [name for name in listed if any(topic(name) for topic, _ in filters)])
        wanted = [
            (name, p.partition)
            for name, topic in described.items()
            for p in topic.partitions
            if any(match(name) and part(p.partition) for match, part in filters)
        ]
        if not wanted:
            raise Terse("Could not match any topic-partitions with the specified filters")
        wanted.sort(key=lambda key: f"{key[0]}-{key[1]}")
        found = await offsets.find(cluster, dict.fromkeys(wanted, place))
    result: dict[tuple[str, int], int] = {}
    for key in wanted:
        answer = found[key]
        if isinstance(answer, KafkaError):
            sys.stderr.write(f"Skip getting offsets for topic-partition {key[0]}-{key[1]} due to error: {java_text(answer)}\n")
        elif answer.offset != offsets.UNKNOWN_OFFSET:
            result[key] = answer.offset
    return result


def parse_time(text: str) -> int:
    """A place's name or number, or a time in milliseconds. Raises Terse."""
    if text in _PLACES:
        return _PLACES[text]
    digits = text[1:] if text[:1] in ("+", "-") else text
    if not digits.isdecimal() or not -(2**63) <= int(text) < 2**63:
        raise Terse(f"Malformed time argument {text}. Please use {_PLACES_HELP}, or a specified long format timestamp")
    return int(text)


def parse_rule(rule: str) -> Filter:
    """`TOPICS:PARTITIONS`, either part optional. Raises InvalidFilter."""
    match = _RULE.fullmatch(rule)
    if match is None:
        raise InvalidFilter(f"org.apache.kafka.tools.TerseException: Invalid rule specification: {rule}")
    topic, one, low, high = match.groups()
    allowed = include(topic or ".*")
    if one:
        return allowed, lambda partition: partition == int(one)
    first, end = int(low or 0), int(high or MAX_PARTITION)
    return allowed, lambda partition: first <= partition < end


def _parse_partitions(text: str | None) -> Callable[[int], bool]:
    if not text:
        return lambda partition: True
    parts = text.rstrip(",").split(",")
    if not all(part.lstrip("+-").isdecimal() for part in parts):
        raise Terse(f"--partitions expects a comma separated list of numeric partition ids, but received: {text}")
    wanted = {int(part) for part in parts}
    return lambda partition: partition in wanted
