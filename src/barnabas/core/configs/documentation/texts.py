"""How the texts are written down: a key on a line of its own, its text indented under it."""

from __future__ import annotations


def texts(written: str) -> dict[str, str]:
    """Key -> text, the text's lines joined by blanks."""
    found: dict[str, list[str]] = {}
    key = ""
    for line in written.strip().splitlines():
        if line.startswith(" "):
            found[key].append(line.strip())
        elif line:
            key = line
            if key in found:
                raise ValueError(f"{key} is documented twice")
            found[key] = []
    return {key: " ".join(lines) for key, lines in found.items()}
