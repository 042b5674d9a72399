"""Client quotas and SCRAM credentials. KIP-546, 554, 612."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, NamedTuple

from barnabas.client.errors import KafkaError, check, error_of
from barnabas.wire.errors import Error
from barnabas.wire.messages.alter_client_quotas import AlterClientQuotasRequest
from barnabas.wire.messages.alter_user_scram_credentials import AlterUserScramCredentialsRequest
from barnabas.wire.messages.describe_client_quotas import DescribeClientQuotasRequest
from barnabas.wire.messages.describe_user_scram_credentials import DescribeUserScramCredentialsRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from barnabas.client.cluster import Cluster

EXACT = 0
DEFAULT = 1
ANY = 2
SALT_BYTES = 26
MECHANISMS = {"SCRAM-SHA-256": 1, "SCRAM-SHA-512": 2}
MECHANISM_NAMES = {1: "SCRAM-SHA-256", 2: "SCRAM-SHA-512"}
MIN_ITERATIONS = 4096
_HASHES = {1: "sha256", 2: "sha512"}

Entity = tuple[tuple[str, str | None], ...]
"""(type, name) pairs, a name of None being the default of its type; types are "user", "client-id", "ip"."""


class Credential(NamedTuple):
    mechanism: int
    iterations: int


async def describe(cluster: Cluster, components: Iterable[tuple[str, int, str | None]]) -> list[tuple[Entity, dict[str, float]]]:
    """Quotas of the entities that have exactly these components: (type, EXACT | DEFAULT | ANY, name)."""
    wanted = [DescribeClientQuotasRequest.ComponentData(entity_type=kind, match_type=match, match=name) for kind, match, name in components]
    reply = await cluster.call(DescribeClientQuotasRequest(components=wanted, strict=True), name="describeClientQuotas")
    check(reply.error_code, reply.error_message)
    return [
        (tuple((part.entity_type, part.entity_name) for part in entry.entity), {value.key: value.value for value in entry.values})
        for entry in reply.entries or ()
    ]


async def alter(cluster: Cluster, entity: Entity, to_set: Mapping[str, float], to_delete: Iterable[str] = ()) -> None:
    """Sets and removes quotas of one entity. Raises its error."""
    EntryData = AlterClientQuotasRequest.EntryData
    operations = [EntryData.OpData(key=key, value=value, remove=False) for key, value in to_set.items()]
    operations += [EntryData.OpData(key=key, value=0.0, remove=True) for key in to_delete]
    entry = EntryData(entity=[EntryData.EntityData(entity_type=kind, entity_name=name) for kind, name in entity], ops=operations)
    reply = await cluster.call_controller(
        AlterClientQuotasRequest(entries=[entry], validate_only=False),
        name="alterClientQuotas",
        retry_on=lambda r: any(x.error_code == Error.NOT_CONTROLLER for x in r.entries),
    )
    for result in reply.entries:
        check(result.error_code, result.error_message)


async def describe_scram(cluster: Cluster, users: Sequence[str]) -> dict[str, list[Credential] | KafkaError]:
    """Credentials of these users, or of all; a user's own failure stands in its place."""
    wanted = [DescribeUserScramCredentialsRequest.UserName(name=user) for user in users] or None
    reply = await cluster.call_controller(
        DescribeUserScramCredentialsRequest(users=wanted),
        name="describeUserScramCredentials",
        retry_on=lambda r: r.error_code == Error.NOT_CONTROLLER,
    )
    check(reply.error_code, reply.error_message)
    found: dict[str, list[Credential] | KafkaError] = {}
    for result in reply.results:
        if result.error_code:
            found[result.user] = KafkaError(error_of(result.error_code), result.error_message)
        else:
            found[result.user] = [Credential(info.mechanism, info.iterations) for info in result.credential_infos]
    return found


async def alter_scram(cluster: Cluster, user: str, to_set: Mapping[int, tuple[int, bytes]], to_delete: Iterable[int] = ()) -> None:
    """Sets mechanism -> (iterations, password) and removes mechanisms of one user. The password itself never leaves the client (RFC 5802)."""
    deletions = [AlterUserScramCredentialsRequest.ScramCredentialDeletion(name=user, mechanism=mechanism) for mechanism in to_delete]
    upsertions = []
    for mechanism, (iterations, password) in to_set.items():
        salt = os.urandom(SALT_BYTES)
        salted = hashlib.pbkdf2_hmac(_HASHES[mechanism], password, salt, iterations)
        upsertions.append(
            AlterUserScramCredentialsRequest.ScramCredentialUpsertion(
                name=user, mechanism=mechanism, iterations=iterations, salt=salt, salted_password=salted
            )
        )
    reply = await cluster.call_controller(
        AlterUserScramCredentialsRequest(deletions=deletions, upsertions=upsertions),
        name="alterUserScramCredentials",
        retry_on=lambda r: any(x.error_code == Error.NOT_CONTROLLER for x in r.results),
    )
    for result in reply.results:
        check(result.error_code, result.error_message)
