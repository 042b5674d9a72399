"""The tools as processes: entry points of the scripts `kafka-NAME` and `kafka-NAME.sh`.

Owns: which module is which script, and how a process ends: its status, a broken pipe, Ctrl-C.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

MODULES = {
    "kafka-topics": "topics",
    "kafka-configs": "configs",
    "kafka-consumer-groups": "consumer_groups",
    "kafka-console-producer": "console_producer",
    "kafka-console-consumer": "console_consumer",
    "kafka-dump-log": "dump_log",
    "kafka-get-offsets": "get_offsets",
    "kafka-metadata-shell": "metadata_shell",
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
    module = MODULES.get(name)
    if module is None:
        sys.stderr.write(f"{name} is none of the tools here: {', '.join(sorted(MODULES))}\n")
        return 1
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
