"""kafka-server-stop: asks the nodes of this machine to stop (SIGTERM, or $SIGNAL).

`--node-id=N` and `--process-role=ROLES` (all of a node's, such as broker,controller) choose among them; without either, every Barnabas node that this user
may signal stops, as Apache's script stops every Kafka. Nodes are found by their command line; Apache's own are left to Apache's script.
"""

from __future__ import annotations

import os
import signal
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from .server_start import NODE_MODULE

if TYPE_CHECKING:
    from collections.abc import Sequence


class RunningNode(NamedTuple):
    """`properties` is absolute; `settings` are the file's, overrides applied."""

    pid: int
    properties: str
    settings: dict[str, str]

    @property
    def node_id(self) -> str:
        return self.settings.get("node.id", "").strip()

    @property
    def roles(self) -> set[str]:
        return {role.strip() for role in self.settings.get("process.roles", "").split(",")}


def running_nodes() -> list[RunningNode]:
    """The Barnabas nodes of this machine that this user may see into."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdecimal() and (node := _node_of(int(entry))) is not None:
            found.append(node)
    return sorted(found)


def _node_of(pid: int) -> RunningNode | None:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = os.fsdecode(file.read(65536)).split("\0")
        if NODE_MODULE not in words[1:]:
            return None
        behind = words[words.index(NODE_MODULE) + 1 :]
        if words[words.index(NODE_MODULE) - 1] != "-m" or not behind:
            return None
        path = os.path.join(os.readlink(f"/proc/{pid}/cwd"), behind[0])
    except OSError:
        return None
    return RunningNode(pid, path, _settings(path, behind[1:]))


def _settings(path: str, words: Sequence[str]) -> dict[str, str]:
    from barnabas.storage.properties_file import PropertiesError, read_properties

    try:
        settings = {entry.key: entry.value for entry in read_properties(path)}
    except (OSError, PropertiesError):
        settings = {}
    for word, following in pairwise(words):
        if word == "--override":
            key, _, value = following.partition("=")
            settings[key] = value
    return settings


def main(argv: Sequence[str]) -> int:
    if _value(argv, "--node-id") and _value(argv, "--process-role"):
        print("When both node-id and process-role are provided, the value for node-id will take precedence")
    stopped = 0
    for node in chosen(running_nodes(), argv):
        try:
            os.kill(node.pid, _signal())
            stopped += 1
        except ProcessLookupError:
            pass
        except PermissionError:
            sys.stderr.write(f"Node {node.node_id} (pid {node.pid}) belongs to another user.\n")
    if not stopped:
        print("No kafka server to stop")
        return 1
    return 0


def chosen(nodes: Sequence[RunningNode], argv: Sequence[str]) -> list[RunningNode]:
    """Those that the arguments mean."""
    roles, node_id = _value(argv, "--process-role"), _value(argv, "--node-id")
    if node_id:
        return [node for node in nodes if node.node_id == node_id]
    if roles:
        return [node for node in nodes if node.roles == {role.strip() for role in roles.split(",")}]
    return list(nodes)


def _value(words: Sequence[str], option: str) -> str | None:
    """The value of `--option=value` or `--option value`."""
    for index, word in enumerate(words):
        if word.startswith(option + "="):
            return word[len(option) + 1 :]
        if word == option and index + 1 < len(words):
            return words[index + 1]
    return None


def _signal() -> int:
    name = os.environ.get("SIGNAL") or "TERM"
    if name.isdecimal():
        return int(name)
    return int(signal.Signals[f"SIG{name.removeprefix('SIG')}"])
