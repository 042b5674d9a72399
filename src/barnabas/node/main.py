"""The node's process: `python -m barnabas.node.main server.properties [--override key=value]*`.

Owns the process: arguments, signals, exit status. 0 after a clean stop, 1 when it could not start or had to stop.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading


class Process:
    """Waits for the first reason to stop."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.status = 0

    def on_signal(self, number: int, frame: object) -> None:
        self.ended.set()

    def stop(self, status: int) -> None:
        """From any thread. A status other than 0 ends the process without handing anything over: a part of it is broken."""
        self.status = self.status or status
        self.ended.set()


def main(arguments: list[str]) -> int:
    overrides = []
    while "--override" in arguments[1:-1]:
        at = arguments.index("--override")
        overrides.append(arguments[at + 1])
        del arguments[at : at + 2]
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m barnabas.node.main server.properties [--override key=value]*\n")
        return 1
    from barnabas.node.lifecycle import CannotStart, start

    process = Process()
    signal.signal(signal.SIGTERM, process.on_signal)
    signal.signal(signal.SIGINT, process.on_signal)
    try:
        running = start(arguments[0], overrides, process.stop)
    except CannotStart as refused:
        sys.stderr.write(f"{refused}\n")
        return 1
    gc.collect()
    gc.freeze()  # what a start leaves stays: the collector needn't look at it again
    process.ended.wait()
    if process.status:
        sys.stdout.flush()
        os._exit(process.status)
    running.node.log_info("shutting down")
    running.stop()
    running.node.log_info("shut down completed")
    sys.stdout.flush()
    os._exit(0)  # everything is closed; taking the interpreter apart would only take time


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
