"""A wall clock of its own for a node, that can be set: clock.c, loaded before the C library. It takes a C compiler, no rights."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.nodes import Engine

_SOURCE = Path(__file__).with_name("clock.c")


class Clock:
    """Of the nodes that are started by `engine`. `directory` is where its two files go."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._ahead = directory / "ahead"
        self._library = directory / "clock.so"
        self.set(0)
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-o", str(self._library), str(_SOURCE), "-ldl"], check=True)

    def set(self, seconds_ahead: int) -> None:
        """From now on that far ahead of everybody's clock."""
        with open(self._ahead, "r+b" if self._ahead.exists() else "wb") as file:
            file.write(struct.pack("=q", seconds_ahead))

    def engine(self, engine: Engine) -> Engine:
        loaded = ["env", f"LD_PRELOAD={self._library}", f"CLOCK_AHEAD={self._ahead}"]
        return engine._replace(start_command=lambda properties: [*loaded, *engine.start_command(properties)])
