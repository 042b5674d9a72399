"""ApiVersions (18), versions 0-4. Needs nothing, and works on every listener.

3 asks for the client's software and adds features, 4 shows features whose least level is 0 (W5). A version that isn't known is answered in version 0's form,
error 35, with this API's range alone (W4); the response's header is version 0 always. What the table names is what works: see `node.router.SERVED`. Of what
a broker forwards, that is what the active controller serves, too, as far as the broker has been told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.metadata.features import SUPPORTED
from barnabas.node.router import FORWARDABLE, served_apis
from barnabas.wire.apis import API_VERSIONS, APIS, BROKER, CONTROLLER
from barnabas.wire.errors import Error
from barnabas.wire.messages.api_versions import ApiVersionsResponse

if TYPE_CHECKING:
    from barnabas.node.call import Call
    from barnabas.wire.messages.api_versions import ApiVersionsRequest

_SOFTWARE = 3
_ALL_FEATURES = 4
_PRODUCE = 0
_NONE = (0, -1)
_NAME_EXTRAS = frozenset(b"-.")


def handle(request: ApiVersionsRequest, call: Call) -> ApiVersionsResponse:
    if call.version >= _SOFTWARE:
        name, version = request.client_software_name, request.client_software_version
        if not (_is_software_name(name) and _is_software_name(version)):
            return ApiVersionsResponse(error_code=Error.INVALID_REQUEST, api_keys=[])
        call.connection.client_software = (name, version)
    finalized, epoch = call.node.finalized_features()
    return ApiVersionsResponse(
        error_code=0,
        api_keys=_keys(CONTROLLER) if call.on_controller_listener else _keys(BROKER, call.node.forwarding.channel.versions),
        supported_features=[
            ApiVersionsResponse.SupportedFeatureKey(name=name, min_version=least, max_version=most)
            for name, (least, most) in SUPPORTED.items()
            if least > 0 or call.version >= _ALL_FEATURES
        ],
        finalized_features_epoch=epoch,
        finalized_features=[
            ApiVersionsResponse.FinalizedFeatureKey(name=name, max_version_level=level, min_version_level=level) for name, level in finalized.items()
        ],
    )


def unsupported_version() -> ApiVersionsResponse:
    """The answer, in version 0, to a version that isn't known."""
    api = APIS[API_VERSIONS]
    key = ApiVersionsResponse.ApiVersion(api_key=api.key, min_version=api.first, max_version=api.last)
    return ApiVersionsResponse(error_code=Error.UNSUPPORTED_VERSION, api_keys=[key])


def _keys(listener: int, of_controller: dict[int, tuple[int, int]] | None = None) -> list[ApiVersionsResponse.ApiVersion]:
    """`of_controller`: which versions of what is forwarded the active controller takes; None if all."""
    rows = []
    for api in served_apis(listener):
        # Produce 0-2 are refused but listed, or older librdkafka does without compression (W2).
        first, last = 0 if api.key == _PRODUCE else api.first, api.last
        if of_controller is not None and api.name in FORWARDABLE:
            least, most = of_controller.get(api.key, _NONE)
            first, last = max(first, least), min(last, most)
        if first <= last:
            rows.append(ApiVersionsResponse.ApiVersion(api_key=api.key, min_version=first, max_version=last))
    return rows


def _is_software_name(text: str) -> bool:
    """KIP-511: letters, digits, "-" and ".", the last two not at either end."""
    data = text.encode()
    return bool(text) and text.isascii() and all(chr(c).isalnum() or c in _NAME_EXTRAS for c in data) and text[0].isalnum() and text[-1].isalnum()
