"""Builds the compiled load generators into bench/build: load.c and scale.c (no libraries), rdkafka_produce.c (librdkafka's headers)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
BUILD = HERE / "build"


class CannotBuild(RuntimeError):
    """A compiler or a header is missing; the message says what to install."""


def build(name: str, *libraries: str) -> Path:
    """Compiles bench/NAME.c unless the program is newer than its sources; returns the program."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise CannotBuild("cc isn't on PATH: install a C compiler (Debian: gcc libc6-dev).")
    source, program = HERE / f"{name}.c", BUILD / name
    if program.exists() and program.stat().st_mtime > max(file.stat().st_mtime for file in (source, HERE / "protocol.h")):
        return program
    BUILD.mkdir(exist_ok=True)
    command = [compiler, "-O2", "-Wall", "-Wextra", "-std=c11", "-o", str(program), str(source), *(f"-l{library}" for library in libraries)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise CannotBuild(f"{' '.join(command)}:\n{done.stderr}")
    return program


def load() -> Path:
    return build("load")


def scale() -> Path:
    return build("scale")


def rdkafka_produce() -> Path:
    try:
        return build("rdkafka_produce", "rdkafka")
    except CannotBuild as failed:
        raise CannotBuild(f"needs librdkafka's headers (Debian: librdkafka-dev).\n{failed}") from failed
