"""A TLS context from Kafka's client properties. PEM only: as files, or as text in the property itself."""

from __future__ import annotations

import os
import ssl
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class TlsConfigError(ValueError):
    """Client properties that give no usable TLS context."""

    java_class = "org.apache.kafka.common.config.ConfigException"


def context(properties: Mapping[str, str]) -> ssl.SSLContext:
    """Raises TlsConfigError."""
    made = ssl.create_default_context()
    if not properties.get("ssl.endpoint.identification.algorithm", "https"):
        made.check_hostname = False
    try:
        _trust(made, properties)
        _present(made, properties)
    except (OSError, ssl.SSLError) as error:
        raise TlsConfigError(f"TLS settings can't be used: {error}") from error
    return made


def _trust(made: ssl.SSLContext, properties: Mapping[str, str]) -> None:
    text, location = properties.get("ssl.truststore.certificates"), properties.get("ssl.truststore.location")
    if text:
        made.load_verify_locations(cadata=text)
    elif location:
        _need_pem(properties, "ssl.truststore")
        made.load_verify_locations(cafile=location)


def _present(made: ssl.SSLContext, properties: Mapping[str, str]) -> None:
    password = properties.get("ssl.key.password")
    chain, key, location = (properties.get(f"ssl.keystore.{name}") for name in ("certificate.chain", "key", "location"))
    if location:
        _need_pem(properties, "ssl.keystore")
        made.load_cert_chain(location, password=password)
    elif chain and key:
        with tempfile.TemporaryDirectory() as directory:  # the library reads keys from files only
            path = os.path.join(directory, "key.pem")
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(f"{key}\n{chain}\n")
            made.load_cert_chain(path, password=password)


def _need_pem(properties: Mapping[str, str], store: str) -> None:
    if properties.get(f"{store}.type", "JKS").upper() != "PEM":
        raise TlsConfigError(
            f"{store}.type={properties.get(f'{store}.type', 'JKS')} isn't read by these tools: give {store}.type=PEM and {store}.location=FILE.pem "
            "(keytool and openssl convert)."
        )
