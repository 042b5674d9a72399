"""What a client metrics subscription can be given (resource type 16, KIP-714).

Rows as `row.Row` says. The facts are those of Apache Kafka 4.3.1 and are compared with it by tests/differential/test_config_definitions.py.
"""

from __future__ import annotations

from .row import Row

CLIENT_METRICS: tuple[Row, ...] = (
    ("interval.ms", "int", 300_000, None, "medium", ""),
    ("match", "list", (), ("list", True, False), "medium", ""),
    ("metrics", "list", (), ("list", True, False), "medium", ""),
)
