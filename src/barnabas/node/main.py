"""The node's process: `python -m barnabas.node.main server.properties [--override key=value]*`.

Owns the process: arguments, signals, exit status. 0 after a clean stop, 1 when it could not start or had to stop.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys

_COLLECT_AFTER = (10_000, 20, 20)  # new objects; serving makes hardly any cycles, and looking for them after each 700 costs a twentieth of the time


class Process:
    """Waits for the first reason to stop.

    A signal may be taken by any thread (by another than this one right after SIGSTOP and SIGCONT, for instance), and Python runs its handler on this one only
    once that wakes up. So this one waits for a pipe, into which the signal itself writes, whichever thread takes it.
    """

    def __init__(self) -> None:
        self.status = 0
        self._reasons, self._wake = os.pipe()
        os.set_blocking(self._wake, False)

    def listen(self) -> None:
        """On the main thread."""
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, frame: None)

    def stop(self, status: int) -> None:
        """From any thread. A status other than 0 ends the process without handing anything over: a part of it is broken."""
        self.status = self.status or status
        with contextlib.suppress(BlockingIOError):  # full of reasons: it wakes up anyway
            os.write(self._wake, b"\0")

    def wait(self) -> None:
        os.read(self._reasons, 1)


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
    process.listen()
    try:
        running = start(arguments[0], overrides, process.stop)
    except CannotStart as refused:
        sys.stderr.write(f"{refused}\n")
        return 1
    gc.collect()
    gc.freeze()  # what a start leaves stays: the collector needn't look at it again
    gc.set_threshold(*_COLLECT_AFTER)
    process.wait()
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
