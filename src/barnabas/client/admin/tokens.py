"""Delegation tokens: short-lived credentials for those who can't be given a long-lived one (KIP-48, KIP-373)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas.client.errors import check
from barnabas.wire.messages.create_delegation_token import CreateDelegationTokenRequest
from barnabas.wire.messages.describe_delegation_token import DescribeDelegationTokenRequest
from barnabas.wire.messages.expire_delegation_token import ExpireDelegationTokenRequest
from barnabas.wire.messages.renew_delegation_token import RenewDelegationTokenRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from barnabas.client.cluster import Cluster
    from barnabas.wire.messages.create_delegation_token import CreateDelegationTokenResponse
    from barnabas.wire.messages.describe_delegation_token import DescribeDelegationTokenResponse

BY_THE_CLUSTER = -1
"""A time that the cluster's settings give."""

Principal = tuple[str, str]
"""Type and name, as ("User", "alice")."""


class Token(NamedTuple):
    """With `token_id` for the name and `hmac`, in base64, for the password its bearer is the owner (SCRAM). Times in milliseconds since 1970."""

    token_id: str
    hmac: bytes
    owner: Principal
    requester: Principal
    renewers: tuple[Principal, ...]
    issued_ms: int
    expires_ms: int
    ends_ms: int


async def create(
    cluster: Cluster, *, owner: Principal | None = None, renewers: Iterable[Principal] = (), max_lifetime_ms: int = BY_THE_CLUSTER
) -> Token:
    """Of whoever asks, or of `owner`; the renewers may renew it besides. Raises the call's error."""
    renewing = tuple(renewers)
    request = CreateDelegationTokenRequest(
        owner_principal_type=owner[0] if owner else "",
        owner_principal_name=owner[1] if owner else "",
        renewers=[CreateDelegationTokenRequest.CreatableRenewers(principal_type=kind, principal_name=name) for kind, name in renewing],
        max_lifetime_ms=max_lifetime_ms,
    )
    reply: CreateDelegationTokenResponse = await cluster.call(request, name="createDelegationToken")
    check(reply.error_code)
    return Token(
        reply.token_id,
        bytes(reply.hmac),
        (reply.principal_type, reply.principal_name),
        (reply.token_requester_principal_type, reply.token_requester_principal_name),
        renewing,
        reply.issue_timestamp_ms,
        reply.expiry_timestamp_ms,
        reply.max_timestamp_ms,
    )


async def renew(cluster: Cluster, hmac: bytes, period_ms: int = BY_THE_CLUSTER) -> int:
    """For so long from now, at most to its end; when it expires then. Raises the call's error."""
    reply = await cluster.call(RenewDelegationTokenRequest(hmac=hmac, renew_period_ms=period_ms), name="renewDelegationToken")
    check(reply.error_code)
    return int(reply.expiry_timestamp_ms)


async def expire(cluster: Cluster, hmac: bytes, period_ms: int = BY_THE_CLUSTER) -> int:
    """After so long, with a negative time at once; when it expires. Raises the call's error."""
    reply = await cluster.call(ExpireDelegationTokenRequest(hmac=hmac, expiry_time_period_ms=period_ms), name="expireDelegationToken")
    check(reply.error_code)
    return int(reply.expiry_timestamp_ms)


async def describe(cluster: Cluster, owners: Iterable[Principal] | None = None) -> list[Token]:
    """Those of these owners, or all, that whoever asks may see. Raises the call's error."""
    Owner = DescribeDelegationTokenRequest.Owner
    wanted = None if owners is None else [Owner(principal_type=kind, principal_name=name) for kind, name in owners]
    reply: DescribeDelegationTokenResponse = await cluster.call(DescribeDelegationTokenRequest(owners=wanted), name="describeDelegationToken")
    check(reply.error_code)
    return [
        Token(
            token.token_id,
            bytes(token.hmac),
            (token.principal_type, token.principal_name),
            (token.token_requester_principal_type, token.token_requester_principal_name),
            tuple((renewer.principal_type, renewer.principal_name) for renewer in token.renewers),
            token.issue_timestamp,
            token.expiry_timestamp,
            token.max_timestamp,
        )
        for token in reply.tokens
    ]
