"""--add-scram of `storage format`: SCRAM-SHA-256=[name=alice,password=secret] to a credential record. Source: RFC 5802, KIP-900."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from barnabas.wire.logs.cluster_metadata import UserScramCredentialRecord

from .checkpoint_file import parse_integer

MECHANISMS = {"SCRAM-SHA-256": (1, "sha256"), "SCRAM-SHA-512": (2, "sha512")}
MIN_ITERATIONS, MAX_ITERATIONS = 4096, 16384
KEYS = ("name", "salt", "iterations", "password", "saltedpassword")


def parse_scram_argument(argument: str) -> UserScramCredentialRecord:
    """One argument to the record that gives the user the credential. Raises ValueError as Apache's tool words it."""
    mechanism, equals, rest = argument.strip().partition("=")
    if not equals:
        raise ValueError(f"Failed to find equals sign in SCRAM argument '{argument.strip()}'")
    if mechanism not in MECHANISMS:
        raise ValueError(f"The add-scram mechanism {mechanism} is not supported.")
    if not rest.startswith("["):
        raise ValueError("Expected configuration string to start with [")
    if not rest.endswith("]"):
        raise ValueError("Expected configuration string to end with ]")
    kind, digest = MECHANISMS[mechanism]
    settings = _settings(rest[1:-1])
    salt = settings.get("salt")
    salt_bytes = _unbase64(salt, "salt") if salt is not None else _random_salt()
    iterations = _iterations(settings.get("iterations"), mechanism)
    salted = _salted_password(settings, digest, salt_bytes, iterations)
    client_key = hmac.digest(salted, b"Client Key", digest)
    return UserScramCredentialRecord(
        name=settings["name"],
        mechanism=kind,
        salt=salt_bytes,
        stored_key=hashlib.new(digest, client_key).digest(),
        server_key=hmac.digest(salted, b"Server Key", digest),
        iterations=iterations,
    )


def _settings(text: str) -> dict[str, str]:
    settings = {}
    components = text.split(",")
    while len(components) > 1 and not components[-1]:
        components.pop()
    for component in components:
        key, equals, value = component.partition("=")
        if not equals:
            raise ValueError(f"No equals sign found in SCRAM component: {component}")
        if len(value) >= 2 and value[0] == value[-1] == '"':
            value = value[1:-1]
        settings[key] = value
    if "name" not in settings:
        raise ValueError("You must supply 'name' to add-scram")
    if "password" not in settings:
        if "saltedpassword" not in settings:
            raise ValueError("You must supply one of 'password' or 'saltedpassword' to add-scram")
        if "salt" not in settings:
            raise ValueError("You must supply 'salt' with 'saltedpassword' to add-scram")
    unknown = sorted(set(settings) - set(KEYS))
    if unknown:
        raise ValueError(f"Unknown SCRAM configurations: {', '.join(unknown)}")
    return settings


def _iterations(text: str | None, mechanism: str) -> int:
    if text is None:
        return MIN_ITERATIONS
    try:
        iterations = parse_integer(text, 32)
    except ValueError:
        raise ValueError(f"Failed to parse iterations count: {text}") from None
    name = mechanism.replace("-", "_")
    if iterations < MIN_ITERATIONS:
        raise ValueError(f"The 'iterations' value must be >= {MIN_ITERATIONS} for add-scram using {name}")
    if iterations > MAX_ITERATIONS:
        raise ValueError(f"The 'iterations' value must be <= {MAX_ITERATIONS} for add-scram using {name}")
    return iterations


def _salted_password(settings: dict[str, str], digest: str, salt: bytes, iterations: int) -> bytes:
    if "password" in settings:
        return hashlib.pbkdf2_hmac(digest, settings["password"].encode(), salt, iterations)
    return _unbase64(settings["saltedpassword"], "saltedPassword")


def _unbase64(text: str, name: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise ValueError(f"Failed to decode given {name}: {text}") from None


def _random_salt() -> bytes:
    """130 random bits in the digits and letters that Kafka uses."""
    number, digits = secrets.randbits(130), ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return (digits or "0").encode()
