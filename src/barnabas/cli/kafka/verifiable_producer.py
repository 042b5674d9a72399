"""kafka-verifiable-producer: rising numbers out, each told of as JSON when it is acknowledged or lost. Flags, events and exit codes of Apache Kafka's tool.

Owns the options, the pace and the events. The records are sent by `client.producer`, one by one: each has its own outcome.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from .argparse4j import ArgumentError, HelpWanted
from .console_producer import producer_settings
from .events import Ending, say, say_all
from .flat_arguments import Argument, Given, help_page, parse
from .java import java_name, java_text
from .session import ConfigException, load_properties, open_cluster, run

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from barnabas.client.producer import Delivered, Producer, ProducerSettings

TOOL = "verifiable-producer"
DESCRIPTION = "Produces rising numbers to a topic and says of each, as JSON on standard output, whether it was acknowledged."
BROKERS = "HOST1:PORT1[,HOST2:PORT2[...]]"
ARGUMENTS = (
    Argument("--topic", "The topic to produce to.", required=True),
    Argument("--max-messages", "How many records; -1: until the process is ended.", "MAX-MESSAGES", "Integer", default="-1"),
    Argument("--throughput", "Records a second, at most; below 0 as many as possible.", kind="Integer", default="-1"),
    Argument(
        "--acks",
        "Whose acknowledgement counts: -1 all replicas', 1 the leader's, 0 nobody's.",
        kind="Integer",
        default="-1",
        choices=("0", "1", "-1"),
    ),
    Argument("--producer.config", "(DEPRECATED) As --command-config.", "CONFIG-FILE"),
    Argument(
        "--message-create-time", "The first record's time, milliseconds since 1970; later ones rise from it.", "CREATE-TIME", "Long", default="-1"
    ),
    Argument("--value-prefix", "A number that stands before each value, with a dot.", "VALUE-PREFIX", "Integer"),
    Argument("--repeating-keys", "Keys rise from 0 to this number, exclusive, and begin again.", "REPEATING-KEYS", "Integer"),
    Argument("--command-config", "File of producer settings; they go before those of the command line.", "CONFIG-FILE"),
    Argument("--bootstrap-server", "REQUIRED: The brokers to start from.", BROKERS, in_group=True),
)
GROUP_NOTE = "  How to reach the cluster"
BURST = 500
"""Records between two looks at what else there is to do."""


class Plan(NamedTuple):
    topic: str
    records: int
    throughput: int
    created_ms: int | None
    prefix: str
    keys: int | None
    properties: dict[str, str]


def main(argv: Sequence[str]) -> int:
    from barnabas.client.errors import InvalidBootstrap

    if not argv:
        print(help_page(TOOL, DESCRIPTION, ARGUMENTS, GROUP_NOTE), end="")
        return 0
    try:
        plan = _plan(parse(TOOL, DESCRIPTION, ARGUMENTS, argv, group_note=GROUP_NOTE))
        return run(_Run(plan, producer_settings(plan.properties)).go())
    except HelpWanted as page:
        print(str(page), end="")
    except (ArgumentError, OSError) as error:
        sys.stderr.write(f"{error}\n")
    except InvalidBootstrap as error:
        failed = "org.apache.kafka.common.KafkaException: Failed to construct kafka producer"
        sys.stderr.write(f'Exception in thread "main" {failed}\nCaused by: {java_text(error)}\n')
    except ConfigException as error:
        sys.stderr.write(f'Exception in thread "main" {java_text(error)}\n')
    return 1


def _plan(given: Given) -> Plan:
    properties = {"bootstrap.servers": given.text("--bootstrap-server"), "acks": given.text("--acks"), "retries": "0"}
    properties |= settings_file(given, "--producer.config")
    properties.setdefault("client.id", "producer-1")
    created_ms = given.number("--message-create-time")
    prefix = given.optional_number("--value-prefix")
    return Plan(
        given.text("--topic"),
        given.number("--max-messages"),
        given.number("--throughput"),
        None if created_ms == -1 else created_ms,
        "" if prefix is None else f"{prefix}.",
        given.optional_number("--repeating-keys"),
        properties,
    )


def settings_file(given: Given, deprecated: str) -> dict[str, str]:
    """The client settings of --command-config, or of the flag that it replaces. Raises ArgumentError."""
    if given.has(deprecated) and given.has("--command-config"):
        raise given.fail(f"Options {deprecated} and --command-config are mutually exclusive.")
    if given.has(deprecated):
        print(f"Option {deprecated} has been deprecated and will be removed in a future version. Use --command-config instead.", flush=True)
    path = given.one(deprecated) or given.one("--command-config")
    try:
        return load_properties(path) if path else {}
    except OSError as error:
        raise given.fail(str(error.filename)) from None


class _Run:
    def __init__(self, plan: Plan, settings: ProducerSettings) -> None:
        self._plan = plan
        self._settings = settings
        self._sent = self._acked = 0
        self._stopped = False
        self._events: list[dict[str, Any]] = []
        self._start_s = 0.0

    async def go(self) -> int:
        import asyncio

        from barnabas.client.producer import Producer

        loop = asyncio.get_running_loop()
        async with open_cluster(self._plan.properties, client_id="producer-1", kind="Producer") as cluster:
            producer = Producer(cluster, self._settings)
            self._start_s = time.monotonic()
            say("startup_complete")
            sending = asyncio.ensure_future(self._send_all(producer))
            ending = Ending(loop, lambda: self._stop(sending))
            await asyncio.wait({sending})
            await producer.close()
            await asyncio.sleep(0)  # the last outcomes
            self._flush()
        if not sending.cancelled():
            sending.result()
        say("shutdown_complete")
        elapsed_s = max(time.monotonic() - self._start_s, 0.001)
        say("tool_data", sent=self._sent, acked=self._acked, target_throughput=self._plan.throughput, avg_throughput=self._acked / elapsed_s)
        return ending.status

    def _stop(self, sending: asyncio.Task[None]) -> None:
        self._stopped = True
        sending.cancel()

    async def _send_all(self, producer: Producer) -> None:
        import asyncio

        plan, number = self._plan, 0
        while (plan.records < 0 or number < plan.records) and not self._stopped:
            await self._send(producer, number)
            number += 1
            if plan.throughput >= 0:
                await self._pause(number)
            elif number % BURST == 0:
                await asyncio.sleep(0)

    async def _pause(self, sent: int) -> None:
        """Until the next record is due; without end at a pace of none."""
        import asyncio

        due_s = sent / self._plan.throughput if self._plan.throughput else float("inf")
        while (left_s := self._start_s + due_s - time.monotonic()) > 0:
            await asyncio.sleep(min(left_s, 3600))

    async def _send(self, producer: Producer, number: int) -> None:
        from barnabas.client.errors import KafkaError, TimedOut

        plan = self._plan
        key = None if plan.keys is None else str(number % plan.keys if plan.keys > 0 else number)
        value = f"{plan.prefix}{number}"
        self._sent += 1
        try:
            future = await producer.send(plan.topic, value.encode(), None if key is None else key.encode(), timestamp_ms=self._created_ms())
        except (KafkaError, TimedOut) as error:
            self._lost(key, value, error)
        else:
            future.add_done_callback(lambda outcome: self._told(key, value, outcome))

    def _created_ms(self) -> int | None:
        """The time asked for, ever further on: each record adds the whole time since the start, as Apache's tool has it."""
        created_ms = self._plan.created_ms
        if created_ms is not None:
            self._plan = self._plan._replace(created_ms=created_ms + int((time.monotonic() - self._start_s) * 1000))
        return created_ms

    def _told(self, key: str | None, value: str, outcome: asyncio.Future[Delivered]) -> None:
        failure = None if outcome.cancelled() else outcome.exception()
        if failure is not None:
            self._lost(key, value, failure)
        elif not outcome.cancelled():
            self._acked += 1
            found = outcome.result()
            event = {"name": "producer_send_success", "key": key, "value": value, "offset": found.offset, "topic": found.topic}
            self._note({**event, "partition": found.partition})

    def _lost(self, key: str | None, value: str, error: BaseException) -> None:
        event = {"name": "producer_send_error", "key": key, "value": value, "exception": f"class {java_name(error)}", "message": str(error)}
        self._note({**event, "topic": self._plan.topic})

    def _note(self, event: dict[str, Any]) -> None:
        """Events of one round of the loop go out together."""
        import asyncio

        if not self._events:
            asyncio.get_running_loop().call_soon(self._flush)
        self._events.append(event)

    def _flush(self) -> None:
        if self._events:
            say_all(self._events)
            self._events = []
