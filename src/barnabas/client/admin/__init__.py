"""What an administrator asks of a cluster, one module a subject; each function takes the `Cluster` first.

A function raises `KafkaError` where the whole call fails; where each item has its own outcome, it returns item -> `KafkaError | None`, or `first_failure` picks one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from barnabas.client.errors import KafkaError


def first_failure(outcomes: Mapping[str, KafkaError | None]) -> None:
    """Raises the first of the failures."""
    for failure in outcomes.values():
        if failure is not None:
            raise failure
