"""barnabas: one command for a node, or a cluster, on this machine. `up`, `down`, `restart`, `status`, `version`.

Owns the command line; each command is a module of its name, imported when it is asked for.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .terminal import Terminal

EPILOGUE = (
    "Kafka's own tools are here under their own names: kafka-topics, kafka-configs, kafka-console-producer, kafka-console-consumer, "
    "kafka-get-offsets, kafka-dump-log, kafka-storage, kafka-server-start, kafka-server-stop."
)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="barnabas", description="Kafka in Python: a node on this machine.", epilog=EPILOGUE)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    directory = os.environ.get("BARNABAS_DATA") or "data"
    for name, text in (
        ("up", "start a node, or a cluster of several, making its directory at the first time"),
        ("down", "stop it; the data stays"),
        ("restart", "restart its nodes, one after the other"),
        ("status", "what runs, where, and what it uses"),
        ("version", "versions of Barnabas and of the Kafka that it is"),
    ):
        command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        command.add_argument("--json", action="store_true", help="print the outcome as JSON")
        if name != "version":
            command.add_argument("--dir", default=directory, metavar="DIR", help="the node's directory (default: $BARNABAS_DATA, else ./data)")
        if name == "up":
            command.add_argument("--port", type=int, metavar="PORT", help="the port for clients at the first start (default: 9092, else a free one)")
            command.add_argument("--nodes", type=_count, metavar="N", help="brokers of a new cluster (default: one)")
            command.add_argument(
                "--roles",
                choices=("combined", "separate"),
                default="combined",
                help="whether brokers of a new cluster are controllers too, or it has controllers beside them (default: combined)",
            )
    return parser


def _count(text: str) -> int:
    from .fleet import MAX_NODES

    if not text.isdecimal() or not 1 <= int(text) <= MAX_NODES:
        raise argparse.ArgumentTypeError(f"{text!r} isn't a number from 1 to {MAX_NODES}")
    return int(text)


def main(argv: Sequence[str] | None = None) -> int:
    parser = build_parser()
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        parser.print_help()
        return 0
    from .terminal import Terminal

    terminal = Terminal(as_json=arguments.json)
    try:
        return _run(arguments, terminal)
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`): nothing to tell anybody.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return 130


def _run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    if arguments.command == "up":
        return _up(arguments, terminal)
    if arguments.command == "restart":
        from .restart import restart

        return restart(terminal, arguments.dir)
    if arguments.command == "down":
        from .down import down

        return down(terminal, arguments.dir)
    if arguments.command == "status":
        from .status import status

        return status(terminal, arguments.dir)
    from .version import version

    return version(terminal)


def _up(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """One combined node has a home of its own; several, or separate roles, are a fleet of homes."""
    from .fleet import COMBINED, Fleet
    from .home import Home

    several = (arguments.nodes or 1) > 1 or arguments.roles != COMBINED
    if Fleet(arguments.dir).exists() or (several and not Home(arguments.dir).exists()):
        from .fleet_up import up_fleet

        return up_fleet(terminal, arguments.dir, arguments.nodes, arguments.roles, arguments.port)
    if several:
        return terminal.fail(
            f"{os.path.abspath(arguments.dir)} holds a cluster of one node already: leave --nodes and --roles out, or use another --dir."
        )
    from .up import up

    return up(terminal, arguments.dir, arguments.port)
