"""Runs the shell blocks of a document, as a reader would type them, and compares what they print.

A block is fenced as `console`: `$ ` begins a command, `> ` goes on with it, other lines are what it prints, with `...` for anything, also for any number of
lines. A command must end with 0; a command without output in the document may print what it likes. A block behind a comment `<!-- not run: REASON -->`
isn't run.
"""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_BLOCK = re.compile(r"(<!-- not run: [^>]+ -->\n)?```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Command(NamedTuple):
    text: str
    output: list[str]
    line: int


def commands(document: str) -> list[Command]:
    """Every command that is to be run, in its order."""
    found: list[Command] = []
    for block in _BLOCK.finditer(document):
        if block[1]:
            continue
        first = document.count("\n", 0, block.start(2)) + 1
        for number, line in enumerate(block[2].splitlines(), first):
            if line.startswith("$ "):
                found.append(Command(line[2:], [], number))
            elif line.startswith(">") and not found[-1].output:
                found[-1] = found[-1]._replace(text=f"{found[-1].text}\n{line[2:]}")
            else:
                found[-1].output.append(line)
    return found


def run(document: str, directory: Path, environment: Mapping[str, str], timeout_s: float) -> list[str]:
    """Types all commands into one shell in `directory`. Returns what went otherwise than the document says, the line first; nothing goes on behind it."""
    typed = commands(document)
    results = directory / ".results"
    results.mkdir()
    script = "".join(f"{{ {command.text}\n}} >{results}/{n} 2>&1 || {{ echo $? >{results}/failed; exit; }}\n" for n, command in enumerate(typed))
    failed = results / "failed"
    differences = []
    try:
        subprocess.run(["bash", "-c", script], cwd=directory, env=environment, stdin=subprocess.DEVNULL, timeout=timeout_s, check=True)
    except subprocess.TimeoutExpired:
        failed.write_text(f"nothing after {timeout_s:.0f} s for all")
    for n, command in enumerate(typed):
        printed = (results / str(n)).read_text() if (results / str(n)).exists() else None
        last = not (results / str(n + 1)).exists()
        if printed is None:
            break
        if last and failed.exists():
            differences.append(f"line {command.line}: $ {command.text}\nended with {failed.read_text().strip()}:\n{printed}")
        elif command.output and not matches(command.output, printed):
            differences.append(f"line {command.line}: $ {command.text}\nprinted:\n{printed}")
    return differences


def matches(expected: list[str], printed: str) -> bool:
    pattern = "".join(r"(?:.*\n)*?" if line == "..." else ".*".join(map(re.escape, line.split("..."))) + r"[ \t]*\n" for line in expected)
    return re.fullmatch(pattern, printed if printed.endswith("\n") or not printed else printed + "\n") is not None
