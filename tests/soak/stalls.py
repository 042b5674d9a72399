"""`make soak-stalls`: tests of nodes on a machine that stands still now and then, as a busy virtual one does.

All processes of the run, pytest and its nodes, are held together for up to STALL_S every EVERY_S or so, and go on in any order. Nothing may fail by that: a
test waits for what it means, not for a time in which something should have happened.

    python -m tests.soak.stalls STALL_S EVERY_S COMMAND...
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from time import sleep

from tests.nodes import is_stopped


def _processes(first: int) -> list[int]:
    """A process and all that it has started."""
    children = defaultdict(list)
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            children[int((path / "stat").read_text().rpartition(") ")[2].split()[1])].append(int(path.name))
    found = [first]
    for pid in found:
        found += children[pid]
    return found


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in random.sample(pids, len(pids)):
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def main() -> int:
    stall_s, every_s = map(float, sys.argv[1:3])
    run = subprocess.Popen(sys.argv[3:])
    stalls = 0
    while run.poll() is None:
        sleep(random.uniform(0.1, 2) * every_s)
        held = [pid for pid in _processes(run.pid) if not is_stopped(Path(f"/proc/{pid}"))]  # a test that holds a node goes on holding it
        _signal(held, signal.SIGSTOP)
        sleep(random.uniform(0.3, 1) * stall_s)
        _signal(held, signal.SIGCONT)
        stalls += 1
    print(f"{stalls} stalls of up to {stall_s} s")
    return run.returncode


if __name__ == "__main__":
    sys.exit(main())
