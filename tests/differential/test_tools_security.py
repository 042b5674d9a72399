"""The client's TLS and SASL against Apache Kafka's listeners: SCRAM credentials that our tool set, PLAIN, PEM stores; and what is said when they are wrong."""

from __future__ import annotations

import asyncio
import subprocess
import time
from typing import TYPE_CHECKING, NamedTuple

import pytest

from barnabas.cli.kafka.session import open_cluster
from barnabas.client.admin import acls, tokens
from barnabas.client.admin.acls import Operation, PatternType, Permission, ResourceType
from barnabas.client.cluster import Cluster
from barnabas.client.errors import KafkaError
from barnabas.wire.errors import Error
from tests import nodes
from tests.differential.tools import Outcome, by_apache, by_barnabas
from tests.differential.transcript import settle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.apache
PLAIN_USERS = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_ann="plain secret";'
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


class Secured(NamedTuple):
    plaintext: str
    sasl: str
    tls: str
    mutual: str
    certificate: Path


@pytest.fixture(scope="module")
def secured(apache_libs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    key, certificate, store = folder / "key.pem", folder / "certificate.pem", folder / "store.pem"
    request = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=barnabas-test",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
    ]
    subprocess.run([*request, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True, timeout=60)
    store.write_text(key.read_text() + certificate.read_text())
    ports = {name: nodes.free_port() for name in ("PLAINTEXT", "CONTROLLER", "SASL", "TLS", "MUTUAL")}
    listeners = ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items())
    node = nodes.new_node(
        nodes.APACHE,
        folder,
        {
            "listeners": listeners,
            "advertised.listeners": listeners,
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{ports['CONTROLLER']}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT,TLS:SSL,MUTUAL:SSL",
            "listener.name.mutual.ssl.client.auth": "required",
            "listener.name.sasl.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
            "listener.name.sasl.plain.sasl.jaas.config": PLAIN_USERS,
            "listener.name.sasl.scram-sha-256.sasl.jaas.config": SCRAM,
            "listener.name.sasl.scram-sha-512.sasl.jaas.config": SCRAM,
            "delegation.token.secret.key": "a secret of the cluster",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            "allow.everyone.if.no.acl.found": "true",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(store),
        },
    ).start()
    try:
        for mechanism in ("SCRAM-SHA-256=[iterations=5000,password=s=ec,ret]", "SCRAM-SHA-512=[password=another]"):
            done = by_barnabas("kafka-configs", "--bootstrap-server", node.bootstrap, "--alter", "--user", "bo,b=", "--add-config", mechanism)
            assert done.status == 0, done
        settle(node)
        yield Secured(node.bootstrap, f"127.0.0.1:{ports['SASL']}", f"127.0.0.1:{ports['TLS']}", f"127.0.0.1:{ports['MUTUAL']}", certificate)
    finally:
        node.kill()


def listed(server: str, folder: Path, run: Callable[..., Outcome] = by_barnabas, **settings: str) -> Outcome:
    path = folder / "client.properties"
    path.write_text("".join(f"{key.replace('_', '.')}={value}\n" for key, value in settings.items()))
    return run("kafka-topics", "--bootstrap-server", server, "--list", "--command-config", str(path))


def jaas(module: str, user: str, password: str) -> str:
    return f'org.apache.kafka.common.security.{module} required username="{user}" password="{password}";'


@pytest.mark.parametrize(
    "mechanism, module, user, password",
    [
        ("PLAIN", "plain.PlainLoginModule", "ann", "plain secret"),
        ("SCRAM-SHA-256", "scram.ScramLoginModule", "bo,b=", "s=ec,ret"),
        ("SCRAM-SHA-512", "scram.ScramLoginModule", "bo,b=", "another"),
    ],
)
def test_sasl(secured: Secured, tmp_path: Path, mechanism: str, module: str, user: str, password: str) -> None:
    settings = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": mechanism}
    done = listed(secured.sasl, tmp_path, **settings, sasl_jaas_config=jaas(module, user, password))
    assert done.status == 0, done
    wrong = {**settings, "sasl_jaas_config": jaas(module, user, "guess")}
    ours, theirs = listed(secured.sasl, tmp_path, **wrong), listed(secured.sasl, tmp_path, by_apache, **wrong)
    assert (ours.status, ours.output) == (theirs.status, theirs.output)


def test_a_client_without_a_certificate(secured: Secured, tmp_path: Path) -> None:
    trusted = {"security_protocol": "SSL", "ssl_truststore_type": "PEM", "ssl_truststore_location": str(secured.certificate)}
    ours = listed(secured.mutual, tmp_path, **trusted)
    assert (ours.status, "wants clients to show a certificate that it trusts: set ssl.keystore.*" in ours.output) == (1, True)


def test_tls(secured: Secured, tmp_path: Path) -> None:
    trusted = {"security_protocol": "SSL", "ssl_truststore_type": "PEM", "ssl_truststore_location": str(secured.certificate)}
    assert listed(secured.tls, tmp_path, **trusted).status == 0
    pem = secured.certificate.read_text().strip().replace("\n", "\\n\\\n")
    assert listed(secured.tls, tmp_path, security_protocol="SSL", ssl_truststore_type="PEM", ssl_truststore_certificates=pem).status == 0


async def until_there(cluster: Cluster, *wanted: acls.Acl) -> None:
    """These and no others: a broker hears of them a moment later."""
    async with asyncio.timeout(30):
        while set(await acls.describe(cluster)) != set(wanted):
            await asyncio.sleep(0.02)


def test_acls(secured: Secured) -> None:
    """The client's calls; no tool of ours makes them yet."""
    some = acls.Acl(ResourceType.TOPIC, "orders", PatternType.LITERAL, "User:ann", "*", Operation.READ, Permission.ALLOW)
    more = some._replace(resource_name="order", pattern_type=PatternType.PREFIXED, permission=Permission.DENY)
    broken = some._replace(principal="nobody")

    async def work() -> None:
        async with Cluster(secured.plaintext) as cluster:
            outcomes = await acls.create(cluster, [some, more, broken])
            assert outcomes[some] is None
            assert outcomes[more] is None
            assert isinstance(outcomes[broken], KafkaError)
            await until_there(cluster, some, more)
            named = acls.Filter(ResourceType.TOPIC, "orders", PatternType.LITERAL)
            assert await acls.describe(cluster, named) == [some]
            assert set(await acls.describe(cluster, named._replace(pattern_type=PatternType.MATCH))) == {some, more}
            everything = acls.Filter(principal="User:ann")
            deleted = await acls.delete(cluster, [named, everything])
            assert deleted[named] == [some]
            await until_there(cluster)

    asyncio.run(work())


@pytest.mark.parametrize(
    "port, protocol, said",
    [
        ("sasl", "PLAINTEXT", "wants clients to authenticate by SASL (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512): set security.protocol=SASL_PLAINTEXT"),
        ("tls", "PLAINTEXT", "speaks TLS: set security.protocol=SSL"),
        ("plaintext", "SSL", "speaks no TLS: set security.protocol=PLAINTEXT"),
        ("tls", "SSL", "isn't trusted (self-signed certificate)"),
    ],
)
@pytest.mark.parametrize("command", ["kafka-topics --list", "kafka-broker-api-versions", "kafka-console-consumer --topic t"])
def test_the_wrong_protocol(secured: Secured, tmp_path: Path, port: str, protocol: str, said: str, command: str) -> None:
    """Apache's tools try for a minute and say that they timed out; ours say at once what to set."""
    settings = tmp_path / "client.properties"
    settings.write_text(f"security.protocol={protocol}\n")
    tool, *words = command.split()
    done = by_barnabas(tool, "--bootstrap-server", getattr(secured, port), "--command-config", str(settings), *words)
    assert done.status == (0 if "consumer" in command else 1)  # which Apache's console consumer, too, ends with
    assert f"{getattr(secured, port)}" in "".join((done.output, *done.complaints))
    assert said in "".join((done.output, *done.complaints))


def test_delegation_tokens(secured: Secured) -> None:
    """Of the client's own calls: there is no tool for them yet. The token's bearer is who asked for it."""

    async def work() -> None:
        ann = {
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "PLAIN",
            "sasl.jaas.config": jaas("plain.PlainLoginModule", "ann", "plain secret"),
        }
        async with Cluster(secured.plaintext) as anybody:
            with pytest.raises(KafkaError) as plain:
                await tokens.create(anybody)
            assert plain.value.error is Error.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED
        async with open_cluster({**ann, "bootstrap.servers": secured.sasl}) as cluster:
            made = await tokens.create(cluster, renewers=[("User", "bob")], max_lifetime_ms=3_600_000)
            assert (made.owner, made.requester, made.renewers) == (("User", "ann"), ("User", "ann"), (("User", "bob"),))
            assert made.ends_ms - made.issued_ms == 3_600_000
            deadline = time.monotonic() + 30
            while not (found := await tokens.describe(cluster)):  # a broker hears of it a moment later
                assert time.monotonic() < deadline
            assert found == [made]
            assert await tokens.describe(cluster, [("User", "nobody")]) == []
            assert await tokens.renew(cluster, made.hmac, 60_000) <= made.ends_ms
            with pytest.raises(KafkaError) as unknown:
                await tokens.renew(cluster, b"unknown")
            assert unknown.value.error is Error.DELEGATION_TOKEN_NOT_FOUND
            await tokens.expire(cluster, made.hmac)
            while await tokens.describe(cluster):
                assert time.monotonic() < deadline

    asyncio.run(work())
