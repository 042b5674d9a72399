"""Each node of a cluster on a host of its own: a network namespace on a bridge. A host whose cable is pulled is gone: no packet comes back, no refusal either.

Owns: namespaces, their cables, and that nothing of them is left behind. Needs root and the kernel's veth and bridge; `unusable()` says what is missing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from random import SystemRandom
from typing import TYPE_CHECKING

from tests.nodes import Engine

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.cluster.cluster import Member

_PREFIX = "bnb"  # names: bnb<pid>x<node>; interfaces have at most 15 characters


class Namespaces:
    """Give it to a Cluster as its network. The nodes' addresses are 10.x.y.ID; whoever runs the test is 10.x.y.254."""

    def __init__(self) -> None:
        _remove_leftovers()
        random = SystemRandom()
        self.prefix = f"10.{random.randrange(100, 250)}.{random.randrange(1, 250)}"
        self._bridge = f"{_PREFIX}{os.getpid()}xb"
        self._names: dict[int, str] = {}
        _ip("link", "add", self._bridge, "type", "bridge")
        _ip("address", "add", f"{self.prefix}.254/24", "dev", self._bridge)
        _ip("link", "set", self._bridge, "up")

    def advertised(self, node_id: int) -> str:
        return f"{self.prefix}.{node_id}"

    def inside(self, node_id: int, engine: Engine) -> Engine:
        """The engine as it is started on this node's host."""
        name = self._names[node_id] = f"{_PREFIX}{os.getpid()}x{node_id}"
        _ip("netns", "add", name)
        _ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("link", "set", name, "master", self._bridge, "up")
        _ip("-n", name, "address", "add", f"{self.prefix}.{node_id}/24", "dev", "eth0")
        _ip("-n", name, "link", "set", "eth0", "up")
        _ip("-n", name, "link", "set", "lo", "up")
        return engine._replace(start_command=lambda properties: ["ip", "netns", "exec", name, *engine.start_command(properties)])

    def serve(self, members: Mapping[int, Member], ports: Mapping[int, Iterable[int]]) -> None:
        """Nothing: the hosts are there already."""

    def pull_cable(self, node_id: int) -> None:
        _ip("link", "set", self._names[node_id], "down")

    def heal(self) -> None:
        for name in self._names.values():
            _ip("link", "set", name, "up")

    def close(self) -> None:
        for name in self._names.values():
            _ip("netns", "delete", name, check=False)
            _ip("link", "delete", name, check=False)
        _ip("link", "delete", self._bridge, check=False)


def unusable() -> str | None:
    """Why there can't be namespaces here; None if there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "network namespaces need `ip` (Debian: iproute2)"
    try:
        Namespaces().close()
    except RuntimeError as error:
        return f"this system has no network namespaces with veth and bridge: {error}"
    return None


def _remove_leftovers() -> None:
    """What processes that are gone left behind."""
    named = {row.split()[0] for row in _ip("netns", "list").splitlines() if row.startswith(_PREFIX)}
    links = {row.split(":")[1].strip().split("@")[0] for row in _ip("-o", "link").splitlines() if row.split(":")[1].strip().startswith(_PREFIX)}
    for name in named | links:
        pid = name.removeprefix(_PREFIX).partition("x")[0]
        if pid.isdecimal() and not os.path.exists(f"/proc/{pid}"):
            _ip("netns", "delete", name, check=False)
            _ip("link", "delete", name, check=False)


def _ip(*words: str, check: bool = True) -> str:
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if check and done.returncode != 0:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout
