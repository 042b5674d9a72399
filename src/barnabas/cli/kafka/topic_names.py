"""Which topics a tool means: Kafka's rules for names, and the filters by regular expression."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .java import java_regex

if TYPE_CHECKING:
    from collections.abc import Callable

INTERNAL = frozenset(("__consumer_offsets", "__transaction_state", "__share_group_state"))
MAX_LENGTH = 249
_LEGAL = re.compile("[a-zA-Z0-9._-]+")


class InvalidTopic(ValueError):
    java_class = "org.apache.kafka.common.errors.InvalidTopicException"


class InvalidFilter(ValueError):
    java_class = "java.lang.RuntimeException"


def check_name(name: str) -> None:
    """Raises InvalidTopic."""
    reason = None
    if not name:
        reason = "the empty string is not allowed"
    elif name in (".", ".."):
        reason = f"'{name}' is not allowed"
    elif len(name) > MAX_LENGTH:
        reason = f"the length of '{name}' is longer than the max allowed length {MAX_LENGTH}"
    elif not _LEGAL.fullmatch(name):
        reason = f"'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
    if reason:
        raise InvalidTopic(f"Topic name is invalid: {reason}")


def include(raw: str) -> Callable[[str], bool]:
    """The filter of `--topic` and `--include`: commas mean "or", blanks and outer quotes go, the whole name must match. Raises InvalidFilter."""
    text = raw.strip().replace(",", "|").replace(" ", "").lstrip("\"'").rstrip("\"'")
    try:
        pattern = re.compile(java_regex(text))
    except re.error:
        raise InvalidFilter(f"{text} is an invalid regex.") from None
    return lambda name: pattern.fullmatch(name) is not None
