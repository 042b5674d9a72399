"""What turning a declaration into code takes on both sides: Python source that grows line by line, and the sizes of primitive types.

A message's encoder and decoder (`encoder`, `decoder`) are compiled for one version when it is first used. Nested structs are written out in line, so
one call handles a whole message, and runs of fixed-size fields share one `struct` call.

Source: the protocol guide's primitive types; KIP-482 for compact lengths, tagged fields and their order.
"""

from __future__ import annotations

import struct
from typing import Any

from barnabas.wire.schema import NEVER, Field, Message, Struct, struct_of

FORMATS = {
    "Int8": "b", "Int16": "h", "Uint16": "H", "Int32": "i", "Uint32": "I", "Int64": "q", "Float64": "d", "Bool": "?", "Uuid": "16s",
}  # fmt: skip
MAX_STRING_BYTES = 0x7FFF
FEW = 9


class Source:
    """Python source that grows line by line, with the names it refers to."""

    def __init__(self, cls: type[Message], version: int) -> None:
        if not cls.valid_versions[0] <= version <= cls.valid_versions[1]:
            raise ValueError(f"{cls.__name__} has versions {cls.valid_versions[0]}-{cls.valid_versions[1]}, not {version}")
        self.cls = cls
        self.version = version
        self.flexible = cls.is_flexible(version)
        self.lines: list[str] = []
        self.names: dict[str, Any] = {}
        self.serial = 0

    def few(self, type_name: str, method: str) -> str:
        """The name of a list: how `method` ("pack" or "unpack_from") handles 0, 1, 2 ... elements of a type. Most arrays are that short."""
        name = f"{method}_{type_name}"
        if name not in self.names:
            self.names[name] = [getattr(struct.Struct(f">{n}{FORMATS[type_name]}"), method) for n in range(FEW)]
            self.names[method] = getattr(struct, method)
        return name

    def fresh(self, stem: str) -> str:
        self.serial += 1
        return f"{stem}{self.serial}"

    def name(self, value: Any, stem: str) -> str:
        for key, known in self.names.items():
            if known is value:
                return key
        key = self.fresh(stem)
        self.names[key] = value
        return key

    def present(self, cls: type[Struct]) -> list[Field]:
        return [f for f in cls.fields if f.first <= self.version <= f.last and f.tag is None]

    def present_tagged(self, cls: type[Struct]) -> list[Field]:
        return sorted((f for f in cls.fields if f.first <= self.version <= f.last and f.tag is not None), key=tag_of) if self.flexible else []

    def has_records(self, cls: type[Struct]) -> bool:
        """Whether a field somewhere in `cls` is a view of record batches."""
        inner = (struct_of(cls, field) for field in cls.fields)
        return any(field.type_name == "Records" for field in cls.fields) or any(found is not None and self.has_records(found) for found in inner)

    def build(self, head: str) -> Any:
        exec(compile("\n".join([head, *self.lines]), f"<{self.cls.__name__} v{self.version}>", "exec"), self.names)
        return self.names["run"]

    def minimum_size(self, cls: type[Struct]) -> int:
        """The fewest bytes that a struct takes in this version: bounds what an array of it can claim."""
        size = 1 if self.flexible else 0
        for field in self.present(cls):
            inner = struct_of(cls, field)
            if not field.is_array and field.type_name in FORMATS:
                size += size_of(field.type_name)
            elif inner is not None and not field.is_array:
                size += 1 if field.nullable <= self.version else self.minimum_size(inner)
            elif self.flexible and not field.plain:
                size += 1
            else:
                size += 2 if field.type_name == "String" and not field.is_array else 4
        return size


def size_of(type_name: str) -> int:
    return struct.calcsize(">" + FORMATS[type_name]) if type_name in FORMATS else 0


def element_of(field: Field) -> Field:
    """An element of an array of strings or bytes, as a field."""
    element = Field(0, NEVER, None, None, False, None, False)
    element.name, element.type_name, element.is_array = field.name, field.type_name, False
    return element


def tag_of(field: Field) -> int:
    assert field.tag is not None
    return field.tag
