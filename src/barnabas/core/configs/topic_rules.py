"""What a topic's configs must satisfy together. Each key's own check is `values`. Source: LogConfig's validation in 4.3.1, KIP-405, KIP-950."""

from __future__ import annotations

from collections.abc import Mapping

from .definitions.row import Value
from .error import ConfigError, invalid_value
from .topic_settings import ROWS, topic_values
from .values import Values

_KEEP_OR_DELETE = (
    "It is invalid to disable remote storage without deleting remote data. "
    "Either keep it readable with remote.storage.enable=true,remote.log.copy.disable=true, "
    "or give it up with remote.storage.enable=false,remote.log.delete.on.disable=true."
)


def validate_topic(
    configs: Mapping[str, str | None], existing: Mapping[str, str], defaults: Mapping[str, Value], *, has_remote_storage: bool = False
) -> None:
    """Whether `configs`, as a whole, may replace a topic's `existing` ones; `defaults` are what the controller's node has. Raises ConfigError."""
    nulls = [name for name, text in configs.items() if text is None]
    if nulls:
        raise ConfigError(f"Null value not supported for topic configs: {','.join(nulls)}", nulls[0])
    for name in configs:
        if name not in ROWS:
            raise ConfigError(f"Unknown topic config name: {name}", name)
    values = topic_values(defaults, {name: text for name, text in configs.items() if text is not None})
    _check_compaction_lags(values)
    if values.flag("remote.storage.enable"):
        if not has_remote_storage:
            raise ConfigError(
                "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.", "remote.storage.enable"
            )
        _check_remote_storage(values)
    elif existing.get("remote.storage.enable", "").lower() == "true" and not values.flag("remote.log.delete.on.disable"):
        raise ConfigError(_KEEP_OR_DELETE, "remote.storage.enable")


def _check_compaction_lags(values: Values) -> None:
    least, most = values.integer("min.compaction.lag.ms"), values.integer("max.compaction.lag.ms")
    if least > most:
        raise ConfigError(f"conflict topic config setting min.compaction.lag.ms ({least}) > max.compaction.lag.ms ({most})", "min.compaction.lag.ms")


def _check_remote_storage(values: Values) -> None:
    if values.items_of("cleanup.policy") not in ((), ("delete",)):
        raise ConfigError(
            "Remote log storage only supports topics with cleanup.policy=delete or cleanup.policy being an empty list.", "cleanup.policy"
        )
    for unit in ("bytes", "ms"):
        total, key = values.integer(f"retention.{unit}"), f"local.retention.{unit}"
        local = values.integer(key)
        if total <= -1 or local == -2:
            continue
        if local == -1:
            raise invalid_value(key, local, f"Value must not be -1 as retention.{unit} value is set as {total}.")
        if local > total:
            raise invalid_value(key, local, f"Value must not be more than retention.{unit} property value: {total}")
    if values.flag("remote.log.copy.disable"):
        for unit in ("bytes", "ms"):
            if values.integer(f"local.retention.{unit}") not in (-2, values.integer(f"retention.{unit}")):
                raise ConfigError(
                    f"With remote.log.copy.disable no more is copied away, so local.retention.{unit} must equal retention.{unit}",
                    f"local.retention.{unit}",
                )
