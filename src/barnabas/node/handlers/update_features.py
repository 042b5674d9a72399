"""UpdateFeatures (57), versions 0-2. Needs Alter on the cluster. KIP-584, KIP-778, KIP-1022.

1 has upgrade types and validation only, 2 one error for all. As Apache Kafka: kraft.version is the quorum's to change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.controller.feature_updates import update_features
from barnabas.core.controller.result import ApiError
from barnabas.core.quorum.quorum import QuorumRefused
from barnabas.wire.errors import Error
from barnabas.wire.messages.update_features import UpdateFeaturesResponse

if TYPE_CHECKING:
    from barnabas.core.controller.controller import Controller
    from barnabas.core.controller.result import Result
    from barnabas.node.call import Call
    from barnabas.wire.messages.update_features import UpdateFeaturesRequest


def handle(request: UpdateFeaturesRequest, call: Call) -> None:
    quorum = call.node.controller.quorum

    def update(controller: Controller, now_ms: int) -> Result:
        def raise_kraft_version(level: int, validate_only: bool) -> None:
            try:
                quorum.raise_kraft_version(level, validate_only=validate_only)
            except QuorumRefused as refused:
                raise ApiError(Error.INVALID_UPDATE_VERSION, str(refused)) from None

        controller.features.kraft_version = quorum.kraft_version
        return update_features(controller, request, call.version, raise_kraft_version)

    def refuse(error: Error, message: str | None) -> None:
        call.reply(UpdateFeaturesResponse(throttle_time_ms=0, error_code=error, error_message=message))

    call.submit(update, call.reply, refuse)
