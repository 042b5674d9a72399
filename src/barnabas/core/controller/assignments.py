"""Replica lists for new partitions, placed by the controller or given by hand, and the ISR that each starts with (C38-C42)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas.core.controller.placement import Dice, UsableBroker, place
from barnabas.core.controller.result import ApiError
from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from barnabas.core.controller.controller import Controller


class Assignment(NamedTuple):
    replicas: list[int]
    isr: list[int]
    """The active ones; the first leads."""


def placed(controller: Controller, partitions: int, replication_factor: int) -> list[Assignment]:
    dice = Dice(controller.random_bytes)
    assignments = []
    for replicas in place(dice, _usable_brokers(controller), partitions, replication_factor):
        isr = [replica for replica in replicas if controller.brokers.is_active(replica)]
        if not isr:
            raise ApiError(
                Error.INVALID_REPLICATION_FACTOR, f"{unable(replication_factor)}All brokers are currently fenced or in controlled shutdown."
            )
        assignments.append(Assignment(replicas, isr))
    return assignments


def unable(replication_factor: int) -> str:
    return f"Unable to replicate the partition {replication_factor} time(s): "


def assigned_by_hand(controller: Controller, partition_id: int, replicas: Sequence[int], replication_factor: int | None) -> Assignment:
    """`replication_factor`: what the others have, None for the first."""
    check_replicas(controller, replicas)
    if replication_factor is not None and len(replicas) != replication_factor:
        raise ApiError(
            Error.INVALID_REPLICA_ASSIGNMENT,
            f"The manual partition assignment includes a partition with {len(replicas)} replica(s), but this is not consistent with previous "
            f"partitions, which have {replication_factor} replica(s).",
        )
    isr = [replica for replica in replicas if controller.brokers.is_active(replica)]
    if not isr:
        raise ApiError(
            Error.INVALID_REPLICA_ASSIGNMENT,
            f"All brokers specified in the manual partition assignment for partition {partition_id} are fenced or in controlled shutdown.",
        )
    return Assignment(list(replicas), isr)


def check_replicas(controller: Controller, replicas: Sequence[int]) -> None:
    if not replicas:
        raise ApiError(Error.INVALID_REPLICA_ASSIGNMENT, "The manual partition assignment includes an empty replica list.")
    previous = None
    for replica in sorted(replicas):
        why = None
        if replica not in controller.brokers.registrations:
            why = f"broker {replica}, but no such broker is registered."
        elif replica == previous:
            why = f"the broker {replica} more than once."
        if why is not None:
            raise ApiError(Error.INVALID_REPLICA_ASSIGNMENT, f"The manual partition assignment includes {why}")
        previous = replica


def _usable_brokers(controller: Controller) -> Iterator[UsableBroker]:
    for broker in controller.brokers.registrations.current.values():
        if broker.has_uncordoned_directory and not controller.heartbeats.is_shutting_down(broker.id):
            yield UsableBroker(broker.id, broker.rack, broker.fenced)
