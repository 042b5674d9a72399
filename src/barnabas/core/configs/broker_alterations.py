"""A change of a broker's dynamic configs, judged by the broker that it is for, before the controller gets it.

Owns what increments come to, which keys may change while a broker runs and where, whether the whole still holds together, and what this node
would not act on. Source: ConfigAdminManager, DynamicBrokerConfig and the components they ask, in 4.3.1; KIP-226, KIP-339.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .broker_rules import check_broker
from .definitions.broker import BROKER, DYNAMIC_QUOTAS, update_mode
from .definitions.broker_security import DYNAMIC_SECURITY
from .definitions.row import TYPE, Row
from .error import ConfigError, invalid_request
from .listener_changes import check_listeners
from .listeners import by_listener, resolve
from .resolution import default_text, is_per_broker, overlay, usable_dynamic
from .synonyms import listener_base
from .topic_settings import retention_ms
from .values import Values, parse

SET, DELETE, APPEND, SUBTRACT = range(4)

_THREADS = (
    "num.io.threads",
    "num.replica.fetchers",
    "num.recovery.threads.per.data.dir",
    "background.threads",
    "num.network.threads",
    "remote.log.reader.threads",
    "remote.log.manager.copier.thread.pool.size",
    "remote.log.manager.expiration.thread.pool.size",
    "remote.log.manager.follower.thread.pool.size",
)
_CLEANER_THREADS = "log.cleaner.threads"
_REQUIREMENTS = (
    "log.roll.ms",
    "log.roll.jitter.ms",
    "log.retention.ms",
    "log.cleaner.dedupe.buffer.size",
    "max.connections.per.ip",
)
_WORDED = ("max.connections.per.ip.overrides", _CLEANER_THREADS)  # its errors are Java's own
# What Apache Kafka would act on at once and this node only at a start, where acting late would be taken for done.
_OF_LISTENERS = ("max.connections", "max.connection.creation.rate")
_CLASSES = (
    "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder",
    "org.apache.kafka.common.security.ssl.DefaultSslEngineFactory",
)
"""Of Java's what stands for what a node does by itself. There are no others here."""
_REPORTERS = "metric.reporters"
_REPORTER = "org.apache.kafka.common.metrics.JmxReporter"


def after_increments(stored: Mapping[str, str], operations: Iterable[tuple[str, int, str | None]], *, per_broker: bool) -> dict[str, str]:
    """The dynamic configs that `operations` (key, SET to SUBTRACT, value) make of those `stored`. Raises ConfigError."""
    configs = usable_dynamic(stored, per_broker=per_broker)
    for name, operation, value in operations:
        if operation == SET:
            configs[name] = value or ""
        elif operation == DELETE:
            configs.pop(name, None)
        else:
            configs[name] = _added_or_taken(configs, name, operation, value or "")
    return configs


def _added_or_taken(configs: Mapping[str, str], name: str, operation: int, value: str) -> str:
    row = BROKER.get(name)
    if row is None:
        raise ConfigError(f"Unknown config name: {name}", name)
    if row[TYPE] != "list":
        verb = "append" if operation == APPEND else "subtract"
        raise ConfigError(f"Config value {verb} is not allowed for config key: {name}", name)
    items = [item for item in configs.get(name, default_text(row) or "").split(",") if item]
    asked = value.split(",")
    return ",".join(
        [*items, *(item for item in asked if item not in items)] if operation == APPEND else [item for item in items if item not in asked]
    )


def validate_broker(
    configs: Mapping[str, str],
    static: Mapping[str, str],
    cluster: Mapping[str, str],
    broker: Mapping[str, str],
    present: Values,
    *,
    per_broker: bool,
) -> None:
    """Whether `configs` may become this broker's dynamic configs, or the cluster's default ones. Raises ConfigError.

    The other arguments are what the broker runs with: its file, both dynamic layers, and its values in force.
    """
    _check_keys(configs, per_broker)
    texts = overlay(static, cluster, configs) if per_broker else overlay(static, configs, broker)
    try:
        if texts.get(_CLEANER_THREADS, "").strip() == "0":
            raise ConfigError("/ by zero", _CLEANER_THREADS)  # what the release makes of it
        values = Values(BROKER, {name: parse(BROKER[name], text) for name, text in texts.items() if name in BROKER})
        check_broker(values)
        resolve(values)
    except ConfigError as error:
        raise invalid_request(_as_told(error), error.key) from None
    _check_running(values, present, texts)
    try:
        check_listeners(values, texts, present, overlay(static, cluster, broker))
    except ConfigError as error:
        raise _invalid_dynamic(error.message, error.key) from None


def _as_told(error: ConfigError) -> str:
    """The words of a broken rule as a reply has them."""
    if error.key in _REQUIREMENTS and error.key in error.message and not error.message.startswith("Invalid value"):
        return f"requirement failed: {error.message}"
    return error.message if error.key in error.message or error.key in _WORDED else f"{error.key}: {error.message}"


def _check_keys(configs: Mapping[str, str], per_broker: bool) -> None:
    fixed = [name for name in configs if name in BROKER and update_mode(name) == "read-only"]
    if fixed:
        raise invalid_request(f"Cannot update these configs dynamically: [{', '.join(sorted(fixed))}]", fixed[0])
    plain = [name for name in configs if name in DYNAMIC_SECURITY]
    if plain:
        raise invalid_request(
            f"These security configs can be dynamically updated only per-listener using the listener prefix: [{', '.join(sorted(plain))}]", plain[0]
        )
    for name, text in configs.items():
        row = _dynamic_row(name)
        if row is not None:
            if row[TYPE] == "class" and text.strip() not in _CLASSES:
                raise invalid_request(f"Invalid value {text} for configuration {name}: Class {text} could not be found.", name)
            try:
                parse(row, text)
            except ConfigError as error:
                raise invalid_request(error.message, name) from None
    single = [] if per_broker else [name for name in configs if is_per_broker(name)]
    if single:
        raise invalid_request(
            f"Cannot update these configs at default cluster level, broker id must be specified: [{', '.join(sorted(single))}]", single[0]
        )


def _dynamic_row(name: str) -> Row | None:
    base = listener_base(name)
    key = name if base is None else base
    return DYNAMIC_QUOTAS.get(key) or (BROKER.get(key) if update_mode(key) != "read-only" else None)


def _check_running(values: Values, present: Values, texts: Mapping[str, str]) -> None:
    """What a running broker can be asked to change by."""
    for key in _THREADS:
        new, old = values.integer(key), present.integer(key)
        why = _thread_limit(new, old)
        if why is not None:
            raise _invalid_dynamic(f"Dynamic thread count update validation failed for {key}={new}, {why}", key)
    new, old = values.integer(_CLEANER_THREADS), present.integer(_CLEANER_THREADS)
    if new < old // 2:
        raise _invalid_dynamic(f"Log cleaner threads cannot be reduced to less than half the current value {old}", _CLEANER_THREADS)
    if new > old * 2:
        raise _invalid_dynamic(f"Log cleaner threads cannot be increased to more than double the current value {old}", _CLEANER_THREADS)
    for unit, total in (("ms", retention_ms(values)), ("bytes", values.integer("log.retention.bytes"))):
        key, bound = f"log.local.retention.{unit}", f"log.retention.{unit}"
        local = values.integer(key)
        if total < 0 or local == -2:
            continue
        if local == -1:
            raise _invalid_dynamic(f"Invalid value -1 for configuration {key}: Value must not be -1 as {bound} value is set as {total}.", key)
        if local > total:
            raise _invalid_dynamic(f"Invalid value {local} for configuration {key}: Value must not be more than {bound} property value: {total}", key)
    for key in _OF_LISTENERS:
        for name in ("", *(one.name.lower() for one in resolve(present).bound)):
            value = by_listener(texts, key).get(name, values.integer(key))
            if value <= 0:
                raise _invalid_dynamic(f"Invalid {key} {value}", key)
    if any(name != _REPORTER for name in values.items_of(_REPORTERS)) and values[_REPORTERS] != present[_REPORTERS]:
        raise _invalid_dynamic(
            f"Validation of dynamic config update of Set({_REPORTERS}) failed with class class kafka.server.DynamicMetricsReporters", _REPORTERS
        )


def _thread_limit(new: int, old: int) -> str | None:
    if new == old:
        return None
    if new <= 0:
        return "value should be at least 1"
    if new < old // 2:
        return f"value should be at least half the current value {old}"
    return f"value should not be greater than double the current value {old}" if new > old * 2 else None


def _invalid_dynamic(why: str, key: str) -> ConfigError:
    """As the release words it, with its class's name: a broker's own refusal inside a refused request."""
    return invalid_request(
        f"Invalid value org.apache.kafka.common.config.ConfigException: {why} for configuration Invalid dynamic configuration", key
    )
