"""Times by patterns of java.text.SimpleDateFormat; the answers are Java's."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from barnabas.cli.kafka.java_dates import formatted

if TYPE_CHECKING:
    from collections.abc import Iterator

MOMENT_MS = 1_700_000_000_123


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    "pattern, text",
    [
        ("yyyy-MM-dd HH:mm:ss:SSS", "2023-11-14 22:13:20:123"),
        ("yy/M/d h:m:s a", "23/11/14 10:13:20 PM"),
        ("EEE, d MMM yyyy HH:mm:ss Z", "Tue, 14 Nov 2023 22:13:20 +0000"),
        ("EEEE MMMM D k K u G", "Tuesday November 318 22 10 2 AD"),
        ("yyyy-MM-dd'T'HH:mm:ssXXX", "2023-11-14T22:13:20Z"),
        ("HH 'o''clock' ''", "22 o'clock '"),
        ("S SSSSS z", "123 00123 UTC"),
        ("", ""),
    ],
)
def test_patterns(pattern: str, text: str) -> None:
    assert formatted(pattern, MOMENT_MS) == text


@pytest.mark.parametrize("pattern, problem", [("bb", "Illegal pattern character 'b'"), ("HH 'o", "Unterminated quote"), ("ww", "isn't known here")])
def test_refused(pattern: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        formatted(pattern, MOMENT_MS)
