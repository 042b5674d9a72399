"""What to type instead of command lines of older releases, where Kafka's own complaint leaves its reader alone.

Owns: options, topic configs and scripts that are gone or never were, each with what does it now. Said in a line of its own behind the complaint.
"""

from __future__ import annotations

from collections.abc import Sequence

SCRIPTS = {
    "kafka-metadata": "no release has a tool of this name: kafka-metadata-shell.sh --snapshot FILE [ls|cat|find PATH] on a stopped node, or "
    "kafka-dump-log.sh --cluster-metadata-decoder --files FILE; for the state of the quorum kafka-metadata-quorum.sh describe --status",
    "kafka-metadata-migration": "no release has a tool of this name, and Kafka 4 has no ZooKeeper to leave: a cluster on ZooKeeper migrates with 3.9, where the "
    "controllers are restarted without zookeeper.metadata.migration.enable and zookeeper.connect",
}
"""Script -> what does its work now."""

# word -> (what became of it, what to type)
_OPTIONS = {
    "--zookeeper": ("gone in 3.0", "--bootstrap-server HOST:PORT of a broker"),
    "--broker-list": ("gone in 4.0", "--bootstrap-server HOST:PORT"),
    "--new-consumer": ("gone in 2.0", "nothing"),
}
_KEEPS_BROKER_LIST = {"kafka-log-dirs", "kafka-reassign-partitions", "kafka-replica-verification"}
_TOPIC_CONFIGS = {
    "replication.factor": (
        "no config of a topic",
        "--replication-factor N when it is created, kafka-reassign-partitions.sh later, default.replication.factor of the brokers for topics that don't say",
    ),
    "partitions": ("no config of a topic", "--partitions N"),
}


def hints(tool: str, arguments: Sequence[str]) -> list[str]:
    """Lines for the user of a command line that was refused."""
    found = []
    for position, argument in enumerate(arguments):
        option, _, value = argument.partition("=")
        if option in _OPTIONS and not (option == "--broker-list" and tool in _KEEPS_BROKER_LIST):
            found.append(_line(option, *_OPTIONS[option]))
        if option in ("--config", "--add-config"):
            words = value or " ".join(arguments[position + 1 : position + 2])
            found += [_line(key, *row) for key, row in _TOPIC_CONFIGS.items() if any(word.startswith(f"{key}=") for word in words.split(","))]
    return found


def _line(word: str, fate: str, now: str) -> str:
    return f"Instead of {word} ({fate}): {now}"
