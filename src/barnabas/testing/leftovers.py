"""What a killed test session leaves behind, a node and its directory, is removed by the next one.

Each node's directory has a file `owner` that its test process keeps locked; a directory whose owner's lock is free belongs to nobody any more.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import shutil
import signal
import tempfile
import time

from barnabas.cli.home import Home

PREFIX = "barnabas-testing-"
OWNER = "owner"
PLACES = ("/dev/shm", tempfile.gettempdir())
END_TIMEOUT_S = 10.0

_removed = False


class Claim:
    """A held lock on a node's directory."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def close(self) -> None:
        os.close(self._descriptor)


def claim(folder: str) -> Claim:
    """Marks `folder` as in use by this process. The file appears locked, so that nobody sees it free before."""
    path = os.path.join(folder, OWNER)
    descriptor = os.open(path + ".new", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.rename(path + ".new", path)
    return Claim(descriptor)


def remove(again: bool = False) -> None:
    """Ends nodes and removes directories whose owners are dead; once in a process."""
    global _removed
    if _removed and not again:
        return
    _removed = True
    for place in dict.fromkeys(PLACES):
        for path in glob.glob(os.path.join(glob.escape(place), PREFIX + "*", OWNER)):
            _remove_if_orphaned(path)


def _remove_if_orphaned(path: str) -> None:
    """Other users' directories, and those that another process removes at the same time, are left alone."""
    try:
        if os.stat(path).st_uid != os.getuid():
            return
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return
    with contextlib.closing(Claim(descriptor)):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return
        home = Home(os.path.dirname(path))
        end_process(home)
        shutil.rmtree(home.directory, ignore_errors=True)


def end_process(home: Home) -> None:
    """SIGKILL to the home's node, if it runs, and waits until it is gone."""
    deadline = time.monotonic() + END_TIMEOUT_S
    while (pid := home.pid()) is not None and time.monotonic() < deadline:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)
