"""barnabas version: what this is, what it is interchangeable with, and whether the native part of the data path is there."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .terminal import Terminal


def version(terminal: Terminal) -> int:
    from barnabas import __version__

    from .kafka import VERSION

    terminal.line(f"Barnabas {__version__}, as Apache Kafka {VERSION}, on Python {platform.python_version()}")
    terminal.result({"version": __version__, "kafka_version": VERSION, "python": platform.python_version()})
    return 0
