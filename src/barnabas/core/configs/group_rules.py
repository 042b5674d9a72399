"""What a group's configs must satisfy: the coordinator's bounds, and a session that outlasts a heartbeat. Source: GroupConfig in 4.3.1; KIP-848, 932, 1071."""

from __future__ import annotations

from collections.abc import Mapping

from .definitions.group import GROUP
from .definitions.row import Row, index
from .error import ConfigError
from .synonyms import GROUP as SYNONYMS
from .values import Values, parse

ROWS: dict[str, Row] = index(GROUP)
_ONLY_IF_SET = "assignment.interval.ms"


def validate_group(configs: Mapping[str, str | None], broker: Values) -> None:
    """Whether a group may have `configs` on coordinators with the values `broker`. Raises ConfigError."""
    nulls = [name for name, text in configs.items() if text is None]
    if nulls:
        raise ConfigError(f"Null value not supported for group configs: {','.join(nulls)}", nulls[0])
    for name in configs:
        if name not in ROWS:
            raise ConfigError(f"Unknown group config name: {name}", name)
    values = group_values(configs, broker)
    for name in SYNONYMS:
        if not name.endswith(_ONLY_IF_SET) or name in configs:
            _check_bounds(name, values.integer(name), broker)
    for kind in ("consumer", "share", "streams"):
        session, heartbeat = f"{kind}.session.timeout.ms", f"{kind}.heartbeat.interval.ms"
        if values.integer(session) <= values.integer(heartbeat):
            raise ConfigError(f"{session} must be greater than {heartbeat}", session)


def group_values(configs: Mapping[str, str | None], broker: Values) -> Values:
    """A group's values: its own, else its coordinator's, else the defaults."""
    given = {name: broker[behind] for name, behind in SYNONYMS.items()}
    for name, text in configs.items():
        if text is not None and name in ROWS:
            given[name] = parse(ROWS[name], text)
    return Values(ROWS, given)


def _check_bounds(name: str, value: int, broker: Values) -> None:
    kind, _, what = name.partition(".")
    for bound, word in (("min", "greater"), ("max", "less")):
        key = "group.streams.max.standby.replicas" if (name, bound) == ("streams.num.standby.replicas", "max") else f"group.{kind}.{bound}.{what}"
        if key not in broker.rows:
            continue
        limit = broker.integer(key)
        if (value < limit) if bound == "min" else (value > limit):
            raise ConfigError(f"{name} must be {word} than or equal to {key}", name)
