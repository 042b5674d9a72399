"""AlterUserScramCredentials (51), version 0. Needs Alter on the cluster. KIP-554. As Apache Kafka: credentials are kept, whether a listener asks for them or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.controller.scram import alter_user_scram_credentials
from barnabas.wire.messages.alter_user_scram_credentials import AlterUserScramCredentialsResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from barnabas.core.controller.controller import Controller
    from barnabas.core.controller.result import ApiError, Result
    from barnabas.node.call import Call
    from barnabas.wire.errors import Error
    from barnabas.wire.messages.alter_user_scram_credentials import AlterUserScramCredentialsRequest

_Row = AlterUserScramCredentialsResponse.Result


def handle(request: AlterUserScramCredentialsRequest, call: Call) -> None:
    def alter(controller: Controller, now_ms: int) -> Result:
        return alter_user_scram_credentials(controller, request)

    def reply(outcome: Mapping[str, ApiError | None]) -> None:
        rows = [
            _Row(user=name, error_code=error.error if error else 0, error_message=error.message if error else None) for name, error in outcome.items()
        ]
        call.reply(AlterUserScramCredentialsResponse(throttle_time_ms=0, results=rows))

    def refuse(error: Error, message: str | None) -> None:
        names = dict.fromkeys([*(each.name for each in request.deletions), *(each.name for each in request.upsertions)])
        rows = [_Row(user=name, error_code=error, error_message=message) for name in names]
        call.reply(AlterUserScramCredentialsResponse(throttle_time_ms=0, results=rows))

    call.submit(alter, reply, refuse)
