"""A soak that is told to end, by a key or by SIGTERM, takes its nodes and their data with it."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
