"""The grammar of Kafka's tools that have subcommands: usage, help and errors laid out as the argparse4j library does, to the column.

Owns parsing and layout; a tool brings its commands and flags. Tools of that library without subcommands are `flat_arguments`; all others use `options`.
Help texts are ours, usages and errors are Kafka's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WIDTH = 75
HELP_COLUMN = 25


class ArgumentError(Exception):
    """What to print on the error stream, after which the tool ends with 1. `problem` is that without usage and layout."""

    def __init__(self, text: str, problem: str = "") -> None:
        super().__init__(text)
        self.problem = problem


class HelpWanted(Exception):
    """What to print on the output stream, after which the tool ends with 0."""


class Flag(NamedTuple):
    name: str
    """With its dashes, and where the value is kept."""
    short: str
    help: str
    takes_value: bool = True
    required: bool = False
    repeats: bool = False
    exclusive: bool = False
    """No two exclusive flags of a command go together."""

    @property
    def metavar(self) -> str:
        return f" {self.name[2:].replace('-', '_').upper()}" if self.takes_value else ""

    @property
    def label(self) -> str:
        return f"{self.name}/{self.short}"


class Command(NamedTuple):
    name: str
    help: str
    flags: tuple[Flag, ...] = ()


class Parsed(NamedTuple):
    command: str
    values: dict[str, list[str]]
    """By flag; a flag without a value that was given has an empty list."""

    def one(self, name: str) -> str | None:
        return self.values[name][-1] if name in self.values else None


def parse(tool: str, description: str, commands: Sequence[Command], arguments: Sequence[str]) -> Parsed:
    """Take the arguments apart. Raises ArgumentError, HelpWanted; OSError for an unreadable @file of arguments."""
    words = list(expanded(arguments))
    names = [command.name for command in commands]
    usage = f"usage: {tool} [-h]\n{' ' * 21}{{{','.join(names)}}}\n{' ' * 21}...\n"
    if not words:
        raise _error(usage, tool, "too few arguments")
    if words[0] in ("-h", "--help"):
        raise HelpWanted(_tool_help(usage, description, commands))
    if words[0].startswith("-"):
        raise _error(usage, tool, f"unrecognized arguments: '{words[0]}'")
    command = next((command for command in commands if command.name == words[0]), None)
    if command is None:
        listed = ", ".join(f"'{name}'" for name in names)
        raise _error(usage, tool, f"invalid choice: '{words[0]}' (choose from {listed})")
    return _parse_command(tool, command, words[1:])


def expanded(arguments: Iterable[str]) -> Iterable[str]:
    """`@FILE` stands for the file's lines."""
    for argument in arguments:
        if argument.startswith("@"):
            with open(argument[1:], encoding="utf-8") as file:
                yield from file.read().splitlines()
        else:
            yield argument


def _parse_command(tool: str, command: Command, words: list[str]) -> Parsed:
    usage = _command_usage(tool, command)
    values: dict[str, list[str]] = {}
    while words:
        word = words.pop(0)
        if word in ("-h", "--help"):
            raise HelpWanted(_command_help(usage, command))
        flag, value = _match(command, word)
        if flag is None:
            rest = [word] if word.startswith("-") else [word, *words]
            raise _error(usage, tool, f"unrecognized arguments: '{' '.join(rest)}'")
        if flag.takes_value:
            if value is None:
                if not words or (words[0].startswith("-") and len(words[0]) > 1):
                    raise _error(usage, tool, f"argument {flag.label}: expected one argument")
                value = words.pop(0)
            values.setdefault(flag.name, []).append(value)
        elif value is not None and word.startswith("--"):
            raise _error(usage, tool, f"argument {flag.label}: ignore implicit argument '{value}'")
        else:
            values[flag.name] = []
            if value:
                words.insert(0, "-" + value)  # -gs is -g -s
        rival = next((other for other in command.flags if other.exclusive and other is not flag and other.name in values), None)
        if flag.exclusive and rival is not None:
            raise _error(usage, tool, f"argument {flag.label}: not allowed with argument {rival.label}")
    for flag in reversed(command.flags):
        if flag.required and flag.name not in values:
            raise _error(usage, tool, f"argument {flag.label} is required")
    return Parsed(command.name, values)


def _match(command: Command, word: str) -> tuple[Flag | None, str | None]:
    """The flag that a word names, and the value that the word itself gives it. Long names may be cut while they stay unique."""
    if word.startswith("--"):
        name, equals, value = word.partition("=")
        exact = [flag for flag in command.flags if flag.name == name]
        found = exact or [flag for flag in command.flags if flag.name.startswith(name)]
        return (found[0], value if equals else None) if len(found) == 1 else (None, None)
    for flag in command.flags:
        if len(word) > 1 and word.startswith(flag.short):
            return flag, word[len(flag.short) :].removeprefix("=" if flag.takes_value else "") or None
    return None, None


# --- layout


def _error(usage: str, tool: str, problem: str) -> ArgumentError:
    return ArgumentError(usage + "\n".join(justified(f"{tool}: error: {problem}", WIDTH, ends=True)))


def _command_usage(tool: str, command: Command) -> str:
    parts = ["[-h]"]
    exclusive = [flag for flag in command.flags if flag.exclusive]
    for flag in command.flags:
        text = flag.name + flag.metavar
        if not flag.exclusive:
            parts.append(text if flag.required else f"[{text}]")
        else:
            parts.append(("[" if flag is exclusive[0] else "") + text + ("]" if flag is exclusive[-1] else " |"))
    lines = [f"usage: {tool} {command.name}"]
    for part in parts:
        if len(lines[-1]) + 1 + len(part) > WIDTH:
            lines.append(" " * 20)
        lines[-1] += f" {part}"
    return "\n".join(lines) + "\n"


def _tool_help(usage: str, description: str, commands: Sequence[Command]) -> str:
    listed = "".join(entry("  " * 2 + command.name, command.help) for command in commands)
    names = ",".join(command.name for command in commands)
    help_flag = entry("  -h, --help", "show this help message and exit")
    return f"{usage}\n{description}\n\npositional arguments:\n  {{{names}}}\n{listed}\noptional arguments:\n{help_flag}"


def _command_help(usage: str, command: Command) -> str:
    entries = [entry("  -h, --help", "show this help message and exit")]
    entries += [entry(f"  {flag.name}{flag.metavar}, {flag.short}{flag.metavar}", flag.help) for flag in command.flags]
    return f"{usage}\noptional arguments:\n{''.join(entries)}"


def entry(title: str, text: str) -> str:
    lines = justified(text, WIDTH - HELP_COLUMN)
    if len(title) <= HELP_COLUMN - 2:
        first = title.ljust(HELP_COLUMN) + lines.pop(0)
        return "\n".join([first, *(" " * HELP_COLUMN + line for line in lines)]) + "\n"
    return "\n".join([title, *(" " * HELP_COLUMN + line for line in lines)]) + "\n"


# Where Java lets a line end: behind blanks, dashes, and punctuation that ends a word; not inside of numbers.
_PIECE = re.compile(r"[(\[]*(?:[(\[-]*\d+(?:[.,]\d+)*|[^\s()\[\]\".,:;?!%-]+)?(?:-+|[)\]\".,:;?!%]*)\s*")


def justified(text: str, width: int, *, ends: bool = False) -> list[str]:
    """Lines of `width` columns, all but the last filled with blanks between the words, the wider gaps in the middle.

    The blank behind a word counts, and the line's end where an error `ends` its line itself.
    """
    lines = [""]
    left = len(" ".join(text.split()))
    for piece in _PIECE.findall(" ".join(text.split())):
        left -= len(piece)
        if lines[-1] and len(lines[-1]) + len(piece) + (ends and not left) > width:
            lines.append("")
        lines[-1] += piece
    return [_spread(line.split(), width) for line in lines[:-1]] + [lines[-1].rstrip()]


def _spread(words: list[str], width: int) -> str:
    gaps = len(words) - 1
    if not gaps:
        return words[0]
    each, wider = divmod(width - sum(map(len, words)), gaps)
    first = (gaps - wider + 1) // 2
    return "".join(word + " " * (each + (first <= index < first + wider)) for index, word in enumerate(words[:-1])) + words[-1]
