"""AlterUserScramCredentials (51): version 0."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct
from barnabas.wire.types import Array, Bytes, Int8, Int16, Int32, String


class AlterUserScramCredentialsRequest(Message, key=51, versions="0", flexible="0+"):
    deletions: Array[ScramCredentialDeletion]
    upsertions: Array[ScramCredentialUpsertion]

    class ScramCredentialDeletion(Struct):
        name: String
        mechanism: Int8

    class ScramCredentialUpsertion(Struct):
        name: String
        mechanism: Int8
        iterations: Int32
        salt: Bytes
        salted_password: Bytes


class AlterUserScramCredentialsResponse(Message, key=51, versions="0", flexible="0+"):
    throttle_time_ms: Int32
    results: Array[Result]

    class Result(Struct):
        user: String
        error_code: Int16
        error_message: String | None
