"""The grammar of Kafka's tools that the argparse4j library reads and that have no subcommands: usage, help and errors to the column.

Owns parsing, the check of kinds and choices, and the layout around `argparse4j`'s lines. A tool brings its arguments. Help texts are ours.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from .argparse4j import WIDTH, ArgumentError, HelpWanted, entry, expanded, justified

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_NUMBER = re.compile(r"-\d+")
_BITS = {"Integer": 31, "Long": 63}
LONGEST_HEAD = 32
"""Behind a longer `usage: NAME` the arguments begin on a line of their own."""


class Argument(NamedTuple):
    """One argument; a name without dashes is a positional one. `kind` is String, Integer, Long, Double or Flag."""

    name: str
    help: str
    metavar: str = ""
    kind: str = "String"
    required: bool = False
    default: str | None = None
    choices: tuple[str, ...] = ()
    many: str = ""
    """How many values: one, or "+" (at least one), "*", "?"."""
    short: str = ""
    in_group: bool = False
    """No two of those in the group go together, and one is needed."""
    group_needed: bool = True
    """False: none of the group will do too."""
    repeats: bool = False
    """Each time that it is given adds a value; else the last one counts."""
    section: str = ""
    """The headline under which the help page has it."""

    @property
    def is_flag(self) -> bool:
        return self.kind == "Flag"

    @property
    def label(self) -> str:
        return f"{self.name}/{self.short}" if self.short else self.name

    @property
    def values(self) -> str:
        """What follows the name in a usage."""
        if self.is_flag:
            return ""
        shown = self.metavar or self.name.lstrip("-").upper().replace("-", "_")
        return f" {shown} [{shown} ...]" if self.many == "+" else f" {shown}"

    @property
    def usage(self) -> str:
        if not self.name.startswith("-"):
            return {"*": f"[{self.name} [{self.name} ...]]", "+": f"{self.name} [{self.name} ...]", "?": f"[{self.name}]"}.get(self.many, self.name)
        text = self.name + self.values
        return text if self.required or self.in_group else f"[{text}]"


class Given(NamedTuple):
    """What was given, by name; `parse` has checked kinds."""

    values: dict[str, list[str]]
    fail: Callable[[str], ArgumentError]
    """An error in the tool's own words, laid out as the others."""

    def has(self, name: str) -> bool:
        return name in self.values

    def one(self, name: str) -> str | None:
        found = self.values.get(name)
        return found[-1] if found else None

    def text(self, name: str) -> str:
        found = self.one(name)
        assert found is not None, name
        return found

    def number(self, name: str) -> int:
        return int(self.text(name))

    def optional_number(self, name: str) -> int | None:
        return int(self.text(name)) if self.has(name) else None

    def all(self, name: str) -> list[str] | None:
        return self.values.get(name)


def parse(tool: str, description: str, arguments: Sequence[Argument], words: Iterable[str], *, group_note: str = "") -> Given:
    """Take the words apart. Raises ArgumentError, HelpWanted; OSError for an unreadable @file of arguments."""
    usage = usage_of(tool, arguments)

    def fail(problem: str) -> ArgumentError:
        return ArgumentError(usage + "\n".join(justified(f"{tool}: error: {problem}", WIDTH, ends=True)))

    try:
        left = list(expanded(words))
        values = take_apart(arguments, left)
        check_complete(arguments, values)
    except Refused as refused:
        raise fail(str(refused)) from None
    except HelpWanted:
        raise HelpWanted(help_page(tool, description, arguments, group_note)) from None
    return Given(with_defaults(arguments, values), fail)


def with_defaults(arguments: Sequence[Argument], values: dict[str, list[str]]) -> dict[str, list[str]]:
    return {argument.name: [argument.default] for argument in arguments if argument.default is not None} | values


class Refused(Exception):
    """What is wrong with the words; the usage goes before it."""


def take_apart(arguments: Sequence[Argument], words: list[str], *, flags_only: bool = False) -> dict[str, list[str]]:
    """Values by name of the words, which are used up, or with `flags_only` those before the first that is no flag. Raises Refused, HelpWanted."""
    flags = [argument for argument in arguments if argument.name.startswith("-")]
    positional = [argument for argument in arguments if not argument.name.startswith("-")]
    found: dict[str, list[str]] = {}
    chosen: Argument | None = None
    while words and not (flags_only and not _is_flag(words[0])):
        word = words.pop(0)
        if word == "--":
            _take_positional(positional, words, found, all_of_them=True)
            continue
        if not _is_flag(word):
            words.insert(0, word)
            _take_positional(positional, words, found)
            continue
        if word in ("-h", "--help"):
            raise HelpWanted
        argument, value = _match(flags, word)
        if argument.in_group:
            if chosen is not None and chosen is not argument:
                raise Refused(f"argument {argument.label}: not allowed with argument {chosen.label}")
            chosen = argument
        if argument.is_flag:
            if value is not None and word.startswith("--"):
                raise Refused(f"argument {argument.label}: ignore implicit argument '{value}'")
            if value:
                words.insert(0, f"-{value}")  # -gs is -g -s
            found[argument.name] = []
        else:
            earlier = found.get(argument.name, []) if argument.repeats else []
            found[argument.name] = [*earlier, *(_checked(argument, text) for text in _values(argument, value, words))]
    return found


def check_complete(arguments: Sequence[Argument], found: Mapping[str, object]) -> None:
    """Raises Refused if something that is needed is missing."""
    flags = [argument for argument in arguments if argument.name.startswith("-")]
    positional = [argument for argument in arguments if not argument.name.startswith("-")]
    for argument in reversed(flags):
        if argument.required and argument.name not in found:
            raise Refused(f"argument {argument.label} is required")
    for argument in positional:
        if argument.many not in ("*", "?") and argument.name not in found:
            raise Refused("too few arguments")
    grouped = [argument for argument in flags if argument.in_group and argument.group_needed]
    if grouped and not any(argument.name in found for argument in grouped):
        raise Refused(f"one of the arguments {' '.join(argument.label for argument in grouped)} is required")


def _is_flag(word: str) -> bool:
    return word.startswith("-") and len(word) > 1 and _NUMBER.fullmatch(word) is None


def _match(flags: Sequence[Argument], word: str) -> tuple[Argument, str | None]:
    """The argument that a word names, and the value that the word itself gives it. Long names may be cut while they stay unique."""
    name, equals, value = word.partition("=")
    for argument in flags:
        if name in (argument.name, argument.short):
            return argument, value if equals else None
        if argument.short and not word.startswith("--") and word.startswith(argument.short):
            return argument, word[len(argument.short) :]
    begun = [argument for argument in flags if name.startswith("--") and argument.name.startswith(name)]
    if len(begun) > 1:
        raise Refused(f"ambiguous option: {name} could match {', '.join(argument.name for argument in begun)}")
    if not begun:
        raise Refused(f"unrecognized arguments: '{word}'")
    return begun[0], value if equals else None


def _values(argument: Argument, value: str | None, words: list[str]) -> list[str]:
    if value is not None:
        return [value]
    if not words or _is_flag(words[0]):
        raise Refused(f"argument {argument.label}: expected {'at least one' if argument.many == '+' else 'one'} argument")
    taken = [words.pop(0)]
    while argument.many == "+" and words and not _is_flag(words[0]):
        taken.append(words.pop(0))
    return taken


def _take_positional(positional: list[Argument], words: list[str], found: dict[str, list[str]], *, all_of_them: bool = False) -> None:
    argument = next((argument for argument in positional if argument.name not in found), None)
    if argument is None:
        if words:
            raise Refused(f"unrecognized arguments: '{' '.join(words)}'")
        return
    taken: list[str] = []
    while words and (all_of_them or not _is_flag(words[0])) and (argument.many in ("*", "+") or not taken):
        taken.append(_checked(argument, words.pop(0)))
    if taken:
        found[argument.name] = taken


def _checked(argument: Argument, text: str) -> str:
    bits = _BITS.get(argument.kind)
    if bits is not None:
        digits = text[1:] if text[:1] in ("+", "-") else text
        fits = digits.isdecimal() and len(digits) < 32 and -(1 << bits) <= int(text) < 1 << bits
    else:
        fits = argument.kind != "Double" or re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[dDfF]?|[+-]?(NaN|Infinity)", text) is not None
    if not fits:
        raise Refused(f"argument {argument.label}: could not convert '{text}' to {argument.kind} (For input string: \"{text}\")")
    if argument.choices and text not in argument.choices:
        # What can be chosen is named in the words of the choices' own kind.
        listed = ",".join(argument.choices)
        raise Refused(f"argument {argument.label}: invalid choice: '{text}' (choose from {{{listed}}})")
    return text


# --- layout


def usage_of(tool: str, arguments: Sequence[Argument]) -> str:
    return laid_out(tool, parts_of(arguments))


def laid_out(tool: str, parts: Iterable[str]) -> str:
    head = f"usage: {tool}"
    lines, indent = [head], " " * len(head)
    if len(head) + 1 >= LONGEST_HEAD:
        indent = " " * 6
        lines.append(indent)
    for part in parts:
        if len(lines[-1]) + 1 + len(part) > WIDTH:
            lines.append(indent)
        lines[-1] += f" {part}"
    return "\n".join(lines) + "\n"


def parts_of(arguments: Sequence[Argument]) -> list[str]:
    named = [argument for argument in arguments if argument.name.startswith("-")]
    grouped = [argument for argument in named if argument.in_group]
    alone = [argument.usage for argument in named if not argument.in_group]
    return ["[-h]", *alone, *group_parts(grouped), *(argument.usage for argument in arguments if not argument.name.startswith("-"))]


def group_parts(grouped: Sequence[Argument]) -> list[str]:
    if len(grouped) < 2:
        return [argument.usage for argument in grouped]
    opened, closed = "()" if grouped[0].group_needed else "[]"
    first, *middle, last = (argument.usage for argument in grouped)
    return [f"{opened}{first} |", *(f"{text} |" for text in middle), f"{last}{closed}"]


def help_page(tool: str, description: str, arguments: Sequence[Argument], group_note: str = "") -> str:
    positional = [argument for argument in arguments if not argument.name.startswith("-")]
    page = usage_of(tool, arguments) + "\n" + "\n".join(justified(description, WIDTH)) + "\n"
    if positional:
        page += "\npositional arguments:\n" + "".join(entry(f"  {argument.name}", argument.help) for argument in positional)
    return page + options_page(arguments, group_note)


def options_page(arguments: Sequence[Argument], group_note: str = "", *, defaults: bool = True) -> str:
    """What the flags mean, and what holds without them; a group with a note of its own, and every section, below the others."""

    def explained(chosen: Iterable[Argument]) -> str:
        return "".join(_explained(argument, defaults) for argument in chosen)

    named = [argument for argument in arguments if argument.name.startswith("-")]
    apart = [argument for argument in named if argument.in_group and group_note]
    page = "\noptional arguments:\n" + entry("  -h, --help", "show this help message and exit")
    page += explained(argument for argument in named if not argument.section and argument not in apart)
    for section in dict.fromkeys(argument.section for argument in named if argument.section):
        page += f"\n{section}:\n" + explained(argument for argument in named if argument.section == section)
    if apart:
        page += f"\n{group_note}\n" + explained(apart)
    return page


def _explained(argument: Argument, defaults: bool) -> str:
    title = f"  {argument.name}{argument.values}" + (f", {argument.short}{argument.values}" if argument.short else "")
    default = "false" if argument.is_flag else argument.default
    return entry(title, argument.help + (f" (default: {default})" if defaults and default is not None else ""))
