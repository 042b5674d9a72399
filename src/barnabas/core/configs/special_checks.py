"""Checks that only one or two keys have: throttled replicas, gzip levels, offset resets of share groups and consumers. Loaded when such a key is given."""

from __future__ import annotations

import re

from .definitions.row import Value
from .error import invalid_value

_REPLICA = re.compile(r"([0-9]+:[0-9]+)?")
# ISO 8601 as java.time.Duration reads it: days, then hours, minutes and seconds, each signed, at least one of them
_DURATION = re.compile(
    r"([-+]?)P(?:([-+]?[0-9]+)D)?(T(?:([-+]?[0-9]+)H)?(?:([-+]?[0-9]+)M)?(?:([-+]?[0-9]+)(?:[.,]([0-9]{0,9}))?S)?)?", re.IGNORECASE
)


def check(kind: str, name: str, value: Value) -> None:
    if kind == "gzip level":
        if not isinstance(value, int):
            raise invalid_value(name, "null", "Value must be non-null")
        if value != -1 and not 1 <= value <= 9:
            raise invalid_value(name, value, "Value must be between 1 and 9 or equal to -1")
    elif kind == "throttled replicas":
        items = value if isinstance(value, tuple) else ()
        if "".join(items) != "*" and not all(_REPLICA.fullmatch(item) for item in items):
            wanted = "must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],..."
            raise invalid_value(name, f"[{', '.join(items)}]", f"{name} {wanted}")
    elif kind == "offset reset":
        if not (isinstance(value, str) and _is_offset_reset(value)):
            wanted = "The value must be either 'earliest', 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'."
            raise invalid_value(name, value, f"Invalid value `{value}` for configuration {name}. {wanted}")
    elif kind == "consumer offset reset":
        if not (isinstance(value, str) and (value == "none" or _is_offset_reset(value))):
            wanted = "The value must be either 'earliest', 'latest', 'none' or of the format 'by_duration:<PnDTnHnMn.nS.>'."
            raise invalid_value(name, value, f"Invalid value `{value}` for configuration {name}. {wanted}")
    else:
        raise AssertionError(kind)


def _is_offset_reset(text: str) -> bool:
    return text in ("earliest", "latest") or (text.startswith("by_duration:") and _is_duration(text[len("by_duration:") :]))


def _is_duration(text: str) -> bool:
    """Not negative, as Duration.parse(...).isNegative() tells."""
    found = _DURATION.fullmatch(text)
    if found is None or found[3] in ("T", "t") or not any(found.group(2, 4, 5, 6)):
        return False
    days, hours, minutes, seconds = (int(part or 0) for part in found.group(2, 4, 5, 6))
    fraction = int((found[7] or "0").ljust(9, "0")) * (-1 if (found[6] or "").startswith("-") else 1)
    total = (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 10**9 + fraction
    return (-total if found[1] == "-" else total) >= 0
