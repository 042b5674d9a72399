"""kafka-verifiable-consumer: a group's member that tells of all it does as JSON. Flags, events and exit codes of Apache Kafka's tool.

Owns the options and the events. Polls end after as many records as Apache's consumer hands over at once, so that the same topic gives the same events.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from .argparse4j import ArgumentError, HelpWanted
from .console_consumer import consumer_settings
from .consumer_perf import max_poll_records
from .events import Ending, say, say_all
from .flat_arguments import Argument, Given, help_page, parse
from .java import java_message, java_text, log_line
from .session import ConfigException, open_cluster, run
from .verifiable_producer import BROKERS, settings_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from barnabas.client.consumer import ConsumedRecord, Consumer
    from barnabas.client.subscription import Partitions

TOOL = "verifiable-consumer"
DESCRIPTION = "Consumes a topic in a group and tells of it, as JSON on standard output: partitions given and taken, records, commits."
ARGUMENTS = (
    Argument("--topic", "The topic to read.", required=True),
    Argument("--group-protocol", "How the group shares: classic, consumer.", "GROUP-PROTOCOL", default="classic"),
    Argument("--group-remote-assignor", "The broker's assignor, of the consumer protocol.", "GROUP-REMOTE-ASSIGNOR"),
    Argument("--group-id", "The group.", "GROUP-ID", required=True),
    Argument("--group-instance-id", "The name of a static member.", "GROUP-INSTANCE-ID"),
    Argument("--max-messages", "How many records; -1: until the process is ended.", "MAX-MESSAGES", "Integer", default="-1"),
    Argument("--session-timeout", "session.timeout.ms, of the classic protocol.", "TIMEOUT-MS", "Integer"),
    Argument("--verbose", "Tell of each record, too.", kind="Flag"),
    Argument("--enable-autocommit", "Commit every few seconds rather than behind each poll.", kind="Flag"),
    Argument("--reset-policy", "Where the group has no offset: earliest, latest or none.", "RESET-POLICY", default="earliest"),
    Argument(
        "--assignment-strategy",
        "The assignor, of the classic protocol.",
        "ASSIGNMENT-STRATEGY",
        default="org.apache.kafka.clients.consumer.RangeAssignor",
    ),
    Argument("--consumer.config", "(DEPRECATED) As --command-config.", "CONFIG-FILE"),
    Argument("--command-config", "File of consumer settings; the command line goes first.", "CONFIG-FILE"),
    Argument("--bootstrap-server", "The brokers to start from.", BROKERS, required=True, in_group=True),
)
GROUP_NOTE = "  How to reach the cluster"
LOGGER = "org.apache.kafka.tools.VerifiableConsumer"
PROTOCOLS = ("CLASSIC", "CONSUMER")
POLL_MS = 60_000


def main(argv: Sequence[str]) -> int:
    from barnabas.client.errors import InvalidBootstrap

    if not argv:
        print(help_page(TOOL, DESCRIPTION, ARGUMENTS, GROUP_NOTE), end="")
        return 0
    try:
        given = parse(TOOL, DESCRIPTION, ARGUMENTS, argv, group_note=GROUP_NOTE)
        return run(_consume(given, _properties(given)))
    except HelpWanted as page:
        print(str(page), end="")
    except (ArgumentError, OSError) as error:
        sys.stderr.write(f"{error}\n")
    except InvalidBootstrap as error:
        failed = "org.apache.kafka.common.KafkaException: Failed to construct kafka consumer"
        sys.stderr.write(f'Exception in thread "main" {failed}\nCaused by: {java_text(error)}\n')
    except ValueError as error:
        sys.stderr.write(f'Exception in thread "main" {java_text(error)}\n')
    return 1


def _properties(given: Given) -> dict[str, str]:
    """Raises ArgumentError, ConfigException, ValueError."""
    properties = settings_file(given, "--consumer.config")
    protocol = given.text("--group-protocol").upper()
    if protocol not in PROTOCOLS:
        raise ValueError(f"No enum constant org.apache.kafka.clients.consumer.GroupProtocol.{protocol}")
    properties["group.protocol"] = protocol
    if protocol == "CLASSIC":
        properties["partition.assignment.strategy"] = given.text("--assignment-strategy")
    for flag, key in (("--session-timeout", "session.timeout.ms"), ("--group-instance-id", "group.instance.id")):
        if given.has(flag):
            properties[key] = given.text(flag)
    properties |= {
        "group.id": given.text("--group-id"),
        "bootstrap.servers": given.text("--bootstrap-server"),
        "enable.auto.commit": str(given.has("--enable-autocommit")).lower(),
        "auto.offset.reset": given.text("--reset-policy"),
    }
    if properties["auto.offset.reset"] not in ("earliest", "latest", "none"):
        policy = properties["auto.offset.reset"]
        raise ConfigException(f"Invalid value {policy} for configuration auto.offset.reset: The value must be either 'earliest', 'latest' or 'none'")
    return properties


async def _consume(given: Given, properties: dict[str, str]) -> int:
    import asyncio

    from barnabas.client.consumer import Consumer

    settings = consumer_settings(properties, properties["group.id"])
    topic, most = given.text("--topic"), max_poll_records(properties)
    async with open_cluster(properties, client_id=f"consumer-{properties['group.id']}-1", kind="Consumer") as cluster:
        consumer = Consumer(cluster, settings)
        member = _Member(consumer, given.number("--max-messages"), most, verbose=given.has("--verbose"), commits=not settings.enable_auto_commit)
        say("startup_complete")
        consumer.subscribe(lambda name: name == topic, names=[topic], on_assigned=member.assigned, on_revoked=member.revoked)
        work = asyncio.ensure_future(member.run())

        def stop() -> None:
            say("shutdown_requested")
            work.cancel()

        ending = Ending(asyncio.get_running_loop(), stop)
        await asyncio.wait({work})
        if not work.cancelled() and (failure := work.exception()) is not None:
            log_line("ERROR", "Error during processing, terminating consumer process: ", LOGGER)
            sys.stderr.write(f"{java_text(failure)}\n")
        await consumer.close()
    say("shutdown_complete")
    if not ending.status:
        say("shutdown_requested")  # Apache's says so at every end, if nobody did before
    return ending.status


class _Member:
    """What there is to tell, poll by poll."""

    def __init__(self, consumer: Consumer, limit: int, most: int, *, verbose: bool, commits: bool) -> None:
        self._consumer = consumer
        self._limit = limit
        self._most = most
        self._verbose = verbose
        self._commits = commits
        self._consumed = 0

    def _is_finished(self) -> bool:
        return 0 <= self._limit <= self._consumed

    async def run(self) -> None:
        """Raises KafkaError, NoOffset."""
        while not self._is_finished():
            records = await self._consumer.poll(POLL_MS)
            for start in range(0, len(records), self._most):
                if self._is_finished():
                    self._put_back(records[start:])
                    break
                await self._take(records[start : start + self._most])

    def _put_back(self, records: list[ConsumedRecord]) -> None:
        """They were fetched, but no poll has handed them over."""
        for record in reversed(records):
            self._consumer.seek(record.topic, record.partition, record.offset)

    async def _take(self, records: list[ConsumedRecord]) -> None:
        by_partition: dict[tuple[str, int], list[ConsumedRecord]] = {}
        for record in records:
            by_partition.setdefault((record.topic, record.partition), []).append(record)
        places: dict[tuple[str, int], int] = {}
        summaries = []
        for key, found in by_partition.items():
            if self._limit >= 0:
                found = found[: self._limit - self._consumed]
            if not found:
                continue
            places[key] = found[-1].offset + 1
            ends = {"minOffset": found[0].offset, "maxOffset": found[-1].offset}
            summaries.append({**_place(key), "count": len(found), **ends})
            if self._verbose:
                say_all(list(map(_data, found)))
            self._consumed += len(found)
            if self._is_finished():
                break
        say("records_consumed", count=len(records), partitions=summaries)
        if self._commits:
            await self._commit(places)

    async def _commit(self, places: dict[tuple[str, int], int]) -> None:
        from barnabas.client.errors import KafkaError, TimedOut
        from barnabas.wire.errors import Error

        outcome: dict[str, Any] = {"success": True}
        try:
            await self._consumer.commit(places)
        except (KafkaError, TimedOut) as error:
            if isinstance(error, KafkaError) and error.error is Error.FENCED_INSTANCE_ID:
                raise
            outcome = {"error": java_message(error), "success": False}
        say("offsets_committed", offsets=[{**_place(key), "offset": offset} for key, offset in places.items()], **outcome)

    def assigned(self, partitions: Partitions) -> None:
        say("partitions_assigned", partitions=list(map(_place, partitions)))

    def revoked(self, partitions: Partitions) -> None:
        say("partitions_revoked", partitions=list(map(_place, partitions)))


def _place(key: tuple[str, int]) -> dict[str, Any]:
    return {"topic": key[0], "partition": key[1]}


def _data(record: ConsumedRecord) -> dict[str, Any]:
    key, value = (None if part is None else part.decode("utf-8", "replace") for part in (record.key, record.value))
    return {"name": "record_data", "key": key, "value": value, "topic": record.topic, "partition": record.partition, "offset": record.offset}
