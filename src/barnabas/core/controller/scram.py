"""SCRAM credentials of users (KIP-554): what a request changes, as records, and what each user is told.

Owns judging the request and the keys that are kept instead of the salted password (RFC 5802). Who may log in by them is a listener's.
Source: Apache's `ScramControlManager`.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from barnabas.core.controller.result import ApiError, Result
from barnabas.core.metadata.features import MV_3_5_IV2_SCRAM
from barnabas.wire.errors import Error
from barnabas.wire.logs.cluster_metadata import RemoveUserScramCredentialRecord, UserScramCredentialRecord

if TYPE_CHECKING:
    from barnabas.core.controller.controller import Controller
    from barnabas.wire.messages.alter_user_scram_credentials import AlterUserScramCredentialsRequest
    from barnabas.wire.schema import Message

    Deletion = AlterUserScramCredentialsRequest.ScramCredentialDeletion
    Upsertion = AlterUserScramCredentialsRequest.ScramCredentialUpsertion

_DIGESTS = {1: "sha256", 2: "sha512"}
"""Mechanism -> what it hashes with."""
_LEAST_ITERATIONS, _MOST_ITERATIONS = 4096, 16384


def alter_user_scram_credentials(controller: Controller, request: AlterUserScramCredentialsRequest) -> Result:
    """The response maps each user to None or an ApiError. A user may be named once; of one that is named again nothing is done."""
    outcome: dict[str, ApiError | None] = {}
    records: dict[str, Message] = {}
    changes: list[tuple[str, Deletion | None, Upsertion | None]] = [(each.name, each, None) for each in request.deletions]
    changes += [(each.name, None, each) for each in request.upsertions]
    for name, deletion, upsertion in changes:
        if outcome.get(name) is not None:
            continue
        try:
            if name in outcome:
                raise ApiError(Error.DUPLICATE_RESOURCE, "A user credential cannot be altered twice in the same request")
            if controller.features.level < MV_3_5_IV2_SCRAM:
                raise ApiError(Error.UNSUPPORTED_VERSION, "The current metadata.version does not support SCRAM")
            if deletion is not None:
                records[name] = _removed(controller, deletion)
            elif upsertion is not None:
                records[name] = _set(upsertion)
            outcome[name] = None
        except ApiError as error:
            records.pop(name, None)
            outcome[name] = error
    return Result(list(records.values()), outcome)


def _check_names(change: Deletion | Upsertion) -> None:
    if not change.name:
        raise ApiError(Error.UNACCEPTABLE_CREDENTIAL, "Username must not be empty")
    if change.mechanism not in _DIGESTS:
        raise ApiError(Error.UNSUPPORTED_SASL_MECHANISM, "Unknown SCRAM mechanism")


def _removed(controller: Controller, change: Deletion) -> Message:
    _check_names(change)
    if (change.mechanism, change.name) not in controller.stored.scram:
        raise ApiError(Error.RESOURCE_NOT_FOUND, "Attempt to delete a user credential that does not exist")
    return RemoveUserScramCredentialRecord(name=change.name, mechanism=change.mechanism)


def _set(change: Upsertion) -> Message:
    _check_names(change)
    if change.iterations < _LEAST_ITERATIONS:
        raise ApiError(Error.UNACCEPTABLE_CREDENTIAL, "Too few iterations")
    if change.iterations > _MOST_ITERATIONS:
        raise ApiError(Error.UNACCEPTABLE_CREDENTIAL, "Too many iterations")
    digest = _DIGESTS[change.mechanism]
    client_key = hmac.digest(change.salted_password, b"Client Key", digest)
    return UserScramCredentialRecord(
        name=change.name,
        mechanism=change.mechanism,
        salt=change.salt,
        stored_key=hashlib.new(digest, client_key).digest(),
        server_key=hmac.digest(change.salted_password, b"Server Key", digest),
        iterations=change.iterations,
    )
