"""Why a node hangs up on us: it may expect TLS or SASL, or no TLS, where the client was told otherwise.

Asks once, with a connection of its own, after one was lost before it was of use. Kafka's nodes answer nothing that would tell: they hang up.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

from barnabas.wire.errors import Error
from barnabas.wire.messages.sasl_handshake import SaslHandshakeRequest

from .connection import Connection, Security
from .errors import KafkaError, WrongProtocol

if TYPE_CHECKING:
    from barnabas.wire.messages.sasl_handshake import SaslHandshakeResponse

TIMEOUT_S = 3.0
_NO_MECHANISM = "?"


async def wrong_protocol(host: str, port: int, security: Security, *, greeted: bool) -> WrongProtocol | None:
    """What the node expects instead, if that can be told; `greeted`: it answered ApiVersions, which needs no authentication."""
    where = f"{host}:{port}"
    if greeted:
        mechanisms = None if security.credentials else await _mechanisms(host, port, security)
        if mechanisms is None:
            return None
        protocol = "SASL_SSL" if security.tls else "SASL_PLAINTEXT"
        return WrongProtocol(
            f"{where} wants clients to authenticate by SASL ({', '.join(sorted(mechanisms))}): "
            f"set security.protocol={protocol}, sasl.mechanism and sasl.jaas.config in the client's properties",
            "IllegalSaslStateException",
        )
    if security.tls is not None:
        if not await _greets(host, port):
            return None
        protocol = "SASL_PLAINTEXT" if security.credentials else "PLAINTEXT"
        return WrongProtocol(f"{where} speaks no TLS: set security.protocol={protocol} in the client's properties", "SslAuthenticationException")
    if await _speaks_tls(host, port):
        protocol = "SASL_SSL" if security.credentials else "SSL (SASL_SSL, if clients authenticate)"
        return WrongProtocol(
            f"{where} speaks TLS: set security.protocol={protocol} and ssl.truststore.* in the client's properties", "SslAuthenticationException"
        )
    return None


async def _greets(host: str, port: int) -> bool:
    try:
        connection = await Connection.open(host, port, connect_timeout_s=TIMEOUT_S, request_timeout_s=TIMEOUT_S)
    except KafkaError:
        return False
    connection.close()
    return True


async def _speaks_tls(host: str, port: int) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(TIMEOUT_S):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")  # it speaks TLS, if not with us: it may want our certificate
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def _mechanisms(host: str, port: int, security: Security) -> list[str] | None:
    """Those that the listener has, if it has SASL."""
    try:
        connection = await Connection.open(host, port, security=security, connect_timeout_s=TIMEOUT_S, request_timeout_s=TIMEOUT_S)
        try:
            reply: SaslHandshakeResponse = await connection.call(SaslHandshakeRequest(mechanism=_NO_MECHANISM))
        finally:
            connection.close()
    except KafkaError:
        return None
    return reply.mechanisms if reply.error_code == Error.UNSUPPORTED_SASL_MECHANISM else None
