"""CSV of `--export` and `--from-file`: `topic,partition,offset`, led by the group where there are several."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from .java import RUNTIME, Thrown, wrapped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .offset_reset import Plan

MAX_BYTES = 64 * 1024 * 1024
_LONG_TEXT = 24
_CSV_ERROR = "com.fasterxml.jackson.databind.exc.MismatchedInputException"


def exported(plans: Mapping[str, Plan], *, with_group: bool) -> str:
    lines = []
    for group_id, plan in plans.items():
        for (topic, partition), offset in plan.items():
            fields = [_field(group_id)] if with_group else []
            lines.append(",".join([*fields, _field(topic), str(partition), str(offset)]) + "\n")
    return "".join(lines)


def _field(text: str) -> str:
    """Quoted where it is long or has a character that might need it, as Apache's tool does."""
    if len(text) > _LONG_TEXT or any(letter <= "," for letter in text) or not text:
        return '"' + text.replace('"', '""') + '"'
    return text


def read(path: str, group_id: str | None) -> dict[str, Plan]:
    """Group -> plan. `group_id` owns the lines of a file without groups. Raises Thrown, which names the line."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            text = file.read(MAX_BYTES)
    except OSError:
        raise wrapped(Thrown(f"Unable to read file {path}", "java.io.IOException"), RUNTIME) from None
    plans: dict[str, Plan] = {}
    lines = text.rstrip("\n").split("\n")
    alone = group_id is not None and len(_fields(lines[0])) <= 3
    for number, line in enumerate(lines, 1):
        fields = _fields(line)
        if alone and group_id is not None:
            fields.insert(0, group_id)
        if len(fields) != 4 or not fields[2].isdecimal() or not fields[3].lstrip("-").isdecimal():
            expected = "topic,partition,offset" if alone else "group,topic,partition,offset"
            raise wrapped(Thrown(f"{path}:{number}: '{line}' isn't {expected}", _CSV_ERROR), RUNTIME)
        plans.setdefault(fields[0], {})[(fields[1], int(fields[2]))] = int(fields[3])
    return plans


def _fields(line: str) -> list[str]:
    return [field for row in csv.reader([line]) for field in row]
