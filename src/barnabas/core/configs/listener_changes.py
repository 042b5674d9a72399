"""Which changes of its listeners a running broker takes.

Source: DynamicListenerConfig of 4.3.1, KIP-226. Listeners are told apart by name: another address for one that is there is taken, and waits for a start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .definitions.broker import BROKER, update_mode
from .definitions.broker_security import DYNAMIC_SECURITY
from .error import ConfigError
from .listeners import resolve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .values import Values

_BY_ITSELF = ("max.connections", "max.connection.creation.rate", "num.network.threads")
"""What a listener that is there may be given anew."""


def check_listeners(values: Values, texts: Mapping[str, str], present: Values, present_texts: Mapping[str, str]) -> None:
    """Whether a broker with the values and texts `present` may have these others from now on. Raises ConfigError."""
    if not any(texts.get(key) != present_texts.get(key) for key in _WATCHED):
        return
    new, old = resolve(values), resolve(present)
    names, present_names = [one.name for one in new.bound], [one.name for one in old.bound]
    advertised = [one.name for one in old.advertised]
    if not set(advertised) <= set(names):
        raise ConfigError(f"Advertised listeners '{', '.join(advertised)}' must be a subset of listeners '{', '.join(names)}'", "listeners")
    for one in new.bound:
        if one.name not in present_names:
            if one.protocol != "PLAINTEXT":
                raise ConfigError(f"listener {one.name} is {one.protocol}, and this node speaks PLAINTEXT only: map it to PLAINTEXT", "listeners")
        elif _fixed(texts, one.name) != _fixed(present_texts, one.name):
            raise ConfigError(
                f"Configs cannot be updated dynamically for existing listener {one.name}: restart the broker, or create a new listener", "listeners"
            )
        elif one.protocol != old.protocols[one.name]:
            raise ConfigError(f"Security protocol cannot be updated for existing listener {one.name}", "listener.security.protocol.map")


def _watched() -> frozenset[str]:
    return frozenset(name for name in BROKER if update_mode(name) == "per-broker" and name != "cordoned.log.dirs") | frozenset(_BY_ITSELF)


_WATCHED = _watched()
"""Only a change of these is looked at: a listener's own keys alone are taken without a question."""


def _fixed(texts: Mapping[str, str], listener: str) -> dict[str, str]:
    prefix = f"listener.name.{listener.lower()}."
    own = {name[len(prefix) :]: text for name, text in texts.items() if name.startswith(prefix)}
    return {key: text for key, text in own.items() if key not in DYNAMIC_SECURITY and key not in _BY_ITSELF}
