"""The one-line JSON objects in Kafka's small files: read without the json package, which a start would wait for, unless they are out of the ordinary."""

from __future__ import annotations

from typing import Any


def parse_object(text: bytes) -> dict[str, Any]:
    """A JSON object. Raises ValueError for anything else."""
    found = _plain(text)
    if found is not None:
        return found
    import json

    node = json.loads(text)
    if type(node) is not dict:
        raise ValueError("a JSON object was expected")
    return node


def _plain(text: bytes) -> dict[str, Any] | None:
    """An object of integers and of strings without any escape, comma or colon; None for every other text, right or wrong."""
    if not text.isascii() or text[:1] != b"{" or text[-1:] != b"}":
        return None
    found: dict[str, Any] = {}
    for part in text[1:-1].decode().split(","):
        key, colon, value = part.partition(":")
        name = _string(key)
        if not colon or name is None:
            return None
        if value.startswith('"'):
            found[name] = _string(value)
            if found[name] is None:
                return None
        elif value.removeprefix("-").isdigit() and (value == "0" or value.removeprefix("-")[0] != "0") and len(value) < 20:
            found[name] = int(value)
        else:
            return None
    return found


def _string(text: str) -> str | None:
    inner = text[1:-1]
    return inner if len(text) >= 2 and text[0] == text[-1] == '"' and '"' not in inner and "\\" not in inner and inner.isprintable() else None
