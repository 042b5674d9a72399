"""What is wrong with a configuration, and the Kafka error that a reply carries for it."""

from __future__ import annotations

from barnabas.wire.errors import Error


class ConfigError(ValueError):
    """A refused key or value. `key` is empty when the fault is not one key's; `error` is what a reply carries."""

    def __init__(self, message: str, key: str = "", error: Error = Error.INVALID_CONFIG) -> None:
        super().__init__(message)
        self.key = key
        self.error = error

    @property
    def message(self) -> str:
        return str(self.args[0])


def invalid_value(key: str, shown: object, why: str) -> ConfigError:
    """The usual wording, `shown` being the value as it was given."""
    return ConfigError(f"Invalid value {shown} for configuration {key}: {why}" if why else f"Invalid value {shown} for configuration {key}", key)


def invalid_request(message: str, key: str = "") -> ConfigError:
    return ConfigError(message, key, Error.INVALID_REQUEST)
