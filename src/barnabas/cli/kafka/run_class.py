"""kafka-run-class: the tools by the names of Kafka's classes. A class of 4.3.1 runs the tool here; one that moved or went away is refused as Java does, and what
to type instead is named.

Owns the classes' names: those of the release, those of older ones. Classes of other programs need a JVM and aren't run.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from . import console

if TYPE_CHECKING:
    from collections.abc import Sequence

TOOLS = "org.apache.kafka.tools."
SCRIPTS = {
    "kafka.Kafka": "kafka-server-start",
    "kafka.admin.ConfigCommand": "kafka-configs",
    "kafka.docker.KafkaDockerWrapper": "kafka-docker-wrapper",
    "kafka.tools.StorageTool": "kafka-storage",
    "org.apache.kafka.shell.MetadataShell": "kafka-metadata-shell",
    f"{TOOLS}AclCommand": "kafka-acls",
    f"{TOOLS}BrokerApiVersionsCommand": "kafka-broker-api-versions",
    f"{TOOLS}ClientMetricsCommand": "kafka-client-metrics",
    f"{TOOLS}ClusterTool": "kafka-cluster",
    f"{TOOLS}ConsoleProducer": "kafka-console-producer",
    f"{TOOLS}ConsumerPerformance": "kafka-consumer-perf-test",
    f"{TOOLS}DelegationTokenCommand": "kafka-delegation-tokens",
    f"{TOOLS}DeleteRecordsCommand": "kafka-delete-records",
    f"{TOOLS}DumpLogSegments": "kafka-dump-log",
    f"{TOOLS}EndToEndLatency": "kafka-e2e-latency",
    f"{TOOLS}FeatureCommand": "kafka-features",
    f"{TOOLS}GetOffsetShell": "kafka-get-offsets",
    f"{TOOLS}GroupsCommand": "kafka-groups",
    f"{TOOLS}JmxTool": "kafka-jmx",
    f"{TOOLS}LeaderElectionCommand": "kafka-leader-election",
    f"{TOOLS}LogDirsCommand": "kafka-log-dirs",
    f"{TOOLS}MetadataQuorumCommand": "kafka-metadata-quorum",
    f"{TOOLS}ProducerPerformance": "kafka-producer-perf-test",
    f"{TOOLS}ReplicaVerificationTool": "kafka-replica-verification",
    f"{TOOLS}ShareConsumerPerformance": "kafka-share-consumer-perf-test",
    f"{TOOLS}StreamsResetter": "kafka-streams-application-reset",
    f"{TOOLS}TopicCommand": "kafka-topics",
    f"{TOOLS}TransactionsCommand": "kafka-transactions",
    f"{TOOLS}VerifiableConsumer": "kafka-verifiable-consumer",
    f"{TOOLS}VerifiableProducer": "kafka-verifiable-producer",
    f"{TOOLS}VerifiableShareConsumer": "kafka-verifiable-share-consumer",
    f"{TOOLS}consumer.ConsoleConsumer": "kafka-console-consumer",
    f"{TOOLS}consumer.ConsoleShareConsumer": "kafka-console-share-consumer",
    f"{TOOLS}consumer.group.ConsumerGroupCommand": "kafka-consumer-groups",
    f"{TOOLS}consumer.group.ShareGroupCommand": "kafka-share-groups",
    f"{TOOLS}reassign.ReassignPartitionsCommand": "kafka-reassign-partitions",
    f"{TOOLS}streams.StreamsGroupCommand": "kafka-streams-groups",
}
"""Class of 4.3.1 -> the script that runs it."""
MOVED_FROM = ("kafka.tools.", "kafka.admin.")
NO_JMX = (
    "a Barnabas node is no JVM and has no JMX port; on Apache Kafka's nodes kafka-jmx.sh (class org.apache.kafka.tools.JmxTool) takes the same flags"
)
GONE = {
    "kafka.admin.PreferredReplicaLeaderElectionCommand": "kafka-leader-election.sh --election-type preferred",
    "kafka.admin.ZkSecurityMigrator": "nothing: there is no ZooKeeper in Kafka 4",
    "kafka.tools.ConsumerOffsetChecker": "kafka-consumer-groups.sh --describe --group GROUP",
    "kafka.tools.ExportZkOffsets": "kafka-consumer-groups.sh --reset-offsets --to-current --export",
    "kafka.tools.ImportZkOffsets": "kafka-consumer-groups.sh --reset-offsets --from-file FILE --execute",
    "kafka.tools.MirrorMaker": "connect-mirror-maker.sh of Apache Kafka (MirrorMaker 2)",
    "kafka.tools.SimpleConsumerShell": "kafka-console-consumer.sh --partition N --offset N",
    "kafka.tools.StateChangeLogMerger": "nothing: search the logs",
    "kafka.tools.UpdateOffsetsInZK": "kafka-consumer-groups.sh --reset-offsets",
    "org.apache.zookeeper.server.quorum.QuorumPeerMain": "nothing: Kafka 4 has no ZooKeeper",
}
"""Class of an older release -> what does its work now."""
EXAMPLES = {
    "kafka-get-offsets": " --bootstrap-server HOST:PORT --topic T --time -1 (or latest, -2 earliest, -3 max-timestamp, -4 earliest-local, -5 latest-tiered)",
}


def main(argv: Sequence[str]) -> int:
    arguments, name, daemon = list(argv), "kafkaServer", False
    while arguments and arguments[0] in ("-daemon", "-name", "-loggc"):
        word = arguments.pop(0)
        daemon = daemon or word == "-daemon"
        if word == "-name" and arguments:
            name = arguments.pop(0)
    if not arguments:
        print("USAGE: kafka-run-class.sh [-daemon] [-name servicename] [-loggc] classname [opts]")
        return 1
    wanted, *rest = arguments
    script = SCRIPTS.get(wanted)
    module = console.MODULES.get(script or "")
    if script is None or module is None:
        return _refuse(wanted, script)
    if daemon:
        from .server_start import start_daemon

        return start_daemon([sys.executable, "-m", __package__ or "", script, *rest], name)
    return int(import_module(f"{__package__}.{module}").main(rest))


def _refuse(wanted: str, script: str | None) -> int:
    sys.stdout.flush()
    if script is None:
        sys.stderr.write(f"Error: Could not find or load main class {wanted}\nCaused by: java.lang.ClassNotFoundException: {wanted}\n")
        fate, now = _instead(wanted)
    else:
        fate, now = "of Apache Kafka alone", NO_JMX if script == "kafka-jmx" else f"{script}.sh of Apache Kafka; it isn't here yet"
    sys.stderr.write(f"Instead of {wanted} ({fate}): {now}\n")
    return 1


def _instead(wanted: str) -> tuple[str, str]:
    """What became of a class that isn't in the release, and what to type."""
    if wanted in GONE:
        return "gone", GONE[wanted]
    simple = wanted.rpartition(".")[2]
    found = next((name for name in SCRIPTS if name.rpartition(".")[2] == simple), None)
    if found is None:
        known = ", ".join(sorted(f"{script}.sh" for script in console.MODULES if script != "kafka-run-class"))
        return "no class of Apache Kafka 4.3.1 that is run here", f"one of {known}"
    script = SCRIPTS[found]
    fate = "moved" if wanted.startswith(MOVED_FROM) else "no such class"
    if script == "kafka-jmx":
        return fate, NO_JMX
    return fate, f"{script}.sh{EXAMPLES.get(script, ', or the class ' + found)}"
