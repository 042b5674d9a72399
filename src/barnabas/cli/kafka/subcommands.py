"""Command lines `TOOL [flags] COMMAND [flags]` as the argparse4j library reads them: what belongs to whom, usages, help pages.

Each side is `flat_arguments`; a tool brings its flags and commands. Help texts are ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .argparse4j import WIDTH, ArgumentError, HelpWanted, entry, expanded, justified
from .flat_arguments import (
    Argument,
    Given,
    Refused,
    check_complete,
    group_parts,
    laid_out,
    options_page,
    parts_of,
    take_apart,
    with_defaults,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Command(NamedTuple):
    name: str
    help: str
    arguments: tuple[Argument, ...] = ()


class Chosen(NamedTuple):
    """The command and what was given to it, and to the tool before it."""

    command: str
    given: Given


class Tool(NamedTuple):
    name: str
    description: str
    commands: tuple[Command, ...]
    arguments: tuple[Argument, ...] = ()
    takes_files: bool = False
    """`@FILE` stands for the file's lines."""

    def parse(self, words: Iterable[str]) -> Chosen:
        """Raises ArgumentError, HelpWanted; OSError for an unreadable @file of arguments."""
        left = list(expanded(words) if self.takes_files else words)
        try:
            values = take_apart(self.arguments, left, flags_only=True)
            if not left:
                raise Refused("too few arguments")
            command = self._command(left.pop(0))
        except Refused as refused:
            raise self._error(self._usage(), refused) from None
        except HelpWanted:
            raise HelpWanted(self._page()) from None
        values |= self._parse_command(command, left)
        try:
            check_complete(self.arguments, values)
        except Refused as refused:
            raise self._error(self._usage(), refused) from None
        usage = self._usage()
        values = with_defaults((*self.arguments, *command.arguments), values)
        return Chosen(command.name, Given(values, lambda problem: self._error(usage, Refused(problem))))

    def _command(self, name: str) -> Command:
        for command in self.commands:
            if command.name == name:
                return command
        listed = ", ".join(f"'{command.name}'" for command in self.commands)
        raise Refused(f"invalid choice: '{name}' (choose from {listed})")

    def _parse_command(self, command: Command, words: list[str]) -> dict[str, list[str]]:
        usage = self._command_usage(command)
        try:
            values = take_apart(command.arguments, words)
            check_complete(command.arguments, values)
        except Refused as refused:
            raise self._error(usage, refused) from None
        except HelpWanted:
            raise HelpWanted(usage + options_page(command.arguments, defaults=False)) from None
        return values

    def _error(self, usage: str, refused: Refused) -> ArgumentError:
        problem = str(refused)
        return ArgumentError(usage + "\n".join(justified(f"{self.name}: error: {problem}", WIDTH, ends=True)), problem)

    # --- layout

    @property
    def _choices(self) -> str:
        return "{" + ",".join(command.name for command in self.commands) + "}"

    def _usage(self) -> str:
        return laid_out(self.name, [*parts_of(self.arguments), self._choices, "..."])

    def _command_usage(self, command: Command) -> str:
        """What the tool itself needs stands before the command."""
        needed = [argument.usage for argument in self.arguments if argument.required]
        needed += group_parts([argument for argument in self.arguments if argument.in_group and argument.group_needed])
        return laid_out(self.name, [*needed, command.name, *parts_of(command.arguments)])

    def _page(self) -> str:
        described = "\n".join(justified(self.description, WIDTH))
        listed = "".join(entry("  " * 2 + command.name, command.help) for command in self.commands)
        return f"{self._usage()}\n{described}\n\npositional arguments:\n  {self._choices}\n{listed}{options_page(_group_first(self.arguments), defaults=False)}"


def _group_first(arguments: Sequence[Argument]) -> list[Argument]:
    return sorted(arguments, key=lambda argument: not argument.in_group)
