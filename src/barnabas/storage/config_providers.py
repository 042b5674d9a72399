"""Values that a configuration file takes from elsewhere: `${provider:path:key}` by the providers that config.providers names (KIP-297, KIP-421).

Owns Apache Kafka's three providers - of properties files, of directories with a file for each key, of environment variables - and what may be read by them.
Other classes can't be loaded. As there, values are filled in once, in one pass, and what can't be found stays as it is written; that is told.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from .properties_file import MAX_BYTES, PropertiesError, parse_properties

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Lookup = Callable[[str, str], str | None]
    """Path and key -> the value, None if there is none."""

PROVIDERS = "config.providers"
_PACKAGE = "org.apache.kafka.common.config.provider."
_VARIABLE = re.compile(r"\$\{([^}]*?):(([^}]*?):)?([^}]*?)\}")


class ProviderError(ValueError):
    """The configuration can't be used. `key` is where."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(why)
        self.key = key


class Filled(NamedTuple):
    """All texts, those with variables filled in; `missing` are keys with the variables in them that nobody has a value for."""

    texts: dict[str, str]
    missing: list[tuple[str, str]]


def fill_in(texts: Mapping[str, str], environment: Mapping[str, str] = os.environ) -> Filled:
    """A configuration with its variables replaced. Raises ProviderError."""
    providers = {name: _provider(name, texts, environment) for name in texts.get(PROVIDERS, "").split(",") if f"{PROVIDERS}.{name}.class" in texts}
    filled, missing = dict(texts), []
    if not providers:
        return Filled(filled, [])
    for key, text in texts.items():

        def value_of(found: re.Match[str], key: str = key) -> str:
            name, path, wanted = found.group(1), found.group(3) or "", found.group(4)
            if name not in providers:
                return found.group()
            try:
                value = providers[name](path, wanted)
            except (OSError, PropertiesError, UnicodeDecodeError) as error:
                raise ProviderError(key, f"{found.group()} could not be read: {error}") from None
            except ValueError as error:
                raise ProviderError(key, str(error)) from None
            if value is None:
                missing.append((key, found.group()))
                return found.group()
            return value

        filled[key] = _VARIABLE.sub(value_of, text)
    return Filled(filled, missing)


def _provider(name: str, texts: Mapping[str, str], environment: Mapping[str, str]) -> Lookup:
    key = f"{PROVIDERS}.{name}.class"
    kind = texts[key].strip().removeprefix(_PACKAGE)
    prefix = f"{PROVIDERS}.{name}.param."
    if kind == "EnvVarConfigProvider":
        return _of_environment(texts.get(f"{prefix}allowlist.pattern"), f"{prefix}allowlist.pattern", environment)
    if kind in ("FileConfigProvider", "DirectoryConfigProvider"):
        allowed = _allowed_paths(texts.get(f"{prefix}allowed.paths"), f"{prefix}allowed.paths")
        return _of_files(allowed) if kind == "FileConfigProvider" else _of_directories(allowed)
    raise ProviderError(key, f"no Java classes are loaded: use {_PACKAGE}FileConfigProvider, DirectoryConfigProvider or EnvVarConfigProvider")


def _allowed_paths(text: str | None, key: str) -> list[str] | None:
    if not text:
        return None
    paths = [os.path.normpath(path) for path in text.split(",")]
    for path in paths:
        if not os.path.isabs(path):
            raise ProviderError(key, f"Path {path} is not absolute")
        if not os.path.exists(path):
            raise ProviderError(key, f"Path {path} does not exist")
    return paths


def _permitted(path: str, allowed: list[str] | None) -> bool:
    plain = os.path.normpath(path)
    return allowed is None or any(plain == one or plain.startswith(one.rstrip("/") + "/") for one in allowed)


def _of_files(allowed: list[str] | None) -> Lookup:
    read: dict[str, dict[str, str]] = {}

    def look_up(path: str, key: str) -> str | None:
        if not path or not _permitted(path, allowed):
            return None
        if path not in read:
            read[path] = {name: value for name, value, _ in parse_properties(_text(path))}
        return read[path].get(key)

    return look_up


def _of_directories(allowed: list[str] | None) -> Lookup:
    def look_up(path: str, key: str) -> str | None:
        file = os.path.join(path, key)
        if not path or "/" in key or not _permitted(path, allowed) or not os.path.isfile(file):
            return None
        return _text(file)

    return look_up


def _of_environment(pattern: str | None, key: str, environment: Mapping[str, str]) -> Lookup:
    try:
        allowed = re.compile(".*" if pattern is None else pattern)
    except re.error as error:
        raise ProviderError(key, f"{pattern} is no pattern: {error}") from None

    def look_up(path: str, name: str) -> str | None:
        if path:
            raise ValueError(f"Path is not supported for EnvVarConfigProvider, invalid value '{path}'")
        return environment.get(name) if allowed.fullmatch(name) else None

    return look_up


def _text(path: str) -> str:
    with open(path, "rb") as file:
        return file.read(MAX_BYTES).decode()
