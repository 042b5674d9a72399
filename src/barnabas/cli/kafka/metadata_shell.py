"""kafka-metadata-shell: look around in the cluster's metadata, by one command or in a shell. Flags, commands and output of Apache Kafka's MetadataShell.

Owns the options and the two ways to run. The commands are `metadata_commands`, the tree is `metadata_tree`, the files `metadata_files`.
"""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

from .argparse4j import ArgumentError, HelpWanted
from .flat_arguments import Argument, parse
from .java import java_message, java_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .metadata_commands import Shell

TOOL = "kafka-metadata-shell"
ARGUMENTS = (
    Argument(
        "--snapshot",
        "The metadata snapshot to read, or a segment of the metadata log; or a directory of them, which may be a running node's.",
        "SNAPSHOT",
        required=True,
        short="-s",
    ),
    Argument("command", "The command to run; a shell without one.", many="*"),
)
PROMPT = ">> "


def main(argv: Sequence[str]) -> int:
    try:
        given = parse(TOOL, "The metadata shell", ARGUMENTS, argv)
    except HelpWanted as page:
        print(str(page), end="")
        return 1
    except (ArgumentError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return _run(given.text("--snapshot"), given.all("command") or [])


def _run(path: str, words: list[str]) -> int:
    from . import metadata_commands, metadata_files, metadata_tree

    try:
        if not words:
            print("Loading...")
        state = metadata_files.state(path)
        tree = metadata_tree.root(metadata_files.load(path))
    except (OSError, metadata_files.LockedDirectory) as error:
        cause = f"{java_name(error)}: " if isinstance(error, OSError) else ""
        sys.stderr.write(f"Unexpected error: {cause}{java_message(error)}\n")
        sys.stderr.write(f"{'java.util.concurrent.ExecutionException' if cause else java_name(error)}: {cause}{java_message(error)}\n")
        return 1
    if words:
        shell = metadata_commands.Shell(tree)
        try:
            shell.run(words)
        except metadata_commands.Failed as error:
            sys.stdout.flush()
            sys.stderr.write(f"Unexpected error: {error}\njava.lang.RuntimeException: {error}\n")
            return 1
        return 0
    print("Starting...")
    return _interact(metadata_commands.Shell(tree, interactive=True), _Followed(path, state))


class _Followed:
    """A directory that may be a running node's: the shell shows what is so when a command is typed. A file stays what it was."""

    def __init__(self, path: str, state: tuple[tuple[str, int, int], ...]) -> None:
        self._path = path
        self._state = state

    def refresh(self, shell: Shell) -> None:
        from . import metadata_files, metadata_tree

        try:
            state = metadata_files.state(self._path)
            if state != self._state:
                shell.show(metadata_tree.root(metadata_files.load(self._path)))
                self._state = state
        except OSError:
            return  # a snapshot that has just made room for the next one: the next command looks again


def _interact(shell: Shell, followed: _Followed) -> int:
    """Lines until `exit` or the end of the input; a terminal has history and completion by Tab."""
    from .metadata_commands import Failed

    print("[ Kafka Metadata Shell ]")
    terminal = sys.stdin.isatty()
    if terminal:
        _prepare_terminal(shell)
    while True:
        try:
            line = input(PROMPT)
        except EOFError:
            return 0
        except KeyboardInterrupt:
            print("^C")
            continue
        if line:
            shell.history.append(line)
        try:
            words = shlex.split(line)
        except ValueError:
            words = line.split()
        followed.refresh(shell)
        try:
            if not shell.run(words):
                return 0
        except Failed as error:
            sys.stdout.flush()
            sys.stderr.write(f"Unexpected error: {error}\n")
            return 1


def _prepare_terminal(shell: Shell) -> None:
    try:
        import readline
    except ImportError:  # a Python without it has plain lines
        return

    def complete(text: str, state: int) -> str | None:
        words = readline.get_line_buffer()[: readline.get_endidx()].lstrip().split(" ")
        found = shell.completions(words)
        return found[state] if state < len(found) else None

    readline.set_completer_delims(" ")
    readline.set_completer(complete)
    readline.parse_and_bind("tab: complete")
