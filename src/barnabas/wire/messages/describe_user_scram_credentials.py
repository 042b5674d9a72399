"""DescribeUserScramCredentials (50): version 0."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct
from barnabas.wire.types import Array, Int8, Int16, Int32, String


class DescribeUserScramCredentialsRequest(Message, key=50, versions="0", flexible="0+"):
    users: Array[UserName] | None

    class UserName(Struct):
        name: String


class DescribeUserScramCredentialsResponse(Message, key=50, versions="0", flexible="0+"):
    throttle_time_ms: Int32
    error_code: Int16
    error_message: String | None
    results: Array[Result]

    class Result(Struct):
        user: String
        error_code: Int16
        error_message: String | None
        credential_infos: Array[CredentialInfo]

        class CredentialInfo(Struct):
            mechanism: Int8
            iterations: Int32
