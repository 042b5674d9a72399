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
        why = "the empty string is not allowed"
    elif name in (".", ".."):
        why = f"'{name}' is not allowed"
    elif len(name) > MAX_LENGTH:
        why = f"the length of '{name}' is longer than the max allowed length {MAX_LENGTH}"
    elif not _LEGAL.issuperset(name):
        why = f"'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
    else:
        return None
    return f"Topic name is invalid: {why}"


def check(name: str, topics: Topics) -> None:
    """Raise INVALID_TOPIC_EXCEPTION if a topic can't be created under `name`: illegal, or one with another of `.` and `_` exists."""
    why = problem(name)
    if why is not None:
        raise ApiError(Error.INVALID_TOPIC_EXCEPTION, why)
    plain = collision_name(name)
    others = None if plain is None else topics.colliding.get(plain)
    if others:
        raise ApiError(Error.INVALID_TOPIC_EXCEPTION, f"Topic '{name}' collides with existing topic: {others[0]}")
