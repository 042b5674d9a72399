"""What Apache Kafka offers and this node does not, and must not silently ignore (M16). Whoever implements one takes its row away.

Each row: the key, when it applies, what to do. Rows of `REFUSED` stop the start; rows of `IGNORED` are said in the log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.node.config.sections import RACK_AWARE_SELECTOR

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.core.configs.listeners import Listeners
    from barnabas.core.configs.values import Values

    Row = tuple[str, Callable[[Values], bool], str]

_DEFAULT_PRINCIPALS = "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder"
_JMX = "org.apache.kafka.common.metrics.JmxReporter"


def _set(key: str) -> Callable[[Values], bool]:
    """Given, and to something."""
    return lambda values: values.given.get(key) not in (None, "", (), False)


def _other_than(key: str, *harmless: str | None) -> Callable[[Values], bool]:
    def applies(values: Values) -> bool:
        value = values[key]
        return any(item not in harmless for item in (value if isinstance(value, tuple) else (value,)))

    return applies


REFUSED: tuple[Row, ...] = (
    (
        "authorizer.class.name",
        _set("authorizer.class.name"),
        "this node enforces no ACLs: take it out, and let only trusted networks reach the listeners",
    ),
    ("principal.builder.class", _other_than("principal.builder.class", _DEFAULT_PRINCIPALS), "this node loads no Java classes: take it out"),
    (
        "create.topic.policy.class.name",
        _set("create.topic.policy.class.name"),
        "this node loads no Java classes, so the policy would not hold: take it out",
    ),
    (
        "alter.config.policy.class.name",
        _set("alter.config.policy.class.name"),
        "this node loads no Java classes, so the policy would not hold: take it out",
    ),
    (
        "client.quota.callback.class",
        _set("client.quota.callback.class"),
        "this node loads no Java classes, so its quotas would not hold: take it out",
    ),
    (
        "replica.selector.class",
        _other_than("replica.selector.class", None, "", RACK_AWARE_SELECTOR),
        f"this node loads no Java classes; {RACK_AWARE_SELECTOR} is known to it: write that, or take it out",
    ),
    ("security.providers", _set("security.providers"), "this node loads no Java classes: take it out"),
    ("remote.log.storage.system.enable", _set("remote.log.storage.system.enable"), "this node has no tiered storage: take it out"),
    ("delegation.token.secret.key", _set("delegation.token.secret.key"), "this node issues no delegation tokens: take it out"),
    ("transaction.two.phase.commit.enable", _set("transaction.two.phase.commit.enable"), "this node has no two phase commit: take it out"),
    (
        "group.consumer.assignors",
        _other_than("group.consumer.assignors", "uniform", "range"),
        "this node loads no Java classes: only uniform and range",
    ),
    ("group.share.assignors", _other_than("group.share.assignors", "simple"), "this node loads no Java classes: only simple"),
)

IGNORED: tuple[Row, ...] = (
    ("metric.reporters", _other_than("metric.reporters", _JMX), "this node loads no Java classes: its metrics come by its own exporter"),
    ("kafka.metrics.reporters", _set("kafka.metrics.reporters"), "this node loads no Java classes: its metrics come by its own exporter"),
    ("early.start.listeners", _set("early.start.listeners"), "this node opens its listeners in its own order"),
    ("unstable.api.versions.enable", _set("unstable.api.versions.enable"), "this node serves no unstable versions"),
    ("unstable.feature.versions.enable", _set("unstable.feature.versions.enable"), "this node serves no unstable versions"),
)


def refused(values: Values, listeners: Listeners) -> list[tuple[str, str]]:
    """Key and reason of everything asked for that this node cannot do."""
    found = [(key, why) for key, applies, why in REFUSED if applies(values)]
    for one in listeners.bound:
        if one.protocol != "PLAINTEXT":
            found.append(
                (
                    "listeners",
                    f"listener {one.name} is {one.protocol}, and this node speaks PLAINTEXT only: map it to PLAINTEXT, on a trusted network",
                )
            )
    return found


def ignored(values: Values) -> list[tuple[str, str]]:
    return [(key, why) for key, applies, why in IGNORED if applies(values)]
