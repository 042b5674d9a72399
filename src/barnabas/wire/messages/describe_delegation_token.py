"""DescribeDelegationToken (41): versions 1-3, flexible from 2."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, since
from barnabas.wire.types import Array, Bytes, Int16, Int32, Int64, String


class DescribeDelegationTokenRequest(Message, key=41, versions="1-3", flexible="2+"):
    owners: Array[Owner] | None

    class Owner(Struct):
        principal_type: String
        principal_name: String


class DescribeDelegationTokenResponse(Message, key=41, versions="1-3", flexible="2+"):
    error_code: Int16
    tokens: Array[DescribedDelegationToken]
    throttle_time_ms: Int32

    class DescribedDelegationToken(Struct):
        principal_type: String
        principal_name: String
        token_requester_principal_type: String = since(3, default="")
        token_requester_principal_name: String = since(3, default="")
        issue_timestamp: Int64
        expiry_timestamp: Int64
        max_timestamp: Int64
        token_id: String
        hmac: Bytes
        renewers: Array[DescribedDelegationTokenRenewer]

        class DescribedDelegationTokenRenewer(Struct):
            principal_type: String
            principal_name: String
