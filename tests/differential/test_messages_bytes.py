"""Values of every message in every version: our bytes, read and written again by Apache Kafka's own classes and by kio, stay the same bytes."""

from __future__ import annotations

import subprocess
from random import Random
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest
from tests.apache import release
from tests.messages import all_versions, any_message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from barnabas.wire.schema import Message

VALUES_A_VERSION = 40
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


def echo(lines: Iterator[Line] | list[Line], java_names: dict[str, str]) -> list[str]:
    """What the release answers to each line."""
    program = release.HERE / "java" / "EchoMessages.java"
    text = "".join(f"{java_names[cls.__name__]} {version} {data.hex()}\n" for cls, version, data in lines)
    done = subprocess.run(release.java_command(str(program), flags=("-Xmx1g",)), input=text, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.split("\n")[:-1]


@pytest.mark.apache
def test_the_release_writes_what_we_write(java_names: dict[str, str]) -> None:
    random = Random(4_3_1)
    lines: list[Line] = []
    for cls, version in all_versions():
        for _ in range(VALUES_A_VERSION):
            message = any_message(cls, version, random)
            data = message.encode(version)
            assert cls.decode(data, version) == message
            lines.append((cls, version, data))
    answers = echo(lines, java_names)
    assert len(answers) == len(lines)
    wrong = [
        f"{cls.__name__} {version}: {data.hex()} -> {answer}"
        for (cls, version, data), answer in zip(lines, answers, strict=True)
        if answer != data.hex()
    ]
    assert not wrong, f"{len(wrong)} of {len(lines)} differ\n" + "\n".join(line[:500] + line[-100:] for line in wrong[:10])
