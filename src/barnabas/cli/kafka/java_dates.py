"""Points in time as java.text.SimpleDateFormat writes them, in the local zone.

Owns the letters of its patterns that a clock needs: G y M d D H k K h m s S E u a z Z X, quotes. Others (weeks) are refused, unknown ones in Java's words.
"""

from __future__ import annotations

import re
from datetime import datetime

_PIECE = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+|'")
_WEEKS = "YwWFL"


def formatted(pattern: str, time_ms: int) -> str:
    """Raises ValueError for a pattern that can't be read."""
    moment = datetime.fromtimestamp(time_ms / 1000).astimezone().replace(microsecond=time_ms % 1000 * 1000)
    return "".join(_piece(found, moment) for found in _PIECE.finditer(pattern))


def _piece(found: re.Match[str], moment: datetime) -> str:
    text = found.group()
    if text == "'":
        raise ValueError("Unterminated quote")
    if found.group(1) is not None:
        return found.group(1).replace("''", "'") or "'"
    return _field(text[0], len(text), moment) if found.group(2) else text


def _field(letter: str, count: int, moment: datetime) -> str:
    words = {"G": "AD", "a": moment.strftime("%p"), "z": moment.strftime("%Z"), "Z": moment.strftime("%z")}
    if letter in words:
        return words[letter]
    if letter == "M" and count > 2:
        return moment.strftime("%B" if count > 3 else "%b")
    if letter == "E":
        return moment.strftime("%A" if count > 3 else "%a")
    if letter == "y":
        return f"{moment.year % 100:02d}" if count == 2 else f"{moment.year:0{count}d}"
    if letter == "X":
        offset = moment.strftime("%z")
        return "Z" if offset == "+0000" else {1: offset[:3], 2: offset}.get(count, f"{offset[:3]}:{offset[3:]}")
    if letter in _WEEKS:
        raise ValueError(f"Pattern character '{letter}' isn't known here")
    hour = moment.hour
    numbers = {"M": moment.month, "d": moment.day, "D": moment.timetuple().tm_yday, "H": hour, "k": hour or 24, "K": hour % 12, "h": hour % 12 or 12}
    numbers |= {"m": moment.minute, "s": moment.second, "S": moment.microsecond // 1000, "u": moment.isoweekday()}
    if letter not in numbers:
        raise ValueError(f"Illegal pattern character '{letter}'")
    return f"{numbers[letter]:0{count}d}"
