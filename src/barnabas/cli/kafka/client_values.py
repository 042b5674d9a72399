"""Client properties as values: those given are checked as Kafka's clients check them, alone and with those that they depend on; the others are Kafka's defaults.

Owns the checks; the keys stand in core/configs/definitions/clients.py. A key that no client of Kafka has is let through, as there; what of the rest has an
effect here is docs/tools.md's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.configs.definitions.clients import CONSUMER, PRODUCER
from barnabas.core.configs.definitions.row import DEFAULT, TYPE
from barnabas.core.configs.error import ConfigError
from barnabas.core.configs.values import parse

from .session import ConfigException

if TYPE_CHECKING:
    from collections.abc import Mapping

    from barnabas.core.configs.definitions.row import Row, Value

MOST_IN_FLIGHT = 5
"""Batches of one partition that a broker tells from duplicates."""


class Values:
    """What was meant by each key."""

    __slots__ = ("_values", "given")

    def __init__(self, properties: Mapping[str, str], table: Mapping[str, Row]) -> None:
        """Raises ConfigException."""
        self.given = {key for key in properties if key in table}
        self._values: dict[str, Value] = {}
        for key, row in table.items():
            default = row[DEFAULT]
            try:
                self._values[key] = parse(row, properties[key]) if key in self.given and row[TYPE] != "class" else None if default is ... else default
            except ConfigError as error:
                raise ConfigException(error.message) from None

    def number(self, key: str) -> int:
        value = self._values[key]
        assert isinstance(value, int), key
        return value

    def flag(self, key: str) -> bool:
        return self._values[key] is True

    def text(self, key: str) -> str:
        return str(self._values[key])


def producer_values(properties: Mapping[str, str]) -> tuple[Values, bool]:
    """The values, and whether the producer is idempotent: it isn't where other keys forbid it and it wasn't asked for. Raises ConfigException."""
    values = Values(properties, PRODUCER)
    wanted, asked = values.flag("enable.idempotence"), "enable.idempotence" in values.given
    never_again, not_all = values.number("retries") == 0, values.text("acks") not in ("all", "-1")
    in_flight = values.number("max.in.flight.requests.per.connection")
    if wanted and asked and never_again:
        raise ConfigException("Must set retries to non-zero when using the idempotent producer.")
    if wanted and asked and not_all:
        raise ConfigException("Must set acks to all in order to use the idempotent producer. Otherwise we cannot guarantee idempotence.")
    if wanted and in_flight > MOST_IN_FLIGHT:
        raise ConfigException(
            f"To use the idempotent producer, max.in.flight.requests.per.connection must be set to at most {MOST_IN_FLIGHT}. Current value is {in_flight}."
        )
    idempotent = wanted and not never_again and not not_all
    if not idempotent and "transactional.id" in values.given:
        raise ConfigException("Cannot set a transactional.id without also enabling idempotence.")
    if "delivery.timeout.ms" in values.given:
        shortest = values.number("linger.ms") + values.number("request.timeout.ms")
        if values.number("delivery.timeout.ms") < shortest:
            why = "delivery.timeout.ms should be equal to or larger than linger.ms + request.timeout.ms"
            raise _not_made("producer", f"{ConfigException.java_class}: {why}")
    return values, idempotent


def consumer_values(properties: Mapping[str, str], *, in_group: bool) -> Values:
    """Raises ConfigException."""
    values = Values(properties, CONSUMER)
    if in_group and values.number("heartbeat.interval.ms") < 0:
        raise _not_made("consumer", f"java.lang.IllegalArgumentException: Invalid negative timeout {values.number('heartbeat.interval.ms')}")
    if in_group and values.number("heartbeat.interval.ms") >= values.number("session.timeout.ms"):
        raise _not_made("consumer", "java.lang.IllegalArgumentException: Heartbeat must be set lower than the session timeout")
    return values


def _not_made(kind: str, cause: str) -> ConfigException:
    return ConfigException(f"Failed to construct kafka {kind}\nCaused by: {cause}", "org.apache.kafka.common.KafkaException")
