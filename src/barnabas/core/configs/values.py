"""Text to value and back, and whether a value is allowed, as Kafka's ConfigDef does it.

Classes stay names: nothing is loaded here. Error texts are worded as clients of Kafka expect them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import EllipsisType

from .addresses import servers, voters
from .definitions.row import CHECK, DEFAULT, NAME, TYPE, Check, Row, Value
from .error import ConfigError, invalid_value

_BLANKS = "".join(map(chr, range(33)))  # what Java's trim() takes away
_LIST_BLANKS = " \t\n\v\f\r"
_BITS = {"short": 15, "int": 31, "long": 63}


def parse(row: Row, text: str) -> Value:
    """The value that `text` means for this key, checked. Raises ConfigError."""
    value = parse_type(row[NAME], row[TYPE], text)
    if isinstance(value, tuple) and row[CHECK] is not None and row[CHECK][0] == "list":
        value = tuple(dict.fromkeys(value))
    check(row, value)
    return value


def parse_type(name: str, kind: str, text: str) -> Value:
    """The value of `text` as a `kind`, without the key's own check."""
    trimmed = text.strip(_BLANKS)
    if kind in _BITS:
        return _integer(name, kind, text, trimmed)
    if kind == "boolean":
        lower = trimmed.lower()
        if lower not in ("true", "false"):
            raise invalid_value(name, text, "Expected value to be either true or false")
        return lower == "true"
    if kind == "list":
        return tuple(part.strip(_LIST_BLANKS) for part in trimmed.split(",")) if trimmed else ()
    if kind == "double":
        return _double(name, text, trimmed)
    return trimmed


def _integer(name: str, kind: str, text: str, trimmed: str) -> int:
    digits = trimmed[1:] if trimmed[:1] in ("+", "-") else trimmed
    limit = 1 << _BITS[kind]
    if not digits.isdecimal() or len(digits) > 400 or not -limit <= (value := int(trimmed)) < limit:
        raise invalid_value(name, text, f"Not a number of type {kind.upper()}")
    return value


def _double(name: str, text: str, trimmed: str) -> float:
    body = trimmed[1:] if trimmed[:1] in ("+", "-") else trimmed
    try:
        if body in ("NaN", "Infinity"):
            return float(trimmed)
        if body[:2] in ("0x", "0X") and "p" in body.lower():
            return float.fromhex(trimmed.rstrip("fFdD") if trimmed[-1] in "fFdD" else trimmed)
        if body.isascii() and body[:1] not in ("n", "N", "i", "I") and "_" not in body:
            return float(trimmed[:-1] if len(body) > 1 and trimmed[-1] in "fFdD" else trimmed)
    except (ValueError, OverflowError):
        pass
    raise invalid_value(name, text, "Not a number of type DOUBLE")


def check(row: Row, value: Value) -> None:
    """Whether the key allows the (parsed) value. Raises ConfigError."""
    rule = row[CHECK]
    if rule is None:
        return
    name = row[NAME]
    kind = rule[0]
    if kind == "at least" or kind == "between":
        _check_range(name, rule, value)
    elif kind == "list":
        _check_list(name, rule, value)
    elif kind == "one of":
        if value not in rule[1:]:
            raise invalid_value(name, to_text(value), f"String must be one of: {', '.join(map(str, rule[1:]))}")
    elif kind == "one of in any case":
        if not isinstance(value, str) or value.upper() not in rule[1:]:
            raise invalid_value(name, to_text(value), f"String must be one of (case insensitive): {', '.join(map(str, rule[1:]))}")
    elif kind == "non-empty":
        if value == "":
            raise invalid_value(name, "", "String must be non-empty")
    elif kind == "non-null":
        if value is None:
            raise invalid_value(name, "null", "entry must be non null")
    elif kind == "voters":
        voters(name, value if isinstance(value, tuple) else ())
    elif kind == "servers":
        servers(name, value if isinstance(value, tuple) else ())
    else:
        from . import special_checks

        special_checks.check(str(kind), name, value)


def _check_range(name: str, rule: Check, value: Value) -> None:
    if not isinstance(value, int | float):
        raise invalid_value(name, "null", "Value must be non-null")
    low, high = rule[1], rule[2] if len(rule) > 2 else None
    if isinstance(low, int | float) and value < low:
        raise invalid_value(name, to_text(value), f"Value must be at least {to_text(low)}")
    if isinstance(high, int | float) and value > high:
        raise invalid_value(name, to_text(value), f"Value must be no more than {to_text(high)}")


def _check_list(name: str, rule: Check, value: Value) -> None:
    _, empty_allowed, null_allowed, *valid = rule
    if not isinstance(value, tuple):
        if null_allowed:
            return
        raise ConfigError(f"Configuration '{name}' values must not be null.", name)
    if not value and not empty_allowed:
        allowed = f"[{', '.join(map(str, valid))}]" if valid else "any non-empty value"
        raise ConfigError(f"Configuration '{name}' must not be empty. Valid values include: {allowed}", name)
    for item in value:
        if not item:
            raise ConfigError(f"Configuration '{name}' values must not be empty.", name)
        if valid and item not in valid:
            raise invalid_value(name, item, f"String must be one of: {', '.join(map(str, valid))}")


def to_text(value: Value) -> str | None:
    """A value as Kafka shows it (lists by commas, doubles as Java writes them); None stays None."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ",".join(value)
    return _java_double(value) if isinstance(value, float) else str(value)


def shown(value: Value) -> str:
    """A value as error texts show it: lists in brackets."""
    if isinstance(value, tuple):
        return f"[{', '.join(value)}]"
    return to_text(value) or ("null" if value is None else "")


def _java_double(value: float) -> str:
    if value != value or value in (float("inf"), float("-inf")):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        text = f"{value!r}"
        if "e" not in text:
            return text
    mantissa, _, exponent = f"{value:.17e}".partition("e")
    digits, _, exponent = f"{value!r}".partition("e") if "e" in f"{value!r}" else (mantissa, "", exponent)
    if "e" not in f"{value!r}":  # repr is positional where Java is not: shift the point of the shortest digits
        plain = f"{value!r}".lstrip("-").replace(".", "").strip("0") or "0"
        digits = ("-" if value < 0 else "") + plain[0] + "." + (plain[1:] or "0")
    elif "." not in digits:
        digits += ".0"
    return f"{digits}E{int(exponent)}"


class Values:
    """Parsed values of some keys over their defaults. Unknown names raise KeyError; keys without a default and not given read as None."""

    __slots__ = ("given", "rows")

    def __init__(self, rows: Mapping[str, Row], given: Mapping[str, Value]) -> None:
        self.rows = rows
        self.given = given

    def __getitem__(self, name: str) -> Value:
        if name in self.given:
            return self.given[name]
        default = self.rows[name][DEFAULT]
        return None if isinstance(default, EllipsisType) else default

    def integer(self, name: str) -> int:
        value = self[name]
        assert isinstance(value, int), name
        return value

    def optional_integer(self, name: str) -> int | None:
        value = self[name]
        assert value is None or isinstance(value, int), name
        return value

    def real(self, name: str) -> float:
        value = self[name]
        assert isinstance(value, float), name
        return value

    def flag(self, name: str) -> bool:
        value = self[name]
        assert isinstance(value, bool), name
        return value

    def text(self, name: str) -> str:
        value = self[name]
        assert isinstance(value, str), name
        return value

    def optional_text(self, name: str) -> str | None:
        value = self[name]
        assert value is None or isinstance(value, str), name
        return value

    def items_of(self, name: str) -> tuple[str, ...]:
        """A list; empty when the key has no value."""
        value = self[name]
        assert value is None or isinstance(value, tuple), name
        return value or ()


def parse_all(rows: Mapping[str, Row], texts: Mapping[str, str]) -> Values:
    """Parse what is given of `rows` (other names are left out). Raises ConfigError on the first bad value and on a required key not given."""
    given = {name: parse(rows[name], text) for name, text in texts.items() if name in rows}
    for name, row in rows.items():
        if row[DEFAULT] is ... and name not in given:
            raise ConfigError(f'Missing required configuration "{name}" which has no default value.', name)
    return Values(rows, given)
