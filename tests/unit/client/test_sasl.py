"""What client properties say about SASL."""

from __future__ import annotations

import pytest

from barnabas.client.sasl import Credentials, SaslConfigError, credentials_of

JAAS = 'org.apache.kafka.common.security.scram.ScramLoginModule required username="ann" password="se=c\\"ret;" ;'


def test_credentials() -> None:
    assert credentials_of({"sasl.mechanism": "SCRAM-SHA-256", "sasl.jaas.config": JAAS}) == Credentials("SCRAM-SHA-256", "ann", 'se=c"ret;')
    token = JAAS.replace(" ;", ' tokenauth="true";')
    assert credentials_of({"sasl.mechanism": "SCRAM-SHA-512", "sasl.jaas.config": token}).token


@pytest.mark.parametrize(
    "properties", [{}, {"sasl.mechanism": "OAUTHBEARER"}, {"sasl.mechanism": "PLAIN", "sasl.jaas.config": "x required username=a;"}]
)
def test_refusals_say_what_to_set(properties: dict[str, str]) -> None:
    with pytest.raises(SaslConfigError, match="sasl\\."):
        credentials_of(properties)
