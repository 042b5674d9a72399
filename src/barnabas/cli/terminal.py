"""Output for people: colour where there is a terminal, plain words where there is none, JSON where it was asked for."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import TextIO

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


class Terminal:
    """Where a command writes. With `as_json` only `result` writes, once, at the end; everything for people is left out."""

    def __init__(self, *, as_json: bool = False, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._as_json = as_json
        self._colour = self._out.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"

    def style(self, text: str, *names: str) -> str:
        if not self._colour or not names:
            return text
        return f"\x1b[{';'.join(_CODES[name] for name in names)}m{text}\x1b[0m"

    def line(self, text: str = "") -> None:
        if not self._as_json:
            self._out.write(text + "\n")
            self._out.flush()

    def done(self, text: str, detail: str = "") -> None:
        """A step that succeeded."""
        self.line(f"{self.style('✓', 'green', 'bold') if self._colour else '-'} {text}{self.style(f'  {detail}', 'dim') if detail else ''}")

    def note(self, text: str) -> None:
        """Something that isn't as one would expect, and is all right."""
        self.line(f"{self.style('!', 'yellow', 'bold')} {text}")

    def command(self, text: str, meaning: str = "") -> None:
        """A command to type next."""
        self.line(f"    {self.style(text, 'cyan')}{self.style(f'   # {meaning}', 'dim') if meaning else ''}")

    def fields(self, values: dict[str, str]) -> None:
        """Names and values in two columns."""
        width = max(map(len, values), default=0)
        for name, value in values.items():
            self.line(f"  {self.style(f'{name:<{width}}', 'dim')}  {value}")

    def result(self, values: dict[str, Any]) -> None:
        """The outcome for programs."""
        if self._as_json:
            self._out.write(json.dumps(values) + "\n")
            self._out.flush()

    def fail(self, message: str) -> int:
        """The reason to stderr (and as JSON); returns the exit status."""
        if self._as_json:
            self.result({"error": message})
        else:
            colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ
            sys.stderr.write(f"\x1b[31;1mError:\x1b[0m {message}\n" if colour else f"Error: {message}\n")
        return 1
