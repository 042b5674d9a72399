"""Every declared message, and values for them: made from the declarations, by a generator of random numbers that the test hands in.

Edges come often: null, empty, the largest and smallest number, strings and arrays whose length needs two bytes, tagged fields that no release knows.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING, Any

import barnabas.wire.logs
import barnabas.wire.messages
from barnabas.wire.schema import Field, Message, Struct, struct_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

_BITS = {"Int8": 8, "Int16": 16, "Int32": 32, "Int64": 64}
_TEXTS = ("", "a", "topic-1", "größer", "事件", "\U0001f680", "\0", "x" * 126, "y" * 127, "z" * 128, "\u00e9" * 100)


def all_messages() -> dict[str, type[Message]]:
    """Name -> class of every message in wire.messages and wire.logs."""
    found = {}
    for package in (barnabas.wire.messages, barnabas.wire.logs):
        for info in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
            for value in vars(import_module(info.name)).values():
                if isinstance(value, type) and issubclass(value, Message) and value.__module__ == info.name:
                    assert value.__name__ not in found, f"{value.__name__} is declared twice"
                    found[value.__name__] = value
    return found


def all_versions() -> Iterator[tuple[type[Message], int]]:
    for cls in all_messages().values():
        for version in range(cls.valid_versions[0], cls.valid_versions[1] + 1):
            yield cls, version


class Values:
    """Random values. `tame`: what any codec must take, without unknown tags and numbers that have no meaning as a time or an error code."""

    def __init__(self, random: Random, *, tame: bool = False) -> None:
        self.random = random
        self.tame = tame

    def message(self, cls: type[Message], version: int) -> Any:
        """A message with values in the fields of `version`, defaults in the others."""
        return self.struct(cls, cls.is_flexible(version), version)

    def struct(self, cls: type[Struct], flexible: bool, version: int) -> Any:
        random = self.random
        values = {}
        for field in cls.fields:
            if field.first <= version <= field.last and (field.tag is None or (flexible and random.random() < 0.5)):
                values[field.name] = self.field(cls, field, flexible, version)
        made = cls(**values)
        if flexible and not self.tame and random.random() < 0.2:
            taken = {field.tag for field in cls.fields}
            tags = {random.choice((5, 100, 127, 128, 20_000, 2**31 - 2)) for _ in range(random.randint(1, 3))} - taken
            made.unknown_tags = tuple((tag, random.randbytes(random.choice((0, 1, 5, 200)))) for tag in sorted(tags))  # type: ignore[misc]
        return made

    def field(self, owner: type[Struct], field: Field, flexible: bool, version: int) -> Any:
        random = self.random
        if field.nullable <= version and random.random() < 0.2:
            return None
        inner = struct_of(owner, field)
        if not field.is_array:
            return self.struct(inner, flexible, version) if inner else self.primitive(field.type_name)
        if inner:
            return [self.struct(inner, flexible, version) for _ in range(random.choice((0, 1, 1, 2, 3)))]
        return [self.primitive(field.type_name) for _ in range(random.choice((0, 1, 2, 3, 3, 130)))]

    def primitive(self, type_name: str) -> Any:
        random = self.random
        if type_name == "Bool":
            return random.random() < 0.5
        if self.tame and "nt" in type_name:
            return random.randrange(100)
        if type_name in _BITS:
            top = 1 << (_BITS[type_name] - 1)
            return random.choice((-top, -1, 0, 1, top - 1, random.randrange(-top, top)))
        if type_name in ("Uint16", "Uint32"):
            top = 1 << int(type_name[4:])
            return random.choice((0, 1, top // 2, top - 1, random.randrange(top)))
        if type_name == "Float64":
            return random.choice((0.0, -1.5, 1e300, float("-inf"), random.random()))
        if type_name == "String":
            return random.choice(_TEXTS)
        if type_name == "Uuid":
            return random.choice((bytes(16), random.randbytes(16)))
        return random.randbytes(random.choice((0, 0, 1, 10, 126, 127, 300)))
