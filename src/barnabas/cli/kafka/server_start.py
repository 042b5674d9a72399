"""kafka-server-start: becomes a node. `kafka-server-start [-daemon] server.properties [--override property=value]*`.

Owns: the arguments, the working of -daemon. The process that this command is turns into the node by exec, so its pid, descriptors and signals are the node's.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # typing takes as long to import as all the rest of this start together
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

NODE_MODULE = "barnabas.node.main"
USAGE = "USAGE: {} [-daemon] server.properties [--override property=value]*"


def node_command(properties: str, overrides: Sequence[str] = ()) -> list[str]:
    """The command line of a node; `kafka-server-stop` recognises nodes by it."""
    return [sys.executable, "-m", NODE_MODULE, properties, *(word for override in overrides for word in ("--override", override))]


def main(argv: Sequence[str]) -> int:
    arguments = list(argv)
    name = os.path.basename(sys.argv[0]) or "kafka-server-start"
    daemon = arguments[:1] == ["-daemon"]
    if daemon:
        del arguments[0]
    if not arguments:
        print(USAGE.format(name))
        return 1
    if "--help" in arguments:
        sys.stderr.write(f"{USAGE.format(name)}\n")
        return 1
    if "--version" in arguments:
        from . import VERSION

        print(VERSION)
        return 0
    from .java_environment import for_node

    overrides = _overrides(arguments[1:])
    told = for_node(os.environ, as_daemon=daemon)
    if told.refusal:
        sys.stderr.write(f"{told.refusal}\n")
        return 1
    if not os.path.isfile(arguments[0]):
        sys.stderr.write(f"{arguments[0]}: no such file. Give the path of a server.properties.\n")
        return 1
    sys.stderr.writelines(f"{note}\n" for note in told.notes)
    command = [*node_command(arguments[0], overrides), *told.options]
    if daemon:
        return start_daemon(command, _daemon_name(os.environ.get("EXTRA_ARGS", "").split()))
    sys.stdout.flush()
    return _become(command)


def _daemon_name(extra: Sequence[str]) -> str:
    """What the file of its output is called; $EXTRA_ARGS may have another `-name`."""
    return extra[extra.index("-name") + 1] if "-name" in extra[:-1] else "kafkaServer"


def _become(command: list[str]) -> NoReturn:
    os.execv(command[0], command)


def _overrides(words: Sequence[str]) -> list[str]:
    """The `property=value` words behind each --override. Ends the process on anything else."""
    found: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, _, value = word.partition("=")
        if name != "--override":
            what = f"{name.lstrip('-')} is not a recognized option" if word.startswith("-") else f"Found non argument parameters: {word}"
            sys.stderr.write(f"{what}\n")
            raise SystemExit(1)
        if not value:
            if not rest:
                sys.stderr.write("Option override requires an argument\n")
                raise SystemExit(1)
            value = rest.pop(0)
        found.append(value)
    return found


def start_daemon(command: list[str], name: str) -> int:
    """A session of its own, output to NAME.out in $LOG_DIR (else ./logs)."""
    directory = os.environ.get("LOG_DIR") or "logs"
    os.makedirs(directory, exist_ok=True)
    out = os.open(os.path.join(directory, f"{name}.out"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    actions = [(os.POSIX_SPAWN_DUP2, nothing, 0), (os.POSIX_SPAWN_DUP2, out, 1), (os.POSIX_SPAWN_DUP2, out, 2)]
    os.posix_spawn(command[0], command, os.environ, file_actions=actions, setsid=True)
    return 0
