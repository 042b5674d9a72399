"""Which names a topic may have (C41). Source: Apache's `Topic`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.controller.result import ApiError
from barnabas.core.controller.topics import collision_name
from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from barnabas.core.controller.topics import Topics

MAX_LENGTH = 249
_LEGAL = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


def problem(name: str) -> str | None:
    """Why `name` is no legal topic name; None if it is."""
    if not name:
        return "A topic name can't be empty."
    if name in (".", ".."):
        return f"A topic can't be called '{name}'."
    if len(name) > MAX_LENGTH:
        return f"A topic name has at most {MAX_LENGTH} characters, this one {len(name)}: '{name}'."
    if not _LEGAL.issuperset(name):
        return f"A topic name has ASCII letters and digits and '.', '_' and '-' only, unlike '{name}'."
    return None


def check(name: str, topics: Topics) -> None:
    """Raise INVALID_TOPIC_EXCEPTION if a topic can't be created under `name`: illegal, or one with another of `.` and `_` exists."""
    why = problem(name)
    if why is not None:
        raise ApiError(Error.INVALID_TOPIC_EXCEPTION, why)
    plain = collision_name(name)
    others = None if plain is None else topics.colliding.get(plain)
    if others:
        raise ApiError(Error.INVALID_TOPIC_EXCEPTION, f"In metrics, topic '{name}' would be taken for '{others[0]}', which exists.")
