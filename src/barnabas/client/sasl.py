"""SASL from the client's side: PLAIN (RFC 4616) and SCRAM (RFC 5802, 7677), inside SaslHandshake 1 and SaslAuthenticate (W18)."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from binascii import a2b_base64, b2a_base64
from typing import TYPE_CHECKING, NamedTuple

from barnabas.wire.errors import Error
from barnabas.wire.messages.sasl_authenticate import SaslAuthenticateRequest
from barnabas.wire.messages.sasl_handshake import SaslHandshakeRequest

from .errors import KafkaError, error_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .connection import Connection

MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
MAX_ITERATIONS = 1_000_000
_HASHES = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}
_OPTION = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'|([^\s;]+))')


class SaslConfigError(ValueError):
    """Client properties that name no usable mechanism or credentials."""

    java_class = "org.apache.kafka.common.config.ConfigException"


class Credentials(NamedTuple):
    """`token` says that name and password are a delegation token's."""

    mechanism: str
    username: str
    password: str
    token: bool = False


def credentials_of(properties: Mapping[str, str]) -> Credentials:
    """From `sasl.mechanism` and `sasl.jaas.config`. Raises SaslConfigError."""
    mechanism = properties.get("sasl.mechanism", "GSSAPI")
    if mechanism not in MECHANISMS:
        raise SaslConfigError(f"sasl.mechanism={mechanism} isn't supported by these tools; use one of {', '.join(MECHANISMS)}")
    options = {
        name: (double or single or bare).replace('\\"', '"') for name, double, single, bare in _OPTION.findall(properties.get("sasl.jaas.config", ""))
    }
    if "username" not in options or "password" not in options:
        raise SaslConfigError('sasl.jaas.config must give username and password: ...LoginModule required username="NAME" password="PASSWORD";')
    return Credentials(mechanism, options["username"], options["password"], options.get("tokenauth", "").lower() == "true")


async def authenticate(connection: Connection, credentials: Credentials, host: str) -> None:
    """Proves who the client is, or raises KafkaError SASL_AUTHENTICATION_FAILED and the like."""
    reply = await connection.call(SaslHandshakeRequest(mechanism=credentials.mechanism), version=1)
    if reply.error_code:
        enabled = ", ".join(reply.mechanisms)
        raise KafkaError(
            error_of(reply.error_code),
            f"Client SASL mechanism '{credentials.mechanism}' not enabled in the server, enabled mechanisms are [{enabled}]",
        )
    if credentials.mechanism == "PLAIN":
        await _exchange(connection, f"\0{credentials.username}\0{credentials.password}".encode())
    else:
        await _scram(connection, credentials)


async def _exchange(connection: Connection, data: bytes) -> bytes:
    reply = await connection.call(SaslAuthenticateRequest(auth_bytes=data))
    if reply.error_code:
        raise KafkaError(error_of(reply.error_code), reply.error_message)
    return bytes(reply.auth_bytes)


async def _scram(connection: Connection, credentials: Credentials) -> None:
    name = _HASHES[credentials.mechanism]
    nonce = b2a_base64(os.urandom(18), newline=False).decode()
    user = credentials.username.replace("=", "=3D").replace(",", "=2C")
    first = f"n={user},r={nonce}" + (",tokenauth=true" if credentials.token else "")
    server_first = (await _exchange(connection, f"n,,{first}".encode())).decode()
    fields = _fields(server_first)
    if not fields.get("r", "").startswith(nonce) or not fields.get("i", "").isdecimal() or int(fields["i"]) > MAX_ITERATIONS:
        raise KafkaError(Error.SASL_AUTHENTICATION_FAILED, f"The server's first SCRAM message isn't one: {server_first[:80]}")
    salted = hashlib.pbkdf2_hmac(name, credentials.password.encode(), a2b_base64(fields["s"]), int(fields["i"]))
    client_key = hmac.digest(salted, b"Client Key", name)
    final = f"c=biws,r={fields['r']}"
    message = f"{first},{server_first},{final}".encode()
    signature = hmac.digest(hashlib.new(name, client_key).digest(), message, name)
    proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
    server_final = await _exchange(connection, f"{final},p={b2a_base64(proof, newline=False).decode()}".encode())
    expected = hmac.digest(hmac.digest(salted, b"Server Key", name), message, name)
    if not hmac.compare_digest(a2b_base64(_fields(server_final.decode()).get("v", "")), expected):
        raise KafkaError(Error.SASL_AUTHENTICATION_FAILED, "The server doesn't know the password: its signature is wrong.")


def _fields(message: str) -> dict[str, str]:
    return {part[0]: part[2:] for part in message.split(",") if part[1:2] == "="}
