"""DescribeUserScramCredentials (50), version 0. Needs Describe on the cluster. KIP-554. As Apache Kafka: of each user the mechanisms and iterations, never a key."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from barnabas.wire.errors import Error
from barnabas.wire.messages.describe_user_scram_credentials import DescribeUserScramCredentialsResponse

if TYPE_CHECKING:
    from barnabas.node.call import Call
    from barnabas.wire.messages.describe_user_scram_credentials import DescribeUserScramCredentialsRequest

_Row = DescribeUserScramCredentialsResponse.Result


def handle(request: DescribeUserScramCredentialsRequest, call: Call) -> DescribeUserScramCredentialsResponse:
    known: dict[str, list[_Row.CredentialInfo]] = {}
    for (mechanism, name), record in sorted(call.node.image.scram.items()):
        known.setdefault(name, []).append(_Row.CredentialInfo(mechanism=mechanism, iterations=record.iterations))
    wanted = Counter(user.name for user in request.users or ()) or Counter(known)
    rows = [_row(name, times if request.users else 1, known.get(name)) for name, times in wanted.items()]
    return DescribeUserScramCredentialsResponse(throttle_time_ms=0, error_code=0, error_message="", results=rows)


def _row(name: str, times: int, credentials: list[_Row.CredentialInfo] | None) -> _Row:
    error, message = Error.NONE, ""
    if times > 1:
        error, message = Error.DUPLICATE_RESOURCE, f"Cannot describe SCRAM credentials for the same user twice in a single request: {name}"
    elif credentials is None:
        error, message = Error.RESOURCE_NOT_FOUND, f"Attempt to describe a user credential that does not exist: {name}"
    return _Row(user=name, error_code=error, error_message=message, credential_infos=[] if error else credentials or [])
