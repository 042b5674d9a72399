"""Java's .properties text, read exactly as java.util.Properties does and written as its `store` does (D11).

Owns escapes, separators, continued lines and comments, for meta.properties and for the configuration of node and tools. Knows no keys.
Bytes are ISO-8859-1 on reading, as Java's `load(InputStream)` has it; other characters come as \\uXXXX.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .atomic_file import read_file

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_BYTES = 16 * 1024 * 1024
_BLANK = " \t\f"
_ESCAPES = {"t": "\t", "r": "\r", "n": "\n", "f": "\f"}


class PropertiesError(ValueError):
    """A text that Java would refuse; says the line."""


class Property(NamedTuple):
    key: str
    value: str
    line: int
    """Where the entry begins, from 1."""


def read_properties(path: str) -> list[Property]:
    """Every entry of a file in its order, repeated keys included (the last one counts). Raises OSError, PropertiesError."""
    try:
        return parse_properties(read_file(path, MAX_BYTES).decode("latin-1"))
    except PropertiesError as error:
        raise PropertiesError(f"{path}:{error}") from None


def parse_properties(text: str) -> list[Property]:
    """Every entry of `text` in its order. Raises PropertiesError, its message beginning with the line's number."""
    return [_split(line, number) for line, number in _logical_lines(text)]


def _logical_lines(text: str) -> Iterable[tuple[str, int]]:
    """Lines without comments and blank ones, continued ones joined, each with the number of its first."""
    logical, start = "", 0
    naturals = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    last = len(naturals) - (naturals[-1] == "" and not text.endswith("\r\n"))
    for number, natural in enumerate(naturals, 1):
        line = natural.lstrip(_BLANK)
        if not logical:
            if not line or line[0] in "#!":
                continue
            start = number
        if line.endswith("\\") and (len(line) - len(line.rstrip("\\"))) % 2:
            logical += line[:-1]
            if logical or number < last:
                continue
            line = ""  # a lone backslash at the very end is an empty key
        yield logical + line, start
        logical = ""
    if logical:
        yield logical, start


def _split(line: str, number: int) -> Property:
    """Cut at the first unescaped separator: `=`, `:` or blanks, with blanks around it."""
    end, size = 0, len(line)
    while end < size and line[end] not in "=: \t\f":
        end += 2 if line[end] == "\\" else 1
    end = min(end, size)
    rest = line[end:].lstrip(_BLANK)
    if rest and rest[0] in "=:":
        rest = rest[1:].lstrip(_BLANK)
    key = line[:end]
    if "\\" in line:
        key, rest = _unescape(key, number), _unescape(rest, number)
    return Property(key, rest, number)


def _unescape(text: str, number: int) -> str:
    pieces = text.split("\\")
    result, index = [pieces[0]], 1
    while index < len(pieces):
        piece = pieces[index]
        if not piece:  # an escaped backslash, or nothing at the very end
            if index + 1 < len(pieces):
                result.append("\\" + pieces[index + 1])
            index += 2
            continue
        if piece[0] == "u":
            if len(piece) < 5 or not all(digit in "0123456789abcdefABCDEF" for digit in piece[1:5]):
                raise PropertiesError(f"{number}: \\u must be followed by four hexadecimal digits")
            result.append(chr(int(piece[1:5], 16)) + piece[5:])
        else:
            result.append(_ESCAPES.get(piece[0], piece[0]) + piece[1:])
        index += 1
    # Java's two halves of a character beyond the first 65,536 are one character here.
    return "".join(result).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def format_properties(properties: Iterable[tuple[str, str]], comments: Iterable[str] = ()) -> str:
    """The text of these entries in their order, comments first."""
    lines = [f"#{comment}\n" for comment in comments]
    lines += [f"{_escape(key, key=True)}={_escape(value)}\n" for key, value in properties]
    return "".join(lines)


def _escape(text: str, key: bool = False) -> str:
    result = []
    for index, character in enumerate(text):
        if character == " ":
            result.append("\\ " if key or index == 0 else " ")
        elif character in "\\=:#!":
            result.append("\\" + character)
        else:
            result.append({"\t": "\\t", "\n": "\\n", "\r": "\\r", "\f": "\\f"}.get(character, character))
    return "".join(result)
