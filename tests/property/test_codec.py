"""The codec under every message and version: what is encoded decodes to itself; what isn't right ends in DecodeError and allocates nothing. W38."""

from __future__ import annotations

import tracemalloc
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barnabas.wire.schema import Message, Struct
from barnabas.wire.types import DecodeError, EncodeError
from tests.messages import Values, all_versions
from tests.property.examples import examples

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSIONS = list(all_versions())
CUTS = 60
HOSTILE = (
    b"\xff" * 100,
    b"\x80" * 100,
    b"\x7f" * 100,
    b"\x7f\xff\xff\xff" * 25,  # 2 GB, or 2 billion elements, to the old forms
    b"\x7f\xff" * 50,
    b"\xff\xff\xff\xff\x07" * 20,  # the same to the compact ones
    b"\xff\xff\xff\xff\x0f" * 20,
    b"\x80\x80\x80\x80\x80\x01" * 16,  # longer than a varint may be
    b"\0" * 99 + b"\xff",
)


@given(st.sampled_from(VERSIONS), st.randoms(use_true_random=False))
@settings(max_examples=examples(150), deadline=None)
def test_there_and_back(which: tuple[type[Message], int], random: Random) -> None:
    cls, version = which
    message = Values(random).message(cls, version)
    data = message.encode(version)
    for buffer in (data, bytearray(data), memoryview(b"behind" + data + b"before")[6:-6]):
        assert cls.decode_from(buffer, version) == (message, len(data))
    assert cls.decode_from(b"123" + data + b"trailing", version, 3) == (message, len(data) + 3)
    assert cls.decode(data, version).encode(version) == data


@given(st.sampled_from(VERSIONS), st.randoms(use_true_random=False), st.binary(max_size=300))
@settings(max_examples=examples(150), deadline=None)
def test_mutations(which: tuple[type[Message], int], random: Random, noise: bytes) -> None:
    """Some bytes of a message replaced, inserted or removed, and noise alone."""
    cls, version = which
    data = Values(random).message(cls, version).encode(version)
    first, length = random.randrange(len(data) + 1), random.randrange(1, 9)
    for bad in (
        data[:first] + noise[:length] + data[first + length :],
        data[:first] + noise + data[first:],
        data[:first] + data[first + length :],
        noise,
    ):
        with suppress(DecodeError):
            cls.decode(bad, version)


def test_cut_anywhere() -> None:
    random = Random(1)
    for cls, version in VERSIONS:
        data = Values(random).message(cls, version).encode(version)
        cuts = range(len(data)) if len(data) <= CUTS else random.sample(range(len(data)), CUTS)
        for cut in cuts:
            with pytest.raises(DecodeError):
                cls.decode(data[:cut], version)


def test_hostile_lengths_allocate_nothing() -> None:
    random = Random(2)
    tracemalloc.start()
    try:
        for cls, version in VERSIONS:
            data = Values(random).message(cls, version).encode(version)
            cls.decode(data, version)  # compiles
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            for hostile in HOSTILE:
                for start in (b"", data[: random.randrange(len(data) + 1)]):
                    with suppress(DecodeError):
                        cls.decode(start + hostile, version)
            peak = tracemalloc.get_traced_memory()[1] - before
            assert peak < 1 << 20, f"{cls.__name__} {version} took {peak} bytes"
    finally:
        tracemalloc.stop()


def structs(value: Any) -> Iterator[Struct]:
    """Every struct in a message, itself first."""
    if isinstance(value, list):
        for each in value:
            yield from structs(each)
    elif isinstance(value, Struct):
        yield value
        for field in value.fields:
            yield from structs(getattr(value, field.name))


def test_fields_that_a_version_lacks() -> None:
    """W38: a value is refused, or dropped where the definition says that it may be."""
    random = Random(3)
    refused = dropped = 0
    for cls, version in VERSIONS * 2:
        message = Values(random).message(cls, version)
        data = message.encode(version)
        for struct in structs(message):
            if reached(message, struct, version):
                for field in struct.fields:
                    if field.first <= version <= field.last:
                        continue
                    default = getattr(struct, field.name)
                    setattr(struct, field.name, other_value(type(struct), field, default, version, random))
                    if field.ignorable:
                        assert message.encode(version) == data
                        dropped += 1
                    else:
                        with pytest.raises(EncodeError, match=field.name):
                            message.encode(version)
                        refused += 1
                    setattr(struct, field.name, default)
    assert refused > 500
    assert dropped > 500


def reached(value: Any, struct: Struct, version: int) -> bool:
    """Whether `struct` stands in a field that this version writes."""
    if value is struct:
        return True
    if isinstance(value, list):
        return any(reached(each, struct, version) for each in value)
    if not isinstance(value, Struct):
        return False
    written = (field for field in value.fields if field.first <= version <= field.last and not absent_tag(value, field))
    return any(reached(getattr(value, field.name), struct, version) for field in written)


def absent_tag(owner: Struct, field: Any) -> bool:
    return field.tag is not None and getattr(owner, field.name) == getattr(type(owner)(), field.name)


def other_value(owner: type[Struct], field: Any, default: Any, version: int, random: Random) -> Any:
    newest = max(version, field.first) if field.last > version else field.last
    for _ in range(1000):
        value = Values(random).field(owner, field, True, newest)
        if value != default and value is not None:
            return value
    raise AssertionError(f"{owner.__qualname__}.{field.name} has no value but its default")


def test_unknown_tags_need_a_flexible_version() -> None:
    for cls, version in VERSIONS:
        message = Values(Random(4)).message(cls, version)
        message.unknown_tags = ((1000, b"x"),)
        if cls.is_flexible(version):
            assert cls.decode(message.encode(version), version).unknown_tags == ((1000, b"x"),)
        else:
            with pytest.raises(EncodeError, match="tagged"):
                message.encode(version)


def test_null_where_none_may_be() -> None:
    """Null in a field that can't be null in a version is refused."""
    refused = 0
    for cls, version in VERSIONS:
        for field in cls.fields:
            if field.first <= version <= field.last and field.nullable > version and field.tag is None:
                message = Values(Random(5)).message(cls, version)
                setattr(message, field.name, None)
                if field.type_name != "Bool" or field.is_array:
                    with pytest.raises(EncodeError):
                        message.encode(version)
                    refused += 1
    assert refused > 1000
