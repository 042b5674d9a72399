"""How many rows of the catalogue stand where: `python -m tests.seeds.counts`; also at the end of a test run that has them in it."""

from __future__ import annotations

from collections import Counter

from tests.seeds import commands, configs, rows

KINDS = ("commands", "configs", "metrics", "procedures", "code", "formulas", "concepts")
STANDS = ("walked", "bound", "owed nothing", "waiting")


def stands() -> dict[str, list[str]]:
    """Row id -> how it stands; exactly one way, or test_catalogue.py says so."""
    found: dict[str, list[str]] = {row: [] for row in rows.rows()}
    for stand, ids in (
        ("walked", [row.id for row in (*commands.walked(), *configs.walked()) if row.id not in rows.waiting() and row.id not in rows.bound()]),
        ("bound", rows.bound()),
        ("owed nothing", rows.owed_nothing()),
        ("waiting", rows.waiting()),
    ):
        for row in ids:
            found.setdefault(row, []).append(stand)
    return found


def table() -> list[str]:
    counted = Counter((rows.rows()[row].kind, how[0]) for row, how in stands().items() if how)
    lines = [f"{'':10} {'rows':>5} " + " ".join(f"{stand:>12}" for stand in STANDS)]
    for kind in (*KINDS, "all"):
        numbers = [sum(count for (of, how), count in counted.items() if how == stand and kind in (of, "all")) for stand in STANDS]
        lines.append(f"{kind:10} {sum(numbers):5} " + " ".join(f"{number:12}" for number in numbers))
    by_capability = Counter(rows.waiting().values())
    waits = ", ".join(f"{capability} {by_capability[capability]}" for capability in rows.capabilities())
    return [*lines, f"waiting for: {waits}"]


if __name__ == "__main__":
    print("\n".join(table()))
