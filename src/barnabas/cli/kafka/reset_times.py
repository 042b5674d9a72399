"""Times as `--to-datetime` and `--by-duration` write them: what Java's date format and Duration read."""

from __future__ import annotations

import re

from .java import RUNTIME, Thrown, wrapped

_DATE = re.compile(r"(-?\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)\.(\d+)(?:Z|([+-])(\d\d)(?::(\d\d))?)", re.ASCII)
_DURATION = re.compile(
    r"([-+]?)P(?:([-+]?[0-9]+)D)?(T(?:([-+]?[0-9]+)H)?(?:([-+]?[0-9]+)M)?(?:([-+]?[0-9]+)(?:[.,]([0-9]{0,9}))?S)?)?", re.ASCII | re.IGNORECASE
)
_LIMITS = ((1, 12), (1, 31), (0, 23), (0, 59), (0, 59), (0, 999))


def parse_datetime(text: str) -> int:
    """`YYYY-MM-DDThh:mm:ss.sss`, UTC unless a zone stands behind it; in milliseconds. Raises Thrown."""
    import calendar

    clock = text.rstrip("T").split("T")[1:2]
    if not clock:
        raise _unreadable("Error parsing timestamp. It does not contain a 'T' according to ISO8601 format")
    if not re.search("[-+Z]", clock[0]):
        text += "Z"
    found = _DATE.match(text)
    if found:
        year, month, day, hour, minute, second, millisecond = (int(part[:10]) for part in found.groups()[:7])
        sign, hours, minutes = found[8], int(found[9] or 0), int(found[10] or 0)
        parts = (month, day, hour, minute, second, millisecond)
        in_range = all(low <= part <= high for part, (low, high) in zip(parts, _LIMITS, strict=True))
        if in_range and 1 <= year <= 9999 and day <= calendar.monthrange(year, month)[1] and hours <= 23 and minutes <= 59:
            offset_s = (hours * 60 + minutes) * 60 * (-1 if sign == "-" else 1)
            return (calendar.timegm((year, month, day, hour, minute, second)) - offset_s) * 1000 + millisecond
    raise _unreadable(f'Unparseable date: "{text}"')


def _unreadable(message: str) -> Thrown:
    return wrapped(Thrown(message, "java.text.ParseException"), RUNTIME)


def parse_duration(text: str) -> int:
    """`PnDTnHnMnS`, each part optional, in milliseconds. Raises Thrown."""
    found = _DURATION.fullmatch(text)
    if found is None or (found[3] or "").upper() == "T" or not any(found.groups()[1:]):
        raise Thrown("Text cannot be parsed to a Duration", "java.time.format.DateTimeParseException")
    sign, days, _, hours, minutes, seconds, fraction = found.groups()
    whole = int(days or 0) * 86400 + int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)
    millis = int((fraction or "").ljust(9, "0")) // 1_000_000 * (-1 if (seconds or "").startswith("-") else 1)
    return (whole * 1000 + millis) * (-1 if sign == "-" else 1)
