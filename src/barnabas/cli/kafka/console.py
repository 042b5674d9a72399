"""The tools as processes: entry points of the scripts `kafka-NAME` and `kafka-NAME.sh`.

Owns: which module is which script, and how a process ends: its status, a broken pipe, Ctrl-C, a hint behind a refusal.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

from . import instead

MODULES = {
    "kafka-topics": "topics",
    "kafka-configs": "configs",
    "kafka-consumer-groups": "consumer_groups",
    "kafka-console-producer": "console_producer",
    "kafka-console-consumer": "console_consumer",
    "kafka-dump-log": "dump_log",
    "kafka-get-offsets": "get_offsets",
    "kafka-metadata-shell": "metadata_shell",
    "kafka-producer-perf-test": "producer_perf",
    "kafka-consumer-perf-test": "consumer_perf",
    "kafka-verifiable-producer": "verifiable_producer",
    "kafka-verifiable-consumer": "verifiable_consumer",
    "kafka-delete-records": "delete_records",
    "kafka-log-dirs": "log_dirs",
    "kafka-leader-election": "leader_election",
    "kafka-cluster": "cluster_tool",
    "kafka-docker-wrapper": "docker_wrapper",
    "kafka-features": "features",
    "kafka-metadata-quorum": "metadata_quorum",
    "kafka-reassign-partitions": "reassign_partitions",
    "kafka-replica-verification": "replica_verification",
    "kafka-broker-api-versions": "broker_api_versions",
    "kafka-run-class": "run_class",
    "kafka-server-start": "server_start",
    "kafka-server-stop": "server_stop",
    "kafka-storage": "storage",
}
"""Script -> module of this package with `main(argv) -> int`."""


def main() -> None:
    """Runs the tool that the process is called as."""
    name = os.path.basename(sys.argv[0]).removesuffix(".sh")
    sys.exit(run(name, sys.argv[1:]))


def run(name: str, arguments: list[str]) -> int:
    """The exit status of a tool; behind one that isn't zero, what to type instead of words that older releases knew."""
    module = MODULES.get(name)
    if module is None:
        sys.stderr.write(f"{name} is none of the tools here: {instead.SCRIPTS.get(name) or ', '.join(sorted(MODULES))}\n")
        return 1
    status = 1  # a tool that refuses its arguments leaves by SystemExit
    try:
        status = _run(module, arguments)
    finally:
        if status:
            sys.stderr.writelines(f"{hint}\n" for hint in instead.hints(name, arguments))
    return status


def _run(module: str, arguments: list[str]) -> int:
    try:
        status = int(import_module(f"{__package__}.{module}").main(arguments))
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`): nothing to tell anybody.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
