"""Addresses inside config values: `host:port`, `id@host:port`, `NAME://host:port`. Brackets around a host are taken off (IPv6)."""

from __future__ import annotations

from typing import NamedTuple

from .error import ConfigError

_NAME_CHARACTERS = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-%._")
_HOST_CHARACTERS = _NAME_CHARACTERS | {":"}
_DIGITS = frozenset("0123456789")


class Endpoint(NamedTuple):
    """A listener's address. `host` "" means every interface; `protocol` is PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."""

    name: str
    protocol: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.name}://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def host_port(text: str) -> tuple[str, int] | None:
    """Host (perhaps empty) and port of `host:port`, a protocol before `://` skipped; None for anything else."""
    prefix, found, rest = text.partition("://")
    if found and not _NAME_CHARACTERS.issuperset(prefix):
        return None
    host, colon, port = (rest if found else text).rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not _HOST_CHARACTERS.issuperset(host) or not port or not _DIGITS.issuperset(port) or len(port) > 10:
        return None
    return host, int(port)


def is_host(text: str) -> bool:
    return _HOST_CHARACTERS.issuperset(text)


def voters(key: str, entries: tuple[str, ...]) -> dict[int, tuple[str, int]]:
    """`id@host:port` entries as id -> (host, port). Raises ConfigError."""
    form = "Each entry should be in the form `{id}@{host}:{port}`."
    found = {}
    for entry in entries:
        number, at, where = entry.partition("@")
        if not at or not where or "@" in where:
            raise ConfigError(f"Invalid configuration value for {key}. {form}", key)
        digits = number[1:] if number[:1] in ("+", "-") else number
        if not digits or not _DIGITS.issuperset(digits) or not -(2**31) <= int(number) < 2**31:
            raise ConfigError(f"Failed to parse voter ID as an integer from {number}", key)
        address = host_port(where)
        if address is None:
            raise ConfigError(f"Failed to parse host name from entry {entry} for the configuration {key}. {form}", key)
        found[int(number)] = _in_range(key, address)
    return found


def servers(key: str, entries: tuple[str, ...]) -> list[tuple[str, int]]:
    """`host:port` entries. Raises ConfigError."""
    found = []
    for entry in entries:
        address = host_port(entry)
        if address is None:
            form = 'Each entry should be in the form "{host}:{port}"'
            raise ConfigError(f"Failed to parse host name from {entry} for the configuration {key}. {form}", key)
        found.append(_in_range(key, address))
    return found


def endpoint(key: str, entry: str, protocols: dict[str, str]) -> Endpoint:
    """`NAME://host:port`, the name in upper case, its protocol looked up. Raises ConfigError."""
    name, found, where = entry.rpartition("://")
    address = host_port(where) if found and "://" not in where else None
    if address is None:
        raise ConfigError(f"Unable to parse {entry} to a broker endpoint; it should read NAME://host:port", key)
    name = name.upper()
    if name not in protocols:
        raise ConfigError(
            f"No security protocol defined for listener {name}: add {name}:PLAINTEXT (or its protocol) to listener.security.protocol.map", key
        )
    host, port = _in_range(key, address)
    return Endpoint(name, protocols[name], host, port)


def _in_range(key: str, address: tuple[str, int]) -> tuple[str, int]:
    if address[1] > 65535:
        raise ConfigError(f"port out of range:{address[1]}", key)
    return address
