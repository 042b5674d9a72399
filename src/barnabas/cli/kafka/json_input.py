"""JSON that a tool is given, and the complaints about it in Apache's tools' words."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from .java import Thrown

MAX_BYTES = 256 * 1024 * 1024
_MAPPING_ERROR = "com.fasterxml.jackson.databind.JsonMappingException"


def read_text(path: str) -> str:
    """Raises Thrown."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read(MAX_BYTES)
    except OSError:
        raise Thrown(f"Unable to read file {path}", "java.io.IOException") from None


def parse(text: str) -> Any:
    """The value; None for what isn't JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def as_object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else _refuse("JSON object", value)


def as_array(value: Any) -> list[Any]:
    return value if isinstance(value, list) else _refuse("JSON array", value)


def as_list(value: Any) -> list[Any]:
    """As `as_array`, in the words for an array that is a field's whole value."""
    return value if isinstance(value, list) else _refuse("`JSON array` value", value)


def field(value: Any, name: str) -> Any:
    """Raises Thrown where it is missing."""
    found = as_object(value)
    if name not in found:
        raise Thrown(f"No such field exists: `{name}`", _MAPPING_ERROR)
    return found[name]


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else _refuse("`String` value", value)


def as_number(value: Any, *, bits: int = 31) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and -(1 << bits) <= value < 1 << bits:
        return value
    return _refuse("`Integer` value" if bits == 31 else "`Long` value", value)


def _refuse(expected: str, value: Any) -> NoReturn:
    raise Thrown(f"Expected {expected}, received {json.dumps(value, separators=(',', ':'), ensure_ascii=False)}", _MAPPING_ERROR)
