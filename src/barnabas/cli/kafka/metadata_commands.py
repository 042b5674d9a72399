"""The metadata shell's commands: cat, cd, exit, find, help, history, ls, man, pwd, tree; paths with globs.

Owns what each prints, to the line as Apache's shell. The tree that they walk is `metadata_tree`.
"""

from __future__ import annotations

import re
import shutil
import sys
from typing import TYPE_CHECKING, NamedTuple

from .argparse4j import entry
from .metadata_tree import Directory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .metadata_tree import Node

_SPECIAL_TO_GLOBS = "*?\\{}"
_SPECIAL_TO_PATTERNS = "$()+.[]^{|"


class Failed(RuntimeError):
    """Ends the command with a stack trace in Apache's shell."""


class Command(NamedTuple):
    name: str
    help: str
    argument: str = ""
    many: str = ""
    """How many: "+" (at least one), "*", "?", "1"; empty for none."""
    argument_help: str = ""
    shell_only: bool = False

    @property
    def usage(self) -> str:
        if not self.many:
            return ""
        one = self.argument
        return {"+": f" {one} [{one} ...]", "*": f" [{one} [{one} ...]]", "?": f" [{one}]", "1": f" {one}"}[self.many]


COMMANDS = {
    command.name: command
    for command in (
        Command("cat", "What a metadata file says.", "targets", "+", "The files to print."),
        Command("cd", "Go to another directory.", "target", "?", "Where to go; the root without it.", True),
        Command("exit", "Leave the shell.", shell_only=True),
        Command("find", "Every path below a directory.", "paths", "*", "Where to begin."),
        Command("help", "This list.", shell_only=True),
        Command("history", "The lines typed so far.", "numEntriesToShow", "?", "How many of the last ones.", True),
        Command("ls", "What a directory holds.", "targets", "*", "The directories."),
        Command("man", "What a command does and takes.", "cmd", "1", "Its name.", True),
        Command("pwd", "Where this shell is.", shell_only=True),
        Command("tree", "All files below a directory, with what they say.", "targets", "+", "The directories."),
    )
}


class _Wrong(ValueError):
    """What a command line is answered with."""


class Found(NamedTuple):
    """A node, and the names on the way to it."""

    path: tuple[str, ...]
    node: Node


class Shell:
    """One tree and a place in it. `run` prints; False means that the shell is left."""

    def __init__(self, tree: Directory, *, interactive: bool = False) -> None:
        self._root = tree
        self._interactive = interactive
        self.directory = "/"
        self.history: list[str] = []

    def show(self, tree: Directory) -> None:
        """Another tree, looked at from the same place."""
        self._root = tree

    def run(self, words: Sequence[str]) -> bool:
        words = list(words)
        while words and not words[-1]:
            words.pop()
        if not words:
            return True
        try:
            command, arguments = self._parse(words)
        except _Wrong as problem:
            print(problem)
            return True
        if command.name == "exit":
            return False
        getattr(self, f"_{command.name}")(arguments)
        return True

    def _known(self) -> dict[str, Command]:
        return {name: command for name, command in COMMANDS.items() if self._interactive or not command.shell_only}

    def _parse(self, words: list[str]) -> tuple[Command, list[str]]:
        name, arguments = words[0], words[1:]
        if name.startswith("-"):
            raise _Wrong(f"unrecognized arguments: '{name}'")
        known = self._known()
        command = known.get(name)
        if command is None:
            begun = [found for found in known if name and found.startswith(name)]
            if len(begun) == 1:
                raise _Wrong(f"invalid choice: '{name}': did you mean '{begun[0]}'?")
            if begun:
                raise _Wrong(f"ambiguous command: {name} could match {', '.join(begun)}")
            listed = ", ".join(f"'{found}'" for found in known)
            raise _Wrong(f"invalid choice: '{name}' (choose from {listed})")
        wrong = next((word for word in arguments if word.startswith("-") and len(word) > 1), None)
        if wrong is not None:
            raise _Wrong(f"unrecognized arguments: '{wrong}'")
        least, most = {"+": (1, None), "*": (0, None), "?": (0, 1), "1": (1, 1), "": (0, 0)}[command.many]
        if len(arguments) < least:
            raise _Wrong("too few arguments")
        if most is not None and len(arguments) > most:
            raise _Wrong(f"unrecognized arguments: '{' '.join(arguments[most:])}'")
        if command.name == "history" and arguments and not arguments[0].isdecimal():
            raise _Wrong(f"argument numEntriesToShow: could not convert '{arguments[0]}' to Integer (For input string: \"{arguments[0]}\")")
        return command, arguments

    # Paths

    def _find_all(self, glob: str) -> list[Found]:
        """What a path with globs names, in order; empty if nothing."""
        return list(_matches(_components(glob if glob.startswith("/") else f"{self.directory}/{glob}"), self._root, ()))

    def completions(self, words: Sequence[str]) -> list[str]:
        """What the last of the words, begun, may become; directories end with a slash."""
        if len(words) <= 1:
            return [f"{name} " for name in COMMANDS if name.startswith(words[0] if words else "")]
        command = COMMANDS.get(words[0])
        if command is None or not command.many or command.name == "history" or (command.many in "?1" and len(words) > 2):
            return []
        if command.name == "man":
            return [name for name in COMMANDS if name.startswith(words[-1])]
        head, slash, last = words[-1].rpartition("/")
        found = self._find_all(_literal(head + slash) or ".")
        if len(found) != 1 or not isinstance(found[0].node, Directory):
            return []
        node = found[0].node
        begun = [name for name in node.children() if name.startswith(last)]
        return [head + slash + name + ("/" if isinstance(node.child(name), Directory) else " ") for name in begun]

    # Commands

    def _cat(self, targets: Sequence[str]) -> None:
        for target in targets:
            found = self._find_all(target)
            if not found:
                print(f"cat: {target}: No such file or directory.")
            for one in found:
                if isinstance(one.node, Directory):
                    print(f"cat: {target}: Is a directory")
                else:
                    print(one.node.text)

    def _tree(self, targets: Sequence[str]) -> None:
        for target in targets:
            found = self._find_all(target)
            if not found:
                print(f"tree: {target}: No such file or directory.")
            for one in found:
                for line in _drawn(one.node, 0):
                    print(line)

    def _find(self, paths: Sequence[str]) -> None:
        for path in [path for path in paths if path] or ["."]:
            found = self._find_all(path)
            if not found:
                print(f"find: {path}: no such file or directory.")
            for one in found:
                for line in _walked(path, one.node):
                    print(line)

    def _ls(self, targets: Sequence[str]) -> None:
        files: list[str] = []
        directories: list[tuple[str, list[str]]] = []
        for target in [target for target in targets if target] or ["."]:
            found = self._find_all(target)
            if not found:
                print(f"ls: {target}: no such file or directory.")
            for one in found:
                name = one.path[-1] if one.path else "/"
                if isinstance(one.node, Directory):
                    directories.append((name, one.node.children()))
                else:
                    files.append(name)
        width = shutil.get_terminal_size().columns if self._interactive and sys.stdout.isatty() else None
        _print_entries(files, width)
        with_names, first = bool(files) or len(directories) > 1, not files
        for name, children in directories:
            if with_names and children:
                print(f"{name}:" if first else f"\n{name}:")
            first = first and not with_names
            _print_entries(children, width)

    def _cd(self, targets: Sequence[str]) -> None:
        target = targets[0] if targets else "/"
        found = self._find_all(target)
        if not found:
            print(f"cd: {target}: no such directory.")
        for one in found:
            if isinstance(one.node, Directory):
                self.directory = "/" + "/".join(one.path)
            else:
                print(f"cd: {target}: not a directory.")

    def _pwd(self, _: Sequence[str]) -> None:
        print(self.directory)

    def _history(self, arguments: Sequence[str]) -> None:
        count = min(int(arguments[0]) if arguments else len(self.history), len(self.history))
        for index in range(len(self.history) - count, len(self.history)):
            print(f"{index: 5d}  {self.history[index]}")

    def _help(self, _: Sequence[str]) -> None:
        names = ",".join(COMMANDS)
        print(f"Welcome to the metadata shell.\n\nusage:  {{{names}}} ...\n\npositional arguments:\n  {{{names}}}")
        for command in COMMANDS.values():
            print(entry(f"    {command.name}", command.help), end="")

    def _man(self, arguments: Sequence[str]) -> None:
        command = COMMANDS.get(arguments[0])
        if command is None:
            print(f"man: unknown command {arguments[0]}. Type help to get a list of commands.")
            return
        print(f"{command.name}: {command.help}\n\nusage: {command.name}{command.usage}")
        if command.many:
            print(f"\npositional arguments:\n{entry(f'  {command.argument}', command.argument_help)}", end="")


def _components(path: str) -> list[str]:
    found: list[str] = []
    for component in path.split("/"):
        if component == "..":
            found = found[:-1]
        elif component not in ("", "."):
            found.append(component)
    return found


def _literal(path: str) -> str:
    return re.sub(r"([*?\\{}])", r"\\\1", path)


def _matches(components: Sequence[str], node: Node, path: tuple[str, ...]) -> Iterator[Found]:
    if not components:
        yield Found(path, node)
        return
    if not isinstance(node, Directory):
        return
    first, rest = components[0], components[1:]
    pattern = glob_pattern(first)
    if pattern is None:
        child = node.child(first)
        if child is not None:
            yield from _matches(rest, child, (*path, first))
        return
    for name in node.children():
        if pattern.fullmatch(name):
            child = node.child(name)
            if child is None:
                raise Failed(f"Expected {name} to be a valid child of {'/' + '/'.join(path)}, but it was not.")
            yield from _matches(rest, child, (*path, name))


def glob_pattern(glob: str) -> re.Pattern[str] | None:
    """What `*`, `?` and `{a,b}` match; None for a name that stands for itself, also one whose braces don't close."""
    output, literal, in_group, position = "", True, False, 0
    while position < len(glob):
        c = glob[position]
        position += 1
        if c in "?*":
            literal, output = False, output + (".*" if c == "*" else ".")
        elif c == "\\" and position < len(glob):
            following = glob[position]
            position += 1
            output += ("\\" if following in _SPECIAL_TO_GLOBS + _SPECIAL_TO_PATTERNS else "") + following
        elif c == "{":
            if in_group:
                return None
            literal, in_group, output = False, True, output + "(?:(?:"
        elif c == "," and in_group:
            output += ")|(?:"
        elif c == "}" and in_group:
            in_group, output = False, output + "))"
        else:
            output += ("\\" if c in _SPECIAL_TO_PATTERNS else "") + c
    if literal or in_group:
        return None
    return re.compile(output, re.DOTALL)


def _walked(path: str, node: Node) -> Iterator[str]:
    yield path
    if isinstance(node, Directory):
        for name in node.children():
            child = node.child(name)
            if child is None:
                raise Failed(f"Expected {name} to be a valid child of {path}, but it was not.")
            yield from _walked(path + name if path == "/" else f"{path}/{name}", child)


def _drawn(node: Node, depth: int) -> Iterator[str]:
    if not isinstance(node, Directory):
        yield "  " * depth + node.text
        return
    for name in node.children():
        yield f"{'  ' * depth}{name}:"
        child = node.child(name)
        if child is not None:
            yield from _drawn(child, depth + 1)


def _print_entries(names: Sequence[str], width: int | None) -> None:
    """One below the other; in a terminal in as many columns as fit."""
    if not names:
        return
    columns = _column_count(names, width)
    height = -(-len(names) // columns)
    widths = [max(map(len, names[column * height : (column + 1) * height]), default=0) + 2 for column in range(columns)]
    for line in range(height):
        cells = [names[line + column * height] if line + column * height < len(names) else None for column in range(columns)]
        print("".join(cell.ljust(widths[i]) if i < columns - 1 else cell for i, cell in enumerate(cells) if cell is not None))


def _column_count(names: Sequence[str], width: int | None) -> int:
    most = 1 if width is None else width // 4
    for columns in range(most, 1, -1):
        height = -(-len(names) // columns)
        if (columns - 1) * height >= len(names):
            continue  # the last column would be empty
        if sum(max(map(len, names[c * height : (c + 1) * height])) + 2 for c in range(columns)) <= (width or 0):
            return columns
    return 1
