"""Compiles a declaration into an encoder and a decoder for one version.

Owns the translation from `schema` fields to Python source; nested structs are written out in line, so one call decodes a whole message, and runs of
fixed-size fields share one `struct` call. A decoder never trusts a length: what is claimed is compared with the bytes that are left before
anything is made from it, and everything malformed ends in DecodeError.

Source: the protocol guide's primitive types; KIP-482 for compact lengths, tagged fields and their order.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from barnabas.wire.schema import NEVER, Field, Message, Struct, default_source, struct_of
from barnabas.wire.types import AS_JAVA, DecodeError, EncodeError, read_length, read_uvarint, write_uvarint

if TYPE_CHECKING:
    from collections.abc import Callable

_FORMATS = {
    "Int8": "b", "Int16": "h", "Uint16": "H", "Int32": "i", "Uint32": "I", "Int64": "q", "Float64": "d", "Bool": "?", "Uuid": "16s",
}  # fmt: skip
_SMALL_UVARINTS = [bytes((n,)) for n in range(128)]
_MAX_STRING_BYTES = 0x7FFF


def compile_decoder(cls: type[Message], version: int) -> Callable[[Any, int, int], tuple[Any, int]]:
    """A function of (buffer, position, end) that returns (message, position behind it). Raises DecodeError; ValueError for an unknown version."""
    return _Decoder(cls, version).function()


def compile_encoder(cls: type[Message], version: int) -> Callable[[Any, Callable[[bytes], object]], None]:
    """A function of (message, write) that hands the bytes to `write` piece by piece. Raises EncodeError; ValueError for an unknown version."""
    return _Encoder(cls, version).function()


class _Source:
    """Python source that grows line by line, with the names it refers to."""

    def __init__(self, cls: type[Message], version: int) -> None:
        if not cls.valid_versions[0] <= version <= cls.valid_versions[1]:
            raise ValueError(f"{cls.__name__} has versions {cls.valid_versions[0]}-{cls.valid_versions[1]}, not {version}")
        self.cls = cls
        self.version = version
        self.flexible = cls.is_flexible(version)
        self.lines: list[str] = []
        self.names: dict[str, Any] = {"DecodeError": DecodeError, "EncodeError": EncodeError, "uvarint": read_uvarint, "length": read_length}
        self.serial = 0

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
        return sorted((f for f in cls.fields if f.first <= self.version <= f.last and f.tag is not None), key=_tag_of) if self.flexible else []

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
            if not field.is_array and field.type_name in _FORMATS:
                size += struct.calcsize(">" + _FORMATS[field.type_name])
            elif inner is not None and not field.is_array:
                size += 1 if field.nullable <= self.version else self.minimum_size(inner)
            elif self.flexible and not field.plain:
                size += 1
            else:
                size += 2 if field.type_name == "String" and not field.is_array else 4
        return size


def _tag_of(field: Field) -> int:
    assert field.tag is not None
    return field.tag


class _Decoder(_Source):
    def function(self) -> Callable[[Any, int, int], tuple[Any, int]]:
        self.names["AS_JAVA"] = AS_JAVA
        self.run: list[tuple[str, str]] = []  # fixed-size fields not yet written out: (format, target)
        self.copies = not self.has_records(self.cls)
        if self.copies:  # slices of bytes become strings and values quicker than views do
            self.lines.append("  if type(b) is not bytes: b = bytes(b)")
        self.struct(self.cls, "m", "  ")
        self.lines.append("  return m, p")
        body = self.build("def run(b, p, e):")
        what = f"{self.cls.__name__} version {self.version}"

        def decode(buffer: Any, position: int, end: int) -> tuple[Any, int]:
            try:
                message, position = body(buffer, position, end)
            except (struct.error, IndexError, ValueError, OverflowError) as error:
                raise DecodeError(f"{what}: {error}") from None
            if position > end:
                raise DecodeError(f"{what}: truncated")
            return message, position

        return decode

    def struct(self, cls: type[Struct], target: str, indent: str) -> None:
        self.flush(indent)
        self.names["new"] = object.__new__
        self.lines.append(f"{indent}{target} = new({self.name(cls, 'C')})")
        present = self.present(cls)
        for field in present:
            self.field(cls, field, f"{target}.{field.name}", indent)
        count = self.fresh("n")
        if self.flexible:
            self.run.append(("B", count))
        self.flush(indent)
        for field in cls.fields:
            if field not in present:
                self.absent(cls, field, f"{target}.{field.name}", indent)
        if self.flexible:
            self.tags(cls, target, count, indent)
        else:
            self.lines.append(f"{indent}{target}.unknown_tags = ()")

    def absent(self, owner: type[Struct], field: Field, target: str, indent: str) -> None:
        """Gives a field its default; a struct is made in line."""
        default = default_source(owner, field)
        if not default.startswith("D_"):
            self.lines.append(f"{indent}{target} = {default}")
            return
        inner, made = struct_of(owner, field), self.fresh("m")
        assert inner is not None
        self.lines.append(f"{indent}{target} = {made} = new({self.name(inner, 'C')}); {made}.unknown_tags = ()")
        for each in inner.fields:
            self.absent(inner, each, f"{made}.{each.name}", indent)

    def flush(self, indent: str) -> None:
        if self.run:
            fixed = struct.Struct(">" + "".join(f for f, _ in self.run))
            unpack = self.fresh("S")
            self.names[unpack] = fixed.unpack_from
            targets = ", ".join(t for _, t in self.run) + ("," if len(self.run) == 1 else "")
            self.lines.append(f"{indent}{targets} = {unpack}(b, p); p += {fixed.size}")
            self.run.clear()

    def length(self, field: Field, indent: str, *, fixed: str) -> None:
        """Reads a length into n; -1 is null."""
        compact = self.flexible and not field.plain
        self.run.append(("B" if compact else fixed, "n"))
        self.flush(indent)
        if compact:
            self.lines.append(f"{indent}if n > 127: n, p = length(b, p - 1)")
            self.lines.append(f"{indent}n -= 1")

    def field(self, owner: type[Struct], field: Field, target: str, indent: str) -> None:
        inner = struct_of(owner, field)
        nullable = field.nullable <= self.version
        if field.is_array:
            self.array(field, inner, target, indent, nullable)
        elif field.type_name in _FORMATS:
            self.run.append((_FORMATS[field.type_name], target))
        elif inner is not None and nullable:
            self.run.append(("b", "n"))
            self.flush(indent)
            self.lines.append(f"{indent}if n {'< 0' if field.tag is None else '== 0'}: {target} = None")
            self.lines.append(f"{indent}else:")
            value = self.fresh("m")
            self.struct(inner, value, indent + "  ")
            self.lines.append(f"{indent}  {target} = {value}")
        elif inner is not None:
            value = self.fresh("m")
            self.struct(inner, value, indent)
            self.lines.append(f"{indent}{target} = {value}")
        else:
            self.sized(field, target, indent, nullable)

    def sized(self, field: Field, target: str, indent: str, nullable: bool) -> None:
        self.length(field, indent, fixed="h" if field.type_name == "String" else "i")
        add = self.lines.append
        if nullable:
            add(f"{indent}if n < 0: {target} = None")
        else:
            add(f"{indent}if n < 0: raise DecodeError('{field.name} must not be null')")
        add(f"{indent}else:")
        if field.type_name == "String" and self.flexible:
            add(f"{indent}  if n > {_MAX_STRING_BYTES}: raise DecodeError(f'{field.name} claims {{n}} bytes')")
        add(f"{indent}  q = p + n")
        add(f"{indent}  if q > e: raise DecodeError(f'{field.name} claims {{n}} bytes, {{e - p}} are left')")
        if self.copies:
            value = "b[p:q].decode('utf-8', AS_JAVA)" if field.type_name == "String" else "b[p:q]"
        else:
            value = {"String": "str(b[p:q], 'utf-8', AS_JAVA)", "Bytes": "bytes(b[p:q])", "Records": "b[p:q]"}[field.type_name]
        add(f"{indent}  {target} = {value}; p = q")

    def array(self, field: Field, inner: type[Struct] | None, target: str, indent: str, nullable: bool) -> None:
        self.length(field, indent, fixed="i")
        add = self.lines.append
        if nullable:
            add(f"{indent}if n < 0: {target} = None")
        else:
            add(f"{indent}if n < 0: raise DecodeError('{field.name} must not be null')")
        add(f"{indent}else:")
        indent += "  "
        if field.type_name in _FORMATS:
            size = struct.calcsize(">" + _FORMATS[field.type_name])
            add(f"{indent}if n * {size} > e - p: raise DecodeError(f'{field.name} claims {{n}} elements, {{e - p}} bytes are left')")
            self.names["unpack_from"] = struct.unpack_from
            add(
                f"{indent}{target} = list(unpack_from(f'>{{n}}{_FORMATS[field.type_name]}', b, p)) if n else []; p += n * {size}"
            ) if field.type_name != "Uuid" else add(f"{indent}{target} = [bytes(b[i:i + 16]) for i in range(p, p + n * 16, 16)]; p += n * 16")
            return
        least = max(1, self.minimum_size(inner)) if inner is not None else 1 if self.flexible else 2
        add(f"{indent}if n * {least} > e - p: raise DecodeError(f'{field.name} claims {{n}} elements, {{e - p}} bytes are left')")
        items, item = self.fresh("l"), self.fresh("m")
        add(f"{indent}{target} = {items} = []")
        add(f"{indent}for _ in range(n):")
        if inner is not None:
            self.struct(inner, item, indent + "  ")
        else:
            element = Field(0, NEVER, None, None, False, None, False)
            element.name, element.type_name, element.is_array = field.name, field.type_name, False
            self.sized(element, item, indent + "  ", nullable=False)
        add(f"{indent}  {items}.append({item})")

    def tags(self, cls: type[Struct], target: str, count: str, indent: str) -> None:
        """Tagged fields, `count` of them (its first byte is read). As in Apache Kafka the size that a known one claims doesn't matter."""
        add = self.lines.append
        unknown, size, tag = self.fresh("u"), self.fresh("z"), self.fresh("t")
        add(f"{indent}if {count}:")
        add(f"{indent}  if {count} > 127: {count}, p = length(b, p - 1)")
        add(f"{indent}  {unknown} = []")
        add(f"{indent}  for _ in range({count}):")
        add(f"{indent}    {tag}, p = uvarint(b, p)")
        add(f"{indent}    {size}, p = uvarint(b, p)")
        word = "if"
        for field in sorted((field for field in cls.fields if field.tag is not None), key=_tag_of):
            add(f"{indent}    {word} {tag} == {field.tag}:")
            if field.first <= self.version <= field.last:
                self.field(cls, field, f"{target}.{field.name}", indent + "      ")
                self.flush(indent + "      ")
            else:
                add(f"{indent}      raise DecodeError('tag {field.tag} belongs to other versions')")
            word = "elif"
        add(f"{indent}    {'else' if word == 'elif' else 'if True'}:")
        add(f"{indent}      if {size} > e - p: raise DecodeError(f'tagged field {{{tag}}} claims {{{size}}} bytes, {{e - p}} are left')")
        add(f"{indent}      {unknown}.append(({tag}, bytes(b[p:p + {size}]))); p += {size}")
        add(f"{indent}  {target}.unknown_tags = tuple({unknown})")
        add(f"{indent}else: {target}.unknown_tags = ()")


class _Encoder(_Source):
    def function(self) -> Callable[[Any, Callable[[bytes], object]], None]:
        self.run: list[tuple[str, str]] = []
        self.names |= {"UV": _SMALL_UVARINTS, "uv": write_uvarint, "tags": _write_tags, "length_error": _length_error, "uuid_error": _uuid_error}
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

    def length(self, field: Field, size: str, indent: str, write: str, *, fixed: str) -> None:
        """Writes the length `size` (an expression; -1 is null)."""
        if self.flexible and not field.plain:
            self.flush(indent, write)
            self.lines.append(f"{indent}n = {size} + 1")
            self.lines.append(f"{indent}{write}(UV[n] if n < 128 else uv(n))")
        else:
            self.run.append((fixed, size))
            self.flush(indent, write)

    def field(self, owner: type[Struct], field: Field, value: str, indent: str, write: str) -> None:
        inner = struct_of(owner, field)
        if not field.is_array and field.type_name in _FORMATS:
            self.fixed(field, value, indent)
            return
        if field.nullable <= self.version:
            self.flush(indent, write)
            self.lines.append(f"{indent}if {value} is None:")
            if inner is not None and not field.is_array:
                self.lines.append(f"{indent}  {write}(b'\\x{'ff' if field.tag is None else '00'}')")
            else:
                self.length(field, "-1", indent + "  ", write, fixed="h" if field.type_name == "String" and not field.is_array else "i")
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

    def fixed(self, field: Field, value: str, indent: str) -> None:
        if field.type_name == "Uuid":  # struct would pad and cut
            self.lines.append(f"{indent}if len({value}) != 16: uuid_error('{field.name}', {value})")
        self.run.append((_FORMATS[field.type_name], value))

    def sized(self, field: Field, value: str, indent: str, write: str) -> None:
        name = self.fresh("s")
        self.flush(indent, write)
        self.lines.append(f"{indent}{name} = {value}{'.encode()' if field.type_name == 'String' else ''}")
        if field.type_name == "String":
            self.lines.append(f"{indent}if len({name}) > {_MAX_STRING_BYTES}: length_error('{field.name}', {name})")
        self.length(field, f"len({name})", indent, write, fixed="h" if field.type_name == "String" else "i")
        self.lines.append(f"{indent}{write}({name})")

    def array(self, field: Field, inner: type[Struct] | None, value: str, indent: str, write: str) -> None:
        name, item = self.fresh("l"), self.fresh("m")
        self.flush(indent, write)
        self.lines.append(f"{indent}{name} = {value}")
        self.length(field, f"len({name})", indent, write, fixed="i")
        if field.type_name == "Uuid":
            self.lines.append(f"{indent}for {item} in {name}:")
            self.fixed(field, item, indent + "  ")
            self.flush(indent + "  ", write)
            return
        if field.type_name in _FORMATS:
            self.names["pack"] = struct.pack
            self.lines.append(f"{indent}{write}(pack(f'>{{len({name})}}{_FORMATS[field.type_name]}', *{name}))")
            return
        self.lines.append(f"{indent}for {item} in {name}:")
        if inner is not None:
            self.struct(inner, item, indent + "  ", write)
            self.lines.append(f"{indent}  pass")
        else:
            element = Field(0, NEVER, None, None, False, None, False)
            element.name, element.type_name, element.is_array = field.name, field.type_name, False
            self.sized(element, item, indent + "  ", write)

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


def _length_error(name: str, value: bytes) -> None:
    raise EncodeError(f"{name} has {len(value)} bytes; a string has {_MAX_STRING_BYTES} at most")


def _uuid_error(name: str, value: bytes) -> None:
    raise EncodeError(f"{name} has {len(value)} bytes; a UUID has 16")


def _write_tags(write: Callable[[bytes], object], found: Any) -> None:
    """Tagged fields in ascending order of tags, each with its size."""
    write(write_uvarint(len(found)))
    for tag, value in sorted(found):
        write(write_uvarint(tag))
        write(write_uvarint(len(value)))
        write(value)
