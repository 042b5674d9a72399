"""Compiles a declaration into an encoder for one version.

A value that doesn't fit, or that the version has no field for (W38), ends in EncodeError.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from barnabas.wire.codec import FEW, FORMATS, MAX_STRING_BYTES, Source, element_of
from barnabas.wire.schema import NEVER, Field, Message, Struct, default_source, struct_of
from barnabas.wire.types import EncodeError, write_uvarint

if TYPE_CHECKING:
    from collections.abc import Callable

_SMALL_UVARINTS = [bytes((n,)) for n in range(128)]


def compile_encoder(cls: type[Message], version: int) -> Callable[[Any, Callable[[bytes], object]], None]:
    """A function of (message, write) that hands the bytes to `write` piece by piece. Raises EncodeError; ValueError for an unknown version."""
    return _Encoder(cls, version).function()


class _Encoder(Source):
    def function(self) -> Callable[[Any, Callable[[bytes], object]], None]:
        self.run: list[tuple[str, str]] = []
        self.names |= {"EncodeError": EncodeError, "UV": _SMALL_UVARINTS, "uv": write_uvarint}
        self.names |= {"tags": _write_tags, "string_length": _string_length, "uuid_error": _uuid_error}
        self.struct(self.cls, "m", "  ", "w")
        self.lines.append("  return")
        body = self.build("def run(m, w):")
        what = f"{self.cls.__name__} version {self.version}"

        def encode(message: Any, write: Callable[[bytes], object]) -> None:
            try:
                body(message, write)
            except (struct.error, AttributeError, TypeError, UnicodeEncodeError) as error:
                raise EncodeError(f"{what}: {error} in {message!r}"[:2000]) from None

        return encode

    def struct(self, cls: type[Struct], value: str, indent: str, write: str) -> None:
        for field in cls.fields:
            if not field.first <= self.version <= field.last and not field.ignorable:
                self.refuse_lost(cls, field, f"{value}.{field.name}", indent)
        for field in self.present(cls):
            self.field(cls, field, f"{value}.{field.name}", indent, write)
        if self.flexible:
            self.tagged(cls, value, indent, write)
        else:
            self.flush(indent, write)
            self.lines.append(
                f"{indent}if {value}.unknown_tags: raise EncodeError('{self.cls.__name__} version {self.version} has no tagged fields')"
            )

    def refuse_lost(self, cls: type[Struct], field: Field, value: str, indent: str) -> None:
        """W38: a value that the version can't carry is an error, not a loss."""
        self.lines.append(
            f"{indent}if {self.differs(cls, field, value)}: raise EncodeError('{self.cls.__name__} version {self.version} has no {field.name}')"
        )

    def differs(self, cls: type[Struct], field: Field, value: str) -> str:
        default = default_source(cls, field)
        if default == "[]":
            return value if field.nullable == NEVER else f"{value} is None or {value}"
        if default.startswith("D_"):
            inner = struct_of(cls, field)
            assert inner is not None
            parts = [self.differs(inner, each, f"{value}.{each.name}") for each in inner.fields] + [f"{value}.unknown_tags"]
            return " or ".join(parts if field.nullable == NEVER else [f"{value} is None", *parts])
        return f"{value} is not None" if default == "None" else f"{value} != {default}"

    def flush(self, indent: str, write: str) -> None:
        if [value for _, value in self.run] == ["0"]:
            self.lines.append(f"{indent}{write}(b'\\0')")
            self.run.clear()
        if self.run:
            fixed = struct.Struct(">" + "".join(f for f, _ in self.run))
            pack = self.fresh("S")
            self.names[pack] = fixed.pack
            self.lines.append(f"{indent}{write}({pack}({', '.join(v for _, v in self.run)}))")
            self.run.clear()

    def length(self, field: Field, value: str, indent: str, write: str, *, fixed: str) -> None:
        """Writes the length of `value`."""
        if self.flexible and not field.plain:
            self.flush(indent, write)
            self.lines.append(f"{indent}n = len({value}) + 1")
            slow = f"string_length('{field.name}', n)" if fixed == "h" else "uv(n)"
            self.lines.append(f"{indent}{write}(UV[n] if n < 128 else {slow})")
        else:
            self.run.append((fixed, f"len({value})"))
            self.flush(indent, write)

    def field(self, owner: type[Struct], field: Field, value: str, indent: str, write: str) -> None:
        inner = struct_of(owner, field)
        if not field.is_array and field.type_name in FORMATS:
            self.fixed(field, value, indent)
            return
        if field.nullable <= self.version:
            self.flush(indent, write)
            self.lines.append(f"{indent}if {value} is None:")
            self.lines.append(f"{indent}  {write}({self.null(field, inner)!r})")
            self.lines.append(f"{indent}else:")
            indent += "  "
        if field.is_array:
            self.array(field, inner, value, indent, write)
        elif inner is not None:
            if field.nullable <= self.version:
                self.lines.append(f"{indent}{write}(b'\\x01')")
            name = self.fresh("m")
            self.flush(indent, write)
            self.lines.append(f"{indent}{name} = {value}")
            self.struct(inner, name, indent, write)
        else:
            self.sized(field, value, indent, write)
        if field.nullable <= self.version:
            self.flush(indent, write)

    def null(self, field: Field, inner: type[Struct] | None) -> bytes:
        if inner is not None and not field.is_array:
            return b"\xff" if field.tag is None else b"\0"
        if self.flexible and not field.plain:
            return b"\0"
        return b"\xff\xff" if field.type_name == "String" and not field.is_array else b"\xff\xff\xff\xff"

    def fixed(self, field: Field, value: str, indent: str) -> None:
        if field.type_name == "Uuid":  # struct would pad and cut
            self.lines.append(f"{indent}if len({value}) != 16: uuid_error('{field.name}', {value})")
        self.run.append((FORMATS[field.type_name], value))

    def sized(self, field: Field, value: str, indent: str, write: str) -> None:
        name = self.fresh("s")
        self.flush(indent, write)
        self.lines.append(f"{indent}{name} = {value}{'.encode()' if field.type_name == 'String' else ''}")
        self.length(field, name, indent, write, fixed="h" if field.type_name == "String" else "i")
        self.lines.append(f"{indent}{write}({name})")

    def array(self, field: Field, inner: type[Struct] | None, value: str, indent: str, write: str) -> None:
        name, item = self.fresh("l"), self.fresh("m")
        self.flush(indent, write)
        self.lines.append(f"{indent}{name} = {value}")
        self.length(field, name, indent, write, fixed="i")
        if field.type_name == "Uuid":
            self.lines.append(f"{indent}for {item} in {name}:")
            self.fixed(field, item, indent + "  ")
            self.flush(indent + "  ", write)
            return
        if field.type_name in FORMATS:
            few, many = self.few(field.type_name, "pack"), f"pack(f'>{{len({name})}}{FORMATS[field.type_name]}', *{name})"
            self.lines.append(f"{indent}{write}({few}[len({name})](*{name}) if len({name}) < {FEW} else {many})")
            return
        self.lines.append(f"{indent}for {item} in {name}:")
        if inner is not None:
            self.struct(inner, item, indent + "  ", write)
            self.lines.append(f"{indent}  pass")
        else:
            self.sized(element_of(field), item, indent + "  ", write)

    def tagged(self, cls: type[Struct], value: str, indent: str, write: str) -> None:
        """Tagged fields; where there are none, their count of zero ends the run of fixed-size fields before it."""
        add = self.lines.append
        known = self.present_tagged(cls)
        found = self.fresh("t")
        if known:
            self.flush(indent, write)
            add(f"{indent}{found} = list({value}.unknown_tags)")
        else:
            add(f"{indent}{found} = {value}.unknown_tags")
        for field in known:
            part = self.fresh("o")
            add(f"{indent}if {self.differs(cls, field, f'{value}.{field.name}')}:")
            add(f"{indent}  {part} = []; {part}w = {part}.append")
            self.field(cls, field, f"{value}.{field.name}", indent + "  ", f"{part}w")
            self.flush(indent + "  ", f"{part}w")
            add(f"{indent}  {found}.append(({field.tag}, b''.join({part})))")
        run = list(self.run)
        add(f"{indent}if {found}:")
        self.flush(indent + "  ", write)
        add(f"{indent}  tags({write}, {found})")
        add(f"{indent}else:")
        self.run = [*run, ("B", "0")]
        self.flush(indent + "  ", write)


def _string_length(name: str, length: int) -> bytes:
    """A compact string's length of more than a byte."""
    if length > MAX_STRING_BYTES + 1:
        raise EncodeError(f"{name} has {length - 1} bytes; a string has {MAX_STRING_BYTES} at most")
    return write_uvarint(length)


def _uuid_error(name: str, value: bytes) -> None:
    raise EncodeError(f"{name} has {len(value)} bytes; a UUID has 16")


def _write_tags(write: Callable[[bytes], object], found: Any) -> None:
    """Tagged fields in ascending order of tags, each with its size."""
    write(write_uvarint(len(found)))
    for tag, value in sorted(found):
        write(write_uvarint(tag))
        write(write_uvarint(len(value)))
        write(value)
