"""Compiles a declaration into a decoder for one version.

A decoder never trusts a length: what is claimed is compared with the bytes that are left before anything is made from it, and everything malformed
ends in DecodeError. What Apache Kafka reads is read, and read as the same: negative lengths as null, sizes of known tagged fields ignored.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from barnabas.wire.codec import FEW, FORMATS, MAX_STRING_BYTES, Source, element_of, size_of, tag_of
from barnabas.wire.schema import Field, Message, Struct, default_source, struct_of
from barnabas.wire.types import AS_JAVA, DecodeError, read_length, read_uvarint

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_ELEMENTS = 200_000
"""Of all arrays in one request together, and of tagged fields. A frame of 100 MB would have room for fifty million topics."""


def compile_decoder(cls: type[Message], version: int) -> Callable[[Any, int, int], tuple[Any, int]]:
    """A function of (buffer, position, end) that returns (message, position behind it). Raises DecodeError; ValueError for an unknown version."""
    return _Decoder(cls, version).function()


class _Decoder(Source):
    def function(self) -> Callable[[Any, int, int], tuple[Any, int]]:
        self.names |= {"DecodeError": DecodeError, "AS_JAVA": AS_JAVA, "new": object.__new__}
        self.names |= {"uvarint": read_uvarint, "length": read_length, "long_string": _long_string, "unknown": _read_unknown_tags}
        self.run: list[tuple[str, str]] = []  # fixed-size fields not yet written out: (format, target)
        self.counts = self.cls.__name__.endswith("Request")
        if self.counts:
            self.lines.append(f"  left = {MOST_ELEMENTS}")
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
            if self.run[0][0] == "B" and len(self.run) == 1:
                self.lines.append(f"{indent}{self.run.pop()[1]} = b[p]; p += 1")
                return
            fixed = struct.Struct(">" + "".join(f for f, _ in self.run))
            unpack = self.fresh("S")
            self.names[unpack] = fixed.unpack_from
            targets = ", ".join(t for _, t in self.run) + ("," if len(self.run) == 1 else "")
            self.lines.append(f"{indent}{targets} = {unpack}(b, p); p += {fixed.size}")
            self.run.clear()

    def length(self, field: Field, indent: str, *, fixed: str, slow: str = "length") -> bool:
        """Reads a length into n. Returns whether it is compact: then it is one more than it says, and 0 is null; else -1 is."""
        compact = self.flexible and not field.plain
        self.run.append(("B" if compact else fixed, "n"))
        self.flush(indent)
        if compact:
            self.lines.append(f"{indent}if n > 127: n, p = {slow}(b, p - 1)")
        return compact

    def field(self, owner: type[Struct], field: Field, target: str, indent: str) -> None:
        inner = struct_of(owner, field)
        nullable = field.nullable <= self.version
        if field.is_array:
            self.array(field, inner, target, indent, nullable)
        elif field.type_name in FORMATS:
            self.run.append((FORMATS[field.type_name], target))
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

    def null(self, field: Field, target: str, nullable: bool) -> str:
        return f"{target} = None" if nullable else f"raise DecodeError('{field.name} must not be null')"

    def sized(self, field: Field, target: str, indent: str, nullable: bool) -> None:
        is_string = field.type_name == "String"
        compact = self.length(field, indent, fixed="h" if is_string else "i", slow="long_string" if is_string else "length")
        if self.copies:
            value = "b[p:q].decode('utf-8', AS_JAVA)" if is_string else "b[p:q]"
        else:
            value = {"String": "str(b[p:q], 'utf-8', AS_JAVA)", "Bytes": "bytes(b[p:q])", "Records": "b[p:q]"}[field.type_name]
        add = self.lines.append
        add(f"{indent}if n{'' if compact else ' >= 0'}:")
        add(f"{indent}  q = p + n{' - 1' if compact else ''}")
        add(f"{indent}  if q > e: raise DecodeError(f'{field.name} claims {{q - p}} bytes, {{e - p}} are left')")
        add(f"{indent}  {target} = {value}; p = q")
        add(f"{indent}else: {self.null(field, target, nullable)}")

    def array(self, field: Field, inner: type[Struct] | None, target: str, indent: str, nullable: bool) -> None:
        add = self.lines.append
        if self.length(field, indent, fixed="i"):
            add(f"{indent}n -= 1")
        add(f"{indent}if n < 0: {self.null(field, target, nullable)}")
        add(f"{indent}else:")
        indent += "  "
        size = max(1, self.minimum_size(inner)) if inner is not None else size_of(field.type_name) or (1 if self.flexible else 2)
        add(f"{indent}if n * {size} > e - p: raise DecodeError(f'{field.name} claims {{n}} elements, {{e - p}} bytes are left')")
        self.count("n", indent)
        if field.type_name == "Uuid":
            add(f"{indent}{target} = [{'b[i:i + 16]' if self.copies else 'bytes(b[i:i + 16])'} for i in range(p, p + n * 16, 16)]; p += n * 16")
            return
        if field.type_name in FORMATS:
            few, many = self.few(field.type_name, "unpack_from"), f"unpack_from(f'>{{n}}{FORMATS[field.type_name]}', b, p)"
            add(f"{indent}{target} = [*({few}[n](b, p) if n < {FEW} else {many})]; p += n * {size}")
            return
        items, item = self.fresh("l"), self.fresh("m")
        add(f"{indent}{target} = {items} = []")
        add(f"{indent}for _ in range(n):")
        if inner is not None:
            self.struct(inner, item, indent + "  ")
        else:
            self.sized(element_of(field), item, indent + "  ", nullable=False)
        add(f"{indent}  {items}.append({item})")

    def count(self, elements: str, indent: str) -> None:
        """Some of a request's fields take many times their bytes as objects: there may be only so many."""
        if self.counts:
            self.lines.append(f"{indent}left -= {elements}")
            self.lines.append(f"{indent}if left < 0: raise DecodeError('more than {MOST_ELEMENTS:,} elements')")

    def tags(self, cls: type[Struct], target: str, count: str, indent: str) -> None:
        """Tagged fields, `count` of them (its first byte is read). As in Apache Kafka the size that a known one claims doesn't matter."""
        add = self.lines.append
        add(f"{indent}if {count}:")
        add(f"{indent}  if {count} > 127: {count}, p = length(b, p - 1)")
        self.count(count, indent + "  ")
        known = sorted((field for field in cls.fields if field.tag is not None), key=tag_of)
        if not known:
            add(f"{indent}  {target}.unknown_tags, p = unknown(b, p, e, {count})")
            add(f"{indent}else: {target}.unknown_tags = ()")
            return
        found, tag = self.fresh("u"), self.fresh("t")
        add(f"{indent}  {found} = ()")
        add(f"{indent}  for _ in range({count}):")
        add(f"{indent}    start = p; {tag}, p = uvarint(b, p); _, p = uvarint(b, p)")
        word = "if"
        for field in known:
            add(f"{indent}    {word} {tag} == {field.tag}:")
            if field.first <= self.version <= field.last:
                self.field(cls, field, f"{target}.{field.name}", indent + "      ")
                self.flush(indent + "      ")
            else:
                add(f"{indent}      raise DecodeError('tag {field.tag} belongs to other versions')")
            word = "elif"
        add(f"{indent}    else:")
        add(f"{indent}      more, p = unknown(b, start, e, 1); {found} += more")
        add(f"{indent}  {target}.unknown_tags = {found}")
        add(f"{indent}else: {target}.unknown_tags = ()")


def _long_string(buffer: Any, position: int) -> tuple[int, int]:
    """A compact string's length of more than a byte."""
    length, position = read_length(buffer, position)
    if length > MAX_STRING_BYTES + 1:
        raise DecodeError(f"a string claims {length - 1} bytes; {MAX_STRING_BYTES} are the most")
    return length, position


def _read_unknown_tags(buffer: Any, position: int, end: int, count: int) -> tuple[tuple[tuple[int, bytes], ...], int]:
    found = []
    for _ in range(count):
        tag, position = read_uvarint(buffer, position)
        size, position = read_uvarint(buffer, position)
        if size > end - position:
            raise DecodeError(f"tagged field {tag} claims {size} bytes, {end - position} are left")
        found.append((tag, bytes(buffer[position : position + size])))
        position += size
    return tuple(found), position
