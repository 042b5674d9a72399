"""The node's process: `python -m barnabas.node.main server.properties [--override key=value]*`.

Owns the process: arguments, signals, exit status. 0 after a clean stop, 1 when it could not start or had to stop.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys

from barnabas.node.console_log import ERROR, ConsoleLog

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
    given: dict[str, list[str]] = {"--override": [], "--logs": [], "--log4j": []}
    for option, values in given.items():
        while option in arguments[1:-1]:
            at = arguments.index(option)
            values.append(arguments[at + 1])
            del arguments[at : at + 2]
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m barnabas.node.main server.properties [--override key=value]* [--logs DIRECTORY [--log4j FILE]]\n")
        return 1
    log = ConsoleLog("node")
    if given["--logs"] and not _write_files(log, given["--logs"][-1], given["--log4j"]):
        return 1
    from barnabas.node.lifecycle import CannotStart, start

    process = Process()
    process.listen()
    try:
        running = start(arguments[0], given["--override"], process.stop, log)
    except CannotStart as refused:
        sys.stderr.write(f"{refused}\n")
        if given["--logs"]:  # who looks there for why
            log.write(ERROR, str(refused))
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


def _write_files(log: ConsoleLog, directory: str, configurations: list[str]) -> bool:
    """Have the log in files too."""
    from barnabas.node.config.log4j import InvalidLogging
    from barnabas.node.log_files import attach

    try:
        attach(log, configurations[-1] if configurations else None, directory)
    except (InvalidLogging, OSError) as refused:
        sys.stderr.write(f"{refused}\n")
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
