"""How a message is declared: one class a message, all its versions, as data.

A declaration reads like the protocol guide: annotations name the types, `since`, `between`, `always` and `tagged` say in which versions a field
stands, what its default is and whether it may be left out silently. Nothing about bytes: `encoder` and `decoder` are compiled for a version when it
is first used. Constructors take keywords; what is left out has Kafka's default.

Source: KIP-482 (flexible versions, tagged fields) and the message format that Kafka's own definitions use.
"""

from __future__ import annotations

from sys import modules
from typing import TYPE_CHECKING, Any, ClassVar

from barnabas.wire.types import EncodeError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self, dataclass_transform
else:

    def dataclass_transform(**_):
        return lambda cls: cls


NEVER = 1 << 15  # above every version
_PRIMITIVE_DEFAULTS: dict[str, Any] = {
    "Int8": 0, "Int16": 0, "Uint16": 0, "Int32": 0, "Uint32": 0, "Int64": 0, "Float64": 0.0, "Bool": False,
    "String": "", "Bytes": b"", "Records": b"", "Uuid": bytes(16),
}  # fmt: skip
_UNSET: Any = object()
FRESH: Any = object()
"""The default of a struct that may be null but isn't when left out: one at its own defaults. What can't be null needs no saying."""


class Field:
    """One declared field. Version bounds are inclusive; NEVER as an upper bound means "and up"."""

    __slots__ = ("default", "first", "ignorable", "is_array", "last", "name", "nullable", "plain", "struct", "tag", "type_name")

    name: str
    type_name: str  # a primitive's, or a struct's as written
    struct: type[Struct] | None
    is_array: bool
    nullable: int  # first version in which it may be null

    def __init__(self, first: int, last: int, default: Any, nullable: int | None, ignorable: bool, tag: int | None, plain: bool) -> None:
        self.first = first
        self.last = last
        self.default = default
        self.nullable = NEVER if nullable is None else nullable
        self.ignorable = ignorable
        self.tag = tag
        self.plain = plain

    def __repr__(self) -> str:
        return (
            f"<{self.name}: {'Array of ' if self.is_array else ''}{self.type_name} {self.first}-{self.last} tag={self.tag} default={self.default!r}>"
        )


def since(version: int, *, default: Any, nullable: int | None = None, ignorable: bool = False) -> Any:
    """A field of `version` and up."""
    return Field(version, NEVER, default, nullable, ignorable, None, False)


def between(first: int, last: int, *, default: Any, nullable: int | None = None, ignorable: bool = False) -> Any:
    """A field that versions `first` to `last` have."""
    return Field(first, last, default, nullable, ignorable, None, False)


def always(*, default: Any, nullable: int | None = None, ignorable: bool = False, plain: bool = False) -> Any:
    """A field of all versions. `plain`: keeps the old length form where the version is flexible (the client id of a request header)."""
    return Field(0, NEVER, default, nullable, ignorable, None, plain)


def tagged(tag: int, *, first: int = 0, last: int = NEVER, default: Any, nullable: int | None = None, ignorable: bool = False) -> Any:
    """A tagged field: on the wire only where it differs from its default."""
    return Field(first, last, default, nullable, ignorable, tag, False)


class _Declaration(type):
    """Turns annotations into fields and slots."""

    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> _Declaration:
        fields = tuple(_declare(key, text, namespace.pop(key, None)) for key, text in namespace.get("__annotations__", {}).items() if _is_field(text))
        if bases:
            namespace["__slots__"] = tuple(field.name for field in fields)
            namespace["fields"] = fields
        return super().__new__(mcls, name, bases, namespace, **options)

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> None:
        super().__init__(name, bases, namespace)


def _is_field(text: str) -> bool:
    return not text.startswith("ClassVar")


def _declare(name: str, text: str, field: Field | None) -> Field:
    type_, _, null = text.partition(" | ")
    if field is None:
        field = Field(0, NEVER, _UNSET, None, False, None, False)
    field.name = name
    field.is_array = type_.startswith("Array[")
    field.type_name = type_[6:-1] if field.is_array else type_
    field.struct = None
    if null and field.nullable == NEVER:
        field.nullable = 0
    if field.default is _UNSET:
        field.default = [] if field.is_array else _PRIMITIVE_DEFAULTS.get(field.type_name)
    return field


@dataclass_transform(kw_only_default=True, field_specifiers=(since, between, always, tagged))
class Struct(metaclass=_Declaration):
    """A part of a message. `unknown_tags` holds (tag, bytes) of tagged fields that this release doesn't know, in ascending order."""

    __slots__ = ("unknown_tags",)

    fields: ClassVar[tuple[Field, ...]]
    unknown_tags: ClassVar[tuple[tuple[int, bytes], ...]]

    def __init__(self, **values: Any) -> None:
        cls = type(self)
        cls.__init__ = _constructor(cls)  # type: ignore[method-assign]
        cls.__init__(self, **values)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, field.name) == getattr(other, field.name) for field in self.fields) and self.unknown_tags == other.unknown_tags

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = ", ".join(f"{field.name}={getattr(self, field.name)!r}" for field in self.fields)
        return f"{type(self).__qualname__}({shown})"

    def replace(self, **values: Any) -> Self:
        """A copy with some fields changed."""
        return type(self)(**({field.name: getattr(self, field.name) for field in self.fields} | values))


class Message(Struct):
    """A request, a response, a header or a record.

    `api_key` is its API key or record type (-1: none), `valid_versions` the first and last one, `flexible_since` the first flexible one.
    """

    __slots__ = ()

    api_key: ClassVar[int] = -1
    valid_versions: ClassVar[tuple[int, int]]
    flexible_since: ClassVar[int]
    unstable: ClassVar[bool] = False
    decoders: ClassVar[dict[int, Callable[[Any, int, int], tuple[Any, int]]]]
    encoders: ClassVar[dict[int, Callable[[Any, Callable[[bytes], object]], None]]]

    def __init_subclass__(cls, *, versions: str, flexible: str = "none", key: int = -1, unstable: bool = False) -> None:
        cls.api_key = key
        first, _, last = versions.partition("-")
        cls.valid_versions = (int(first), int(last or first))
        cls.flexible_since = NEVER if flexible == "none" else int(flexible[:-1])
        cls.unstable = unstable
        cls.decoders = {}
        cls.encoders = {}

    @classmethod
    def is_flexible(cls, version: int) -> bool:
        return version >= cls.flexible_since

    @classmethod
    def decode(cls, buffer: bytes | bytearray | memoryview, version: int) -> Self:
        """The message at the start of `buffer`; bytes behind it are ignored, as Apache Kafka does (W10). Raises DecodeError."""
        return cls.decode_from(buffer, version)[0]

    @classmethod
    def decode_from(cls, buffer: bytes | bytearray | memoryview, version: int, position: int = 0) -> tuple[Self, int]:
        """The message at `position`, and the position behind it. Raises DecodeError.

        Fields of type Records are views into `buffer`. A message without them copies a buffer that isn't bytes: hand in a frame, not a file.
        """
        decoder = cls.decoders.get(version)
        if decoder is None:
            from barnabas.wire.decoder import compile_decoder

            decoder = cls.decoders[version] = compile_decoder(cls, version)
        return decoder(buffer, position, len(buffer))

    def encode(self, version: int) -> bytes:
        """This message in `version`. Raises EncodeError where a value doesn't fit, or a field that the version lacks isn't at its default."""
        parts: list[bytes] = []
        self.encode_to(parts.append, version)
        try:
            return b"".join(parts)
        except TypeError as error:  # a str where bytes should be
            raise EncodeError(f"{type(self).__name__} version {version}: {error}") from None

    def encode_to(self, write: Callable[[bytes], object], version: int) -> None:
        """As `encode`, in pieces handed to `write`."""
        encoder = self.encoders.get(version)
        if encoder is None:
            from barnabas.wire.encoder import compile_encoder

            encoder = self.encoders[version] = compile_encoder(type(self), version)
        encoder(self, write)


def struct_of(owner: type[Struct], field: Field) -> type[Struct] | None:
    """The struct that `field` holds; None for a primitive. A bare name is nested in its owner, a dotted one starts at the module."""
    if field.type_name in _PRIMITIVE_DEFAULTS:
        return None
    if field.struct is None:
        first, *rest = field.type_name.split(".")
        found = vars(owner).get(first) or vars(modules[owner.__module__])[first]
        for part in rest:
            found = getattr(found, part)
        field.struct = found
    return field.struct


def default_source(owner: type[Struct], field: Field) -> str:
    """A fresh default of `field` as a Python expression; `D_name` stands for the struct's class."""
    if isinstance(field.default, list):
        return "[]"
    if field.default is FRESH or (field.default is None and field.type_name not in _PRIMITIVE_DEFAULTS and field.nullable == NEVER):
        return f"D_{field.name}()"
    return repr(field.default)


def _constructor(cls: type[Struct]) -> Callable[..., None]:
    """An `__init__` with one keyword a field, compiled for `cls` when it is first constructed."""
    names: dict[str, Any] = {"U": _UNSET}
    arguments, lines = [], ["  self.unknown_tags = ()"]
    for field in cls.fields:
        default = default_source(cls, field)
        if default.endswith("()") or default == "[]":
            if default != "[]":
                names[f"D_{field.name}"] = struct_of(cls, field)
            arguments.append(f"{field.name}=U")
            lines.append(f"  self.{field.name} = {default} if {field.name} is U else {field.name}")
        else:
            arguments.append(f"{field.name}={default}")
            lines.append(f"  self.{field.name} = {field.name}")
    head = f"def __init__(self, *, {', '.join(arguments)}):" if arguments else "def __init__(self):"
    exec("\n".join([head, *lines]), names)
    init: Callable[..., None] = names["__init__"]
    return init
