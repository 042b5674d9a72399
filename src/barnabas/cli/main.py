"""barnabas: one command for a node on this machine. `up`, `down`, `status`, `version`.

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
        ("up", "start a node, making its directory at the first time"),
        ("down", "stop it; the data stays"),
        ("status", "what runs, where, and what it uses"),
        ("version", "versions of Barnabas and of the Kafka that it is"),
    ):
        command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        command.add_argument("--json", action="store_true", help="print the outcome as JSON")
        if name != "version":
            command.add_argument("--dir", default=directory, metavar="DIR", help="the node's directory (default: $BARNABAS_DATA, else ./data)")
        if name == "up":
            command.add_argument("--port", type=int, metavar="PORT", help="the port for clients at the first start (default: 9092, else a free one)")
    return parser


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
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return 130


def _run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    if arguments.command == "up":
        from .up import up

        return up(terminal, arguments.dir, arguments.port)
    if arguments.command == "down":
        from .down import down

        return down(terminal, arguments.dir)
    if arguments.command == "status":
        from .status import status

        return status(terminal, arguments.dir)
    from .version import version

    return version(terminal)
