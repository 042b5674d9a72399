"""The same command line by Apache Kafka's tool and by ours, compared: output, complaints, exit status.

What is left out of the comparison: stack traces (they name lines of a program that isn't running), times of log lines, the text of help pages, and what our
tools say behind a refusal of words that older releases knew ("Instead of --zookeeper ...: ...").
"""

from __future__ import annotations

import atexit
import re
import subprocess
import sys
import tempfile
import time
from base64 import b64decode, b64encode
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from io import BytesIO, TextIOWrapper
from typing import TYPE_CHECKING, NamedTuple

from barnabas.cli.kafka import console
from tests.apache import release

if TYPE_CHECKING:
    from collections.abc import Callable

ATTEMPTS = 4
CLASSES = {
    "kafka-topics": "org.apache.kafka.tools.TopicCommand",
    "kafka-configs": "kafka.admin.ConfigCommand",
    "kafka-consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "kafka-console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-dump-log": "org.apache.kafka.tools.DumpLogSegments",
    "kafka-delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "kafka-log-dirs": "org.apache.kafka.tools.LogDirsCommand",
    "kafka-leader-election": "org.apache.kafka.tools.LeaderElectionCommand",
    "kafka-broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
    "kafka-cluster": "org.apache.kafka.tools.ClusterTool",
    "kafka-features": "org.apache.kafka.tools.FeatureCommand",
    "kafka-storage": "kafka.tools.StorageTool",
    "kafka-metadata-quorum": "org.apache.kafka.tools.MetadataQuorumCommand",
    "kafka-get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "kafka-metadata-shell": "org.apache.kafka.shell.MetadataShell",
    "kafka-producer-perf-test": "org.apache.kafka.tools.ProducerPerformance",
    "kafka-consumer-perf-test": "org.apache.kafka.tools.ConsumerPerformance",
    "kafka-verifiable-producer": "org.apache.kafka.tools.VerifiableProducer",
    "kafka-verifiable-consumer": "org.apache.kafka.tools.VerifiableConsumer",
    "kafka-reassign-partitions": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
    "kafka-replica-verification": "org.apache.kafka.tools.ReplicaVerificationTool",
}
_TRACE = re.compile(r"\tat .*|\s*\.\.\. \d+ more|Caused by: .*|\s*| \(org\.apache\.kafka\.tools\..*\)")
_HINT = re.compile(r"^Instead of .*\n", re.MULTILINE)
_STAMP = re.compile(r"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\] ")
_CLIENT = re.compile(r"\badminclient-\d+")
_ONLY_APACHE = re.compile(r"The consumer rebalance protocol \(KIP-848\)|OpenJDK|WARN StatusConsoleListener|Missing recommended")


class Outcome(NamedTuple):
    status: int
    output: str
    complaints: tuple[str, ...]


@cache
def _jvm() -> subprocess.Popen[str]:
    """The one JVM in which Apache's tools run, one command line after the other (RunTools.java)."""
    settings = tempfile.NamedTemporaryFile("w", suffix=".properties")  # noqa: SIM115 - as long as the JVM
    # Tools' own standard error is another stream for each command line: the logger follows it.
    settings.write(release.LOG4J2.read_text() + "\nappender.console.follow = true\n")
    settings.flush()
    flags = (*release.TOOL_FLAGS, "-Djava.security.manager=allow", "--add-opens=java.base/java.lang=ALL-UNNAMED")
    command = release.java_command(str(release.HERE / "java" / "RunTools.java"), [settings.name], flags)
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    atexit.register(lambda: (process.kill(), process.wait(), settings.close()))
    return process


def by_apache(tool: str, *arguments: str, stdin: str = "") -> Outcome:
    """`tool`: one of CLASSES, or another class."""
    return _outcome(*words_of_apache(tool, *arguments, stdin=stdin))


def words_of_apache(tool: str, *arguments: str, stdin: str = "") -> tuple[int, str, str]:
    """Its status, output and complaints, nothing left out."""
    jvm = _jvm()
    assert jvm.stdin is not None
    assert jvm.stdout is not None
    words = (b64encode(word.encode()).decode() for word in (CLASSES.get(tool, tool), stdin, *arguments))
    jvm.stdin.write(" ".join(f".{word}" for word in words) + "\n")
    jvm.stdin.flush()
    status, output, complaints = jvm.stdout.readline().split()
    return int(status), b64decode(output[1:]).decode(), b64decode(complaints[1:]).decode()


def by_barnabas(tool: str, *arguments: str, stdin: str = "") -> Outcome:
    done = subprocess.run([sys.executable, "-m", "barnabas.cli.kafka", tool, *arguments], input=stdin, capture_output=True, text=True, timeout=90)
    return _outcome(done.returncode, done.stdout, done.stderr)


def in_this_process(tool: str, *arguments: str) -> Outcome:
    """As `by_barnabas`, without a process of its own, which takes most of a short command's time; so nothing on standard input."""
    output, complaints = TextIOWrapper(BytesIO(), "utf-8"), TextIOWrapper(BytesIO(), "utf-8")
    with redirect_stdout(output), redirect_stderr(complaints):
        try:
            status = console.run(tool, list(arguments))
        except SystemExit as end:
            status = int(end.code or 0)
    return _outcome(status, *(_text(stream) for stream in (output, complaints)))


def _text(stream: TextIOWrapper) -> str:
    stream.flush()
    written = stream.buffer
    assert isinstance(written, BytesIO)
    return written.getvalue().decode()


def _ours(tool: str, *arguments: str, stdin: str = "") -> Outcome:
    """In a process what reads standard input, or writes bytes past the text layer of standard output."""
    alone = stdin or tool == "kafka-console-consumer"
    return by_barnabas(tool, *arguments, stdin=stdin) if alone else in_this_process(tool, *arguments)


def by_both(tool: str, *arguments: str, stdin: str = "") -> tuple[Outcome, Outcome]:
    """Apache's outcome and ours, of a command that changes nothing or may be done twice."""
    with ThreadPoolExecutor(1) as pool:
        theirs = pool.submit(by_apache, tool, *arguments, stdin=stdin)
        ours = _ours(tool, *arguments, stdin=stdin)
        return theirs.result(), ours


def by_both_alike(
    tool: str, *arguments: str, stdin: str = "", shown: Callable[[Outcome], Outcome] = lambda outcome: outcome
) -> tuple[Outcome, Outcome]:
    """As `by_both` of a running node, without what `shown` leaves out; again where they differ: a node goes on between one tool's look and the other's."""
    for _ in range(ATTEMPTS):
        theirs, ours = map(shown, by_both(tool, *arguments, stdin=stdin))
        if ours == theirs:
            break
        time.sleep(0.5)
    return theirs, ours


def by_each(tool: str, *arguments: str, stdin: str = "") -> tuple[Outcome, Outcome]:
    """As `by_both` for a command that may be done only once: `%` in an argument becomes `a` for Apache's tool and `b` for ours, and back in what they say."""
    outcomes = []
    for letter, run in (("a", by_apache), ("b", by_barnabas)):
        outcome = run(tool, *(argument.replace("%", letter) for argument in arguments), stdin=stdin)
        names = [(argument.replace("%", letter), argument) for argument in arguments if "%" in argument]
        outcomes.append(_renamed(outcome, names))
    return outcomes[0], outcomes[1]


def _renamed(outcome: Outcome, names: list[tuple[str, str]]) -> Outcome:
    output, complaints = outcome.output, list(outcome.complaints)
    for name, argument in names:
        output = output.replace(name, argument)
        complaints = [line.replace(name, argument) for line in complaints]
    return Outcome(outcome.status, output, tuple(complaints))


def _outcome(status: int, output: str, errors: str) -> Outcome:
    complaints = []
    errors = _HINT.sub("", errors)
    for line in errors.split("\n"):
        if line.startswith("Option  "):
            break  # the help page
        line = _CLIENT.sub("adminclient-1", _STAMP.sub("", line))
        if not _TRACE.fullmatch(line) and not _ONLY_APACHE.search(line):
            complaints.append(line)
    return Outcome(status, output, tuple(complaints))
