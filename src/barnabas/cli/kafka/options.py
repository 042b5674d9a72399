"""Command line options as joptsimple 5 reads them, which is the grammar of all of Kafka's tools.

Owns: tokens to options, their arguments, the messages about what is wrong, and the help page's layout. Doesn't own any tool's options.
What scripts rely on: `--opt value`, `--opt=value`, `-opt value`; no abbreviations; an argument is whatever comes next, even `--other`; words that belong to
no option are ignored; a value is converted only when it is asked for.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PAGE_WIDTH = 80
GAP = 2
INDENT = 2
_KINDS = {"Integer": 31, "Long": 63}


class OptionError(ValueError):
    """A command line that the grammar refuses. `java_class` is how Apache's tools name it in a stack trace."""

    def __init__(self, message: str, java_class: str) -> None:
        super().__init__(message)
        self.java_class = f"joptsimple.{java_class}"


class Option:
    """One option. `argument` is None (a flag), "required" or "optional"; `kind` is String, Integer or Long; `separator` splits one argument into several.

    `beside`: only together with one of these, if there are any.
    """

    __slots__ = ("argument", "beside", "default", "described", "description", "kind", "name", "separator")

    def __init__(
        self,
        name: str,
        description: str,
        argument: str | None = None,
        described: str = "",
        kind: str = "String",
        default: str | None = None,
        separator: str = "",
    ) -> None:
        self.name = name
        self.description = description
        self.argument = argument
        self.described = described
        self.kind = kind
        self.default = default
        self.separator = separator
        self.beside: tuple[Option, ...] = ()

    def __str__(self) -> str:
        return f"[{self.name}]"

    def check(self, text: str) -> None:
        bits = _KINDS.get(self.kind)
        if bits is not None and not is_integer(text, bits):
            raise OptionError(f"Cannot parse argument '{text}' of option {self.name}", "OptionArgumentConversionException")


def is_integer(text: str, bits: int = 31) -> bool:
    digits = text[1:] if text[:1] in ("+", "-") else text
    return digits.isdecimal() and len(digits) < 32 and -(1 << bits) <= int(text) < 1 << bits


class Options:
    """What was given. `order` names the options in the order in which they stood."""

    __slots__ = ("_given", "order")

    def __init__(self) -> None:
        self._given: dict[str, list[str]] = {}
        self.order: list[str] = []

    def add(self, option: Option, arguments: Iterable[str]) -> None:
        self._given.setdefault(option.name, []).extend(arguments)
        self.order.append(option.name)

    def has(self, option: Option) -> bool:
        return option.name in self._given

    def values(self, option: Option) -> list[str]:
        """All arguments of the option; its default when it has none. Raises OptionError for one that isn't of the option's kind."""
        texts = self._given.get(option.name)
        if not texts:
            return [] if option.default is None else [option.default]
        for text in texts:
            option.check(text)
        return list(texts)

    def value(self, option: Option) -> str | None:
        """The one argument, or the default. Raises OptionError if there are several."""
        texts = self.values(option)
        if len(texts) > 1:
            raise OptionError(f"Found multiple arguments for option {option.name}, but you asked for only one", "MultipleArgumentsForOptionException")
        return texts[0] if texts else None

    def text(self, option: Option) -> str:
        """The argument of an option that is given or has a default."""
        value = self.value(option)
        assert value is not None, option.name
        return value

    def number(self, option: Option) -> int:
        return int(self.text(option))

    def optional_number(self, option: Option) -> int | None:
        value = self.value(option)
        return None if value is None else int(value)


class Parser:
    """The options of one tool."""

    def __init__(self) -> None:
        self.options: dict[str, Option] = {}
        self.help = self.flag("help", "Print usage information.")
        self.version = self.flag("version", "Display Kafka version.")

    def flag(self, name: str, description: str) -> Option:
        return self._add(Option(name, description))

    def required(
        self, name: str, description: str, described: str = "", kind: str = "String", default: str | None = None, separator: str = ""
    ) -> Option:
        """An option that needs an argument."""
        return self._add(Option(name, description, "required", described, kind, default, separator))

    def optional(self, name: str, description: str, described: str = "", default: str | None = None) -> Option:
        """An option that takes an argument if the next word can be one."""
        return self._add(Option(name, description, "optional", described, "String", default))

    def _add(self, option: Option) -> Option:
        self.options[option.name] = option
        return option

    def parse(self, arguments: Sequence[str]) -> Options:
        """Raises OptionError."""
        found = Options()
        rest = list(reversed(arguments))
        while rest:
            token = rest.pop()
            if token == "--":
                break
            if token.startswith("--"):
                name, _, value = token[2:].partition("=")
                self._take(self._known(name), value, rest, found)
            elif token.startswith("-") and token != "-":
                self._take_short(token[1:], rest, found)
        self._check_neighbours(found)
        return found

    def _check_neighbours(self, found: Options) -> None:
        alone = [option for option in self.options.values() if found.has(option) and option.beside and not any(map(found.has, option.beside))]
        if alone:
            listed = ", ".join(option.name for option in alone)
            raise OptionError(f"Option(s) [{listed}] are unavailable given other options on the command line", "UnavailableOptionException")

    def _known(self, name: str) -> Option:
        option = self.options.get(name)
        if option is None:
            raise OptionError(f"{name} is not a recognized option", "UnrecognizedOptionException")
        return option

    def _take_short(self, word: str, rest: list[str], found: Options) -> None:
        """`-topic x` reads as `--topic x`; else a cluster of one-letter options, of which Kafka's tools have none."""
        name, _, value = word.partition("=")
        if name in self.options:
            self._take(self.options[name], value, rest, found)
            return
        for position, letter in enumerate(word):
            option = self._known(letter)
            if option.argument:
                self._take(option, word[position + 1 :], rest, found)
                return
            self._take(option, "", rest, found)

    def _take(self, option: Option, value: str, rest: list[str], found: Options) -> None:
        if option.argument is None:
            found.add(option, ())
            return
        if not value:
            if option.argument == "required":
                if not rest:
                    raise OptionError(f"Option {option.name} requires an argument", "OptionMissingRequiredArgumentException")
                value = rest.pop()
            elif rest and (not rest[-1].startswith("-") or rest[-1] == "-"):
                value = rest.pop()
            else:
                found.add(option, ())
                return
        found.add(option, value.split(option.separator) if option.separator else (value,))

    # The help page

    def help_page(self) -> str:
        """Two columns; lines are filled with blanks to their full width, as the library does."""
        rows = [(_signature(option), _explained(option)) for _, option in sorted(self.options.items())]
        left = min((PAGE_WIDTH - GAP) // 2, max(len(signature) for signature, _ in rows))
        right = PAGE_WIDTH - GAP - left
        lines = [_line("Option", "Description", left, right), _line("------", "-----------", left, right)]
        for signature, text in rows:
            ours, theirs = _pieces(signature, left), _pieces(text, right)
            for index in range(max(len(ours), len(theirs))):
                lines.append(_line(ours[index] if index < len(ours) else "", theirs[index] if index < len(theirs) else "", left, right))
        return "\n".join(lines) + "\n"


def _signature(option: Option) -> str:
    if option.argument is None:
        return f"--{option.name}"
    inner = f"{option.kind}: {option.described}" if option.described else option.kind
    return f"--{option.name} [{inner}]" if option.argument == "optional" else f"--{option.name} <{inner}>"


def _explained(option: Option) -> str:
    return option.description if option.default is None else f"{option.description} (default: {option.default})"


def _line(left: str, right: str, left_width: int, right_width: int) -> str:
    return f"{left:<{left_width}}{'':{GAP}}{right:<{right_width}}"


def _pieces(text: str, width: int) -> list[str]:
    """`text` cut to lines of at most `width`, those after the first indented."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = " " * INDENT if lines else ""
        for word in _words(paragraph):
            if len(line) + len(word.rstrip(" ")) > width and line.strip():
                lines.append(line.rstrip(" "))
                line = " " * INDENT
            while len(line) + len(word.rstrip(" ")) > width:
                cut = width - len(line)
                lines.append(line + word[:cut])
                line, word = " " * INDENT, word[cut:]
            line += word
        lines.append(line.rstrip(" "))
    return lines


def _words(text: str) -> list[str]:
    """Where a line may break: after blanks and hyphens."""
    words, start = [], 0
    for position, letter in enumerate(text):
        if letter == " " or (letter == "-" and text[position - 1 : position].isalnum()):
            words.append(text[start : position + 1])
            start = position + 1
    words.append(text[start:])
    return [word for word in words if word]


# How Kafka's tools end


def usage_and_exit(parser: Parser, message: str) -> NoReturn:
    """The message and the help page to stderr, status 1; asked-for help is printed the same way."""
    sys.stdout.flush()
    sys.stderr.write(f"{message}\n{parser.help_page()}")
    raise SystemExit(1)


def help_or_version(parser: Parser, options: Options, arguments: Sequence[str], purpose: str) -> None:
    """Ends the process if help or the version is wanted; no arguments at all mean help."""
    if not arguments or options.has(parser.help):
        usage_and_exit(parser, purpose)
    if options.has(parser.version):
        from . import VERSION

        print(VERSION)
        raise SystemExit(0)


def require(parser: Parser, options: Options, *needed: Option) -> None:
    for option in needed:
        if not options.has(option):
            usage_and_exit(parser, f'Missing required argument "{option}"')


def exclude(parser: Parser, options: Options, used: Option, *others: Option) -> None:
    """`used` stands with none of `others`."""
    for other in others:
        if options.has(used) and options.has(other):
            usage_and_exit(parser, f'Option "{used}" can\'t be used with option "{other}"')


def exactly_one(parser: Parser, options: Options, *of: Option) -> None:
    if sum(options.has(option) for option in of) != 1:
        usage_and_exit(parser, "Exactly one of the following arguments is required: " + ", ".join(map(str, of)))


def key_values(arguments: Iterable[str]) -> dict[str, str]:
    """`key=value` words; a missing value is empty."""
    pairs = (argument.partition("=") for argument in arguments)
    return {key: value for key, _, value in pairs}
