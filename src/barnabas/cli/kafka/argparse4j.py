"""How the argparse4j library lays out what it prints, to the column, and what its grammars have in common.

The grammar of a tool with subcommands is `subcommands`, that of one without `flat_arguments`; all other tools use `options`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

WIDTH = 75
HELP_COLUMN = 25


class ArgumentError(Exception):
    """What to print on the error stream, after which the tool ends with 1. `problem` is that without usage and layout."""

    def __init__(self, text: str, problem: str = "") -> None:
        super().__init__(text)
        self.problem = problem


class HelpWanted(Exception):
    """What to print on the output stream, after which the tool ends with 0."""


def expanded(arguments: Iterable[str]) -> Iterable[str]:
    """`@FILE` stands for the file's lines."""
    for argument in arguments:
        if argument.startswith("@"):
            with open(argument[1:], encoding="utf-8") as file:
                yield from file.read().splitlines()
        else:
            yield argument


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
