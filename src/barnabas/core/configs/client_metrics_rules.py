"""What a client metrics subscription may be told. Source: ClientMetricsConfigs in 4.3.1, KIP-714."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .definitions.client_metrics import CLIENT_METRICS
from .definitions.row import Row, index
from .error import ConfigError, invalid_request
from .values import parse_all

ROWS: dict[str, Row] = index(CLIENT_METRICS)
PARAMETERS = ("client_instance_id", "client_id", "client_software_name", "client_software_version", "client_source_address", "client_source_port")
_LEAST_INTERVAL_MS = 100
_GREATEST_INTERVAL_MS = 3_600_000


def validate_client_metrics(name: str, configs: Mapping[str, str | None]) -> None:
    """Whether the subscription `name` may have `configs`. Raises ConfigError."""
    nulls = [key for key, text in configs.items() if text is None]
    if nulls:
        raise ConfigError(f"Null value not supported for client metrics configs: {','.join(nulls)}", nulls[0])
    if not name:
        raise invalid_request("Subscription name can't be empty")
    for key in configs:
        if key not in ROWS:
            raise invalid_request(f"Unknown client metrics configuration: {key}", key)
    values = parse_all(ROWS, {key: text for key, text in configs.items() if text is not None})
    interval_ms = values.integer("interval.ms")
    if "interval.ms" in configs and not _LEAST_INTERVAL_MS <= interval_ms <= _GREATEST_INTERVAL_MS:
        raise invalid_request(f"Invalid value {interval_ms} for interval.ms, interval must be between 100 and 3600000 (1 hour)", "interval.ms")
    for pattern in values.items_of("match"):
        parse_match(pattern)


def parse_match(pattern: str) -> tuple[str, re.Pattern[str]]:
    """`PARAMETER=REGEX`. Raises ConfigError."""
    parameter, equals, expression = pattern.rstrip("=").partition("=")
    if not equals or not expression or "=" in expression or parameter.strip() not in PARAMETERS:
        raise ConfigError(f"Illegal client matching pattern: {pattern}", "match")
    try:
        return parameter.strip(), re.compile(expression.strip())
    except re.error:
        raise ConfigError(f"Illegal client matching pattern: {pattern}", "match") from None
