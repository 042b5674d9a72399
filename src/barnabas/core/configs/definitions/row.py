"""The shape of a configuration key's row, and how to find its parts. Rows are plain tuples so that a start loads them as constants."""

from __future__ import annotations

from types import EllipsisType
from typing import Final

# bool for "boolean", int for "int", "short", "long", float for "double", str for "string", "class", "password", tuple for "list"
Value = bool | int | float | str | tuple[str, ...] | None
Check = tuple[object, ...]

# name, type, default, check, importance, flag:
#   default     the parsed default; None: no value; ...: the key must be given
#   check       None, or a kind with its operands, see `barnabas.core.configs.values.check`
#   importance  "high", "medium", "low"
#   flag        "" (broker keys: read only), "per-broker", "cluster-wide" (who may change it while brokers run), "internal" (not shown)
Row = tuple[str, str, Value | EllipsisType, Check | None, str, str]

NAME: Final = 0
TYPE: Final = 1
DEFAULT: Final = 2
CHECK: Final = 3
IMPORTANCE: Final = 4
FLAG: Final = 5


def index(*tables: tuple[Row, ...]) -> dict[str, Row]:
    return {row[0]: row for table in tables for row in table}
