"""Values of every message in every version: our bytes, read and written again by Apache Kafka's own classes and by kio, stay the same bytes.

VALUES=100 says how many of each version.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
from importlib import import_module
from random import Random
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import pytest
from kio.serial import entity_reader, entity_writer

from barnabas.wire.types import DecodeError, EncodeError
from tests.apache import release
from tests.messages import Values, all_versions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from barnabas.wire.schema import Message

VALUES_A_VERSION = int(os.environ.get("VALUES", "40"))
MUTATIONS_A_VERSION = VALUES_A_VERSION // 2
TAGS_IN_DISORDER = "Invalid raw tag field list"  # the release reads them and can't write them again; we write them in order
Line = tuple[type["Message"], int, bytes]


@pytest.fixture(scope="module")
def java_names(apache_libs: Path) -> dict[str, str]:
    """Name of a message -> the release's class of it. Generated classes are known by the converter that stands beside each."""
    names = {}
    for jar in apache_libs.glob("kafka-*.jar"):
        with ZipFile(jar) as archive:
            for entry in archive.namelist():
                if entry.endswith("JsonConverter.class") and "$" not in entry:
                    full = entry.removesuffix("JsonConverter.class").replace("/", ".")
                    simple = full.rpartition(".")[2]
                    names[simple] = full
                    names.setdefault(simple.removesuffix("Data"), full)
    return names


def echo(lines: list[Line], java_names: dict[str, str]) -> list[str]:
    """What the release answers to each line."""
    program = release.HERE / "java" / "EchoMessages.java"
    text = "".join(f"{java_names[cls.__name__]} {version} {data.hex()}\n" for cls, version, data in lines)
    done = subprocess.run(release.java_command(str(program), flags=("-Xmx1g",)), input=text, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.split("\n")[:-1]


def values() -> Iterator[Line]:
    random = Random(4_3_1)
    for cls, version in all_versions():
        for _ in range(VALUES_A_VERSION):
            message = Values(random).message(cls, version)
            data = message.encode(version)
            assert cls.decode(data, version) == message
            yield cls, version, data


def mutations() -> Iterator[Line]:
    random = Random(2)
    for cls, version in all_versions():
        data = Values(random).message(cls, version).encode(version)
        for _ in range(MUTATIONS_A_VERSION):
            yield cls, version, mutated(data, random)


def mutated(data: bytes, random: Random) -> bytes:
    """`data` with a few bytes replaced, removed or put in."""
    first, length = random.randrange(len(data) + 1), random.randrange(4)
    return data[:first] + random.randbytes(random.randrange(4)) + data[first + length :]


@pytest.fixture(scope="module")
def echoes(java_names: dict[str, str]) -> list[list[tuple[Line, str]]]:
    """Values and mutations with what the release made of each, in one JVM."""
    lines = [list(values()), list(mutations())]
    answers = echo(lines[0] + lines[1], java_names)
    count = len(lines[0])
    return [list(zip(lines[0], answers[:count], strict=True)), list(zip(lines[1], answers[count:], strict=True))]


@pytest.mark.apache
def test_the_release_writes_what_we_write(echoes: list[list[tuple[Line, str]]]) -> None:
    wrong = [f"{cls.__name__} {version}: {data.hex()} -> {answer}" for (cls, version, data), answer in echoes[0] if answer != data.hex()]
    assert not wrong, f"{len(wrong)} of {len(echoes[0])} differ\n" + "\n".join(line[:500] + line[-100:] for line in wrong[:10])


@pytest.mark.apache
def test_the_release_refuses_what_we_refuse(echoes: list[list[tuple[Line, str]]]) -> None:
    """Bytes that went wrong: either both refuse them, or both make the same of them."""
    wrong = []
    for (cls, version, data), theirs in echoes[1]:
        try:
            message, position = cls.decode_from(data, version)
            ours = message.encode(version).hex() + (f" {len(data) - position}" if position < len(data) else "")
        except (DecodeError, EncodeError) as error:
            ours = f"{'!' if isinstance(error, DecodeError) else '?'} {error}"
        if ours != theirs and not ours[0] == theirs[0] == "!" and TAGS_IN_DISORDER not in theirs:
            wrong.append(f"{cls.__name__} {version}: {data.hex()[-300:]}\n    ours {ours[:300]}\n  theirs {theirs[:300]}")
    assert not wrong, f"{len(wrong)} of {len(echoes[1])} differ\n" + "\n".join(wrong[:10])


def kio_class(cls: type[Message], version: int) -> Any:
    """The class that kio has for one version of a message, or None."""
    stem, _, kind = re.sub(r"([A-Z]+(?=[A-Z][a-z])|[a-z0-9](?=[A-Z]))", r"\1_", cls.__name__).lower().rpartition("_")
    if kind == "header":
        stem += "_header"
    elif kind not in ("request", "response"):
        stem, kind = f"{stem}_{kind}", "data"
    try:
        return getattr(import_module(f"kio.schema.{stem}.v{version}.{kind}"), cls.__name__)
    except ImportError:
        return None


def test_kio_writes_what_we_write() -> None:
    values = Values(Random(3), tame=True)
    covered = set()
    for cls, version in all_versions():
        theirs = kio_class(cls, version)
        if theirs is None:
            continue
        covered.add(cls.__name__)
        read, write = entity_reader(theirs), entity_writer(theirs)
        for _ in range(5):
            data = values.message(cls, version).encode(version)
            found, size = read(data, 0)
            assert size == len(data)
            again = io.BytesIO()
            write(again, found)
            assert again.getvalue() == data, f"{cls.__name__} {version}"
    assert len(covered) >= 190
